"""What stops the reading of a file of telemetry, told by the place in the block; ``opening.numbered`` adds the file."""

from __future__ import annotations

from faultset.sources.telemetry.format import ColumnType


class BrokenRowError(Exception):
    """Nothing can be read from a row on.

    Attributes:
        row: its place in the block, from 0.
        line: its last line in the block, from 0.
        problem: what is wrong.
    """

    def __init__(self, row: int, line: int, problem: str) -> None:
        super().__init__(problem)
        self.row = row
        self.line = line
        self.problem = problem


class ColumnTypeError(Exception):
    """A column holds values of another type than was thought: read the file again with ``to``."""

    def __init__(self, column: str, to: ColumnType) -> None:
        super().__init__(column)
        self.column = column
        self.to = to
