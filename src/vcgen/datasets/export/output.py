"""Where an export goes, and the interfaces of formats and writers."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from vcgen.data.records import Record


class RowWriter(Protocol):
    """Writes rows, counting them in `rows`."""

    rows: int

    def add(self, row: Mapping[str, Any]) -> None:
        """Write a row."""


@dataclass(frozen=True, slots=True)
class Output:
    """The files or the directory of an export.

    Attributes:
        output: as the user named it, a file or a directory.
        sides: of a split, in order; a single one without a split.
        root: the directory of the videos, empty if the rows name their videos in full.
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
        purpose: the programs that read it, in a line.
        row: converts a record.
        open: opens a writer a side; the output appears when the block ends, or not at all.
        is_directory: whether the output is a directory.
        has_root: whether the root is named beside the rows, not in each.
        is_shuffled: whether the trainer puts the turns of a record in another order.
    """

    purpose: str
    row: Callable[[Record], dict[str, Any]]
    open: Callable[[Output], AbstractContextManager[Sequence[RowWriter]]]
    is_directory: bool = False
    has_root: bool = False
    is_shuffled: bool = False
