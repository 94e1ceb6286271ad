"""Page: a counterexample as one HTML file that needs nothing else, neither script nor network."""

from __future__ import annotations

from html import escape

from chc_ref import __version__
from chc_ref.check.counterexample import Counterexample, lines
from chc_ref.export.picture import STYLE, Picture, legend, text_of
from chc_ref.export.story import Story, end, plain


def html(story: Story) -> str:
    """Give the page of a counterexample."""
    found = story.found
    picture = Picture(story)
    first, *rest = end(found)
    return _PAGE.format(
        title=_escaped(found.headline),
        style=STYLE,
        name=_escaped(f"{found.model.name}, {found.rules.name}"),
        violated=_escaped(first),
        meanings="".join(f"<p>{_escaped(line)}</p>" for line in rest),
        about=_escaped(_about(found)),
        unused=_escaped(_unused(story)),
        legend=text_of(legend()),
        width=picture.width,
        heads=text_of(picture.heads()),
        body=text_of(picture.body()),
        steps=_escaped("\n".join(lines(found))),
        version=__version__,
    )


def _about(found: Counterexample) -> str:
    steps = len(found.actions)
    about = f"{steps} step{'s' * (steps != 1)}; {found.model.bounds}."
    return f"{found.model.about} {about}" if found.model.about else about


def _unused(story: Story) -> str:
    return f"Without a lane, as nothing happens there: {', '.join(story.unused)}. " * bool(
        story.unused
    )


def _escaped(text: str) -> str:
    return escape(plain(text), quote=False)


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root {{ color-scheme: light dark; --bad: #cf222e; --page: #ffffff; --text: #1f2328; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --bad: #ff7b72; --page: #0d1117; --text: #e6edf3; }}
}}
body {{ font: 14px/1.45 system-ui, sans-serif; margin: 0; background: var(--page); }}
body {{ color: var(--text); min-width: {width}px; }}
header, footer {{ padding: 1rem; max-width: 72rem; }}
h1 {{ font-size: 1.15rem; margin: 0; }} p {{ margin: .3rem 0; }}
.violated {{ color: var(--bad); font-weight: 600; }}
.heads {{ position: sticky; top: 0; z-index: 1; }}
svg {{ display: block; }}
pre {{ font-size: 12px; white-space: pre-wrap; max-width: 96rem; overflow-wrap: anywhere; }}
summary {{ cursor: pointer; }}
{style}</style></head><body>
<header><h1>{name}</h1><p class="violated">{violated}</p>{meanings}
<p>{about}</p>
<p>Time runs downwards, a row a step. A box is what a component takes, and what that changes; an
arrow leads from where a message was sent to where it was taken. {unused}Point at anything for the
whole of it.</p>{legend}</header>
<main>
<div class="heads">{heads}</div>
{body}
</main>
<footer><details><summary>All steps, with everything that changes</summary>
<pre>{steps}</pre></details>
<p>Made by chc_ref {version}.</p></footer>
</body></html>
"""
