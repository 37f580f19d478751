"""What a format is written to: its files by name, and what takes the rows."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from vcgen.data.records import Record


class RowWriter(Protocol):
    """Takes rows; `rows` says how many it has taken."""

    rows: int

    def add(self, row: Mapping[str, Any]) -> None:
        """Take one more."""


@dataclass(frozen=True, slots=True)
class Output:
    """Where an export goes.

    Attributes:
        output: what the user named, a file or a directory.
        sides: of a split, in order; a single one if there is none.
        root: the directory of the videos, empty if the rows say all there is to say.
    """

    output: Path
    sides: Sequence[str]
    root: str

    @property
    def files(self) -> list[Path]:
        """A file for each side, named like the output."""
        if len(self.sides) == 1:
            return [self.output]
        stem, suffix = self.output.stem, self.output.suffix
        return [self.output.with_name(f"{stem}-{side}{suffix}") for side in self.sides]


class Format(NamedTuple):
    """A trainer's format.

    Attributes:
        purpose: who reads it, in a line.
        row: of a record.
        open: sinks of a target, one a side; what is written appears when the block ends, or not at
            all.
        is_directory: what is written.
        has_root: whether the root is said beside the rows, not in each.
        is_shuffled: whether the trainer puts the turns of a record in another order.
    """

    purpose: str
    row: Callable[[Record], dict[str, Any]]
    open: Callable[[Output], AbstractContextManager[Sequence[RowWriter]]]
    is_directory: bool = False
    has_root: bool = False
    is_shuffled: bool = False
