"""Documents that are made from the project itself: print one, write it, or check it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import attrs

from chc_ref.errors import ChcError, UsageError
from chc_ref.files import read_text, write_text


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


@attrs.frozen
class Document:
    """A document, its place in a checkout, and ``python -m MODULE`` that makes it."""

    module: str
    file: str
    source: str
    """A file that it is made from: only a checkout has it."""
    render: Callable[[Path], str]
    """Gives the text, of the folder of the checkout."""
    gaps: Callable[[Path], list[str]] = lambda root: []
    """Gives what is amiss in the checkout, one line each."""

    def check(self, root: Path) -> list[str]:
        """Give what is amiss in a checkout, and whether its document is out of date."""
        lines, document = self.gaps(root), root / self.file
        if not document.is_file() or read_text(document) != self.render(root):
            lines.append(f"{self.file} is stale: python -m {self.module} --write")
        return lines

    def main(self, arguments: list[str] | None = None) -> int:
        """Run the command; gives its exit code: 0, 1 for a gap, 2 for bad usage."""
        parser = _Parser(prog=self.module, description=f"Print {self.file} as it should be.")
        one = parser.add_mutually_exclusive_group()
        one.add_argument("--write", action="store_true", help="write it")
        one.add_argument("--check", action="store_true", help="name every gap, and a stale file")
        try:
            options = parser.parse_args(arguments)
            root = self._checkout()
            if options.check:
                lines = self.check(root)
                print("\n".join(lines) or f"{self.file} is up to date, and there is no gap")
                return 1 if lines else 0
            if options.write:
                write_text(root / self.file, self.render(root))
            else:
                print(self.render(root), end="")
        except ChcError as error:
            print(f"{self.module}: {error}", file=sys.stderr)
            return 2
        return 0

    def _checkout(self) -> Path:
        for place in (Path.cwd(), Path(__file__).resolve().parent.parent):
            if (place / self.source).is_file():
                return place
        raise UsageError(f"no {self.source} here: run this in a checkout")
