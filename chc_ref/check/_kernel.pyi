"""Types of the compiled search; see ``kernel``."""

from collections.abc import Callable
from typing import Any

from chc_ref.check.cells import Cells

class Kernel:
    def __new__(
        cls,
        cells: Cells,
        sides: tuple[tuple[int, ...], tuple[int, ...]],
        first: tuple[int, ...],
        hurries: bool,
        threads: int,
    ) -> Kernel: ...
    def run(
        self,
        summary: Callable[[int], int],
        judge: Callable[[tuple[int, ...]], Any],
        ask: Callable[[int, int, int], str],
        most: int,
        deepest: int,
        /,
    ) -> tuple[int, int, int, Any, int, str]: ...
    def saved(self) -> tuple[bytes, bytes, bytes, list[int], int, int, int]: ...
    def restore(
        self,
        keys: bytes,
        left: bytes,
        right: bytes,
        levels: list[int],
        expanded: int,
        transitions: int,
        judged: int,
        /,
    ) -> None: ...
    def row(self, number: int, /) -> tuple[int, ...]: ...
    def row_of(self, key: int, /) -> tuple[int, ...]: ...
    def after(self, key: int, /) -> list[int]: ...
    def successors(self, number: int, /) -> list[tuple[int, int]]: ...
    def path(self, number: int, /) -> list[int]: ...
    def cells(self) -> set[int]: ...
    def memory(self) -> tuple[int, int]: ...
    def halves(self) -> tuple[int, int]: ...
    def __len__(self) -> int: ...
