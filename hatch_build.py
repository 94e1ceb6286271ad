"""Build hook: compile the checker's kernel, where there is a C compiler.

Without one the package is built all the same, and the checker searches in plain Python.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from setuptools import Distribution, Extension
from setuptools.command.build_ext import build_ext

SOURCE = "chc_ref/check/_kernel.c"


class KernelHook(BuildHookInterface[Any]):
    """Puts the compiled kernel beside its source, and into the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile; a compiler that is missing or fails is told of, and nothing more."""
        del version
        if self.target_name != "wheel":
            return
        kernel = Extension(
            "chc_ref.check._kernel", [SOURCE], extra_compile_args=["-O3"], optional=True
        )
        command = build_ext(Distribution({"name": "chc_ref", "ext_modules": [kernel]}))
        command.inplace = True
        command.ensure_finalized()
        made = Path(self.root, command.get_ext_fullpath(kernel.name))
        made.unlink(missing_ok=True)
        command.run()
        if made.exists():
            build_data["pure_python"] = False
            build_data["infer_tag"] = True
            build_data["force_include"][str(made)] = f"chc_ref/check/{made.name}"
