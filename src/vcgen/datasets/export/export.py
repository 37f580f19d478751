"""Export records for trainers: streamed, and replacing an earlier output whole or not at all.

Unlike a run directory an export is made to be shared, so the umask decides who may read it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from vcgen.data.records import Record
from vcgen.datasets.export.output import Format, Output, RowWriter
from vcgen.datasets.export.registry import FORMATS
from vcgen.datasets.export.selection import Selected, Selection, SkipReason, select, under_root
from vcgen.datasets.export.splits import Split
from vcgen.errors import UsageError

_ALL, _WHOLE = Selection(), Split()


class Exported(NamedTuple):
    """The result of an export.

    Attributes:
        written: records by file, or by directory and side.
        left_out: records that were not written, by reason.
        changed: records that were written in part, by reason.
    """

    written: Mapping[str, int]
    left_out: Counter[SkipReason]
    changed: Counter[SkipReason]

    @property
    def records(self) -> int:
        """All records written."""
        return sum(self.written.values())


def export_records(
    records: Iterable[Record],
    format_name: str,
    output: Path | str,
    *,
    selection: Selection = _ALL,
    split: Split = _WHOLE,
    video_root: str = "",
) -> Exported:
    """Write records for a trainer; memory does not grow with their number.

    JSON is an array, or lines if `output` ends in `.jsonl`. Directories above it are made.

    Args:
        records: in the order to write them; see `read_shuffled`.
        format_name: a name of `FORMATS`.
        output: a file, or for some formats a directory.
        selection: of records, and of their turns.
        split: of records by clip; the files are then named after their side.
        video_root: the directory of the videos on the trainer's machine.

    Raises:
        UsageError: the format is unknown, its package is missing, or the output cannot be
            written.
    """
    if format_name not in FORMATS:
        raise UsageError(f"unknown format {format_name!r}; choose {', '.join(FORMATS)}")
    output = Path(output)
    if output.name in {"", ".."}:
        raise UsageError(f"{output} is a directory without a name of its own; name another output")
    form = FORMATS[format_name]
    files = Output(output, split.sides, video_root)
    left_out, changed = Counter[SkipReason](), Counter[SkipReason]()
    try:
        with form.open(files) as writers:
            for record in records:
                chosen = _choose(record, form, selection, video_root)
                if chosen.record is None:
                    left_out.update(chosen.reasons)
                    continue
                if chosen.reasons:
                    changed.update(chosen.reasons)
                writers[split.side_of(record.clip_id)].add(form.row(chosen.record))
    except OSError as error:
        raise UsageError(f"{output}: cannot write: {error.strerror or error}") from error
    return Exported(_counts(form, files, writers), left_out, changed)


def _choose(record: Record, form: Format, selection: Selection, video_root: str) -> Selected:
    if video_root:
        placed = under_root(record.video, video_root)
        if placed is None:
            return Selected(None, (SkipReason.OUTSIDE,))
        if not form.has_root:
            record = replace(record, video=placed)
    return select(record, selection, is_shuffled=form.is_shuffled)


def _counts(form: Format, files: Output, writers: Sequence[RowWriter]) -> dict[str, int]:
    if form.is_directory:
        names = [f"{files.output} ({side})" for side in files.sides]
    else:
        names = [str(path) for path in files.files]
    return {name: writer.rows for name, writer in zip(names, writers, strict=True)}
