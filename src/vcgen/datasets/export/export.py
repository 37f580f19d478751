"""Records into what trainers read: streamed, and in place of what was there whole or not at all.

Unlike the run directory these files are made to be handed on, so the umask says who may read them.

    written = export_records(result.records, "llava", "train.json")
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from vcgen.data.records import Record
from vcgen.datasets.export.json_files import write_rows
from vcgen.datasets.export.output import Format, Output, RowWriter
from vcgen.datasets.export.registry import FORMATS
from vcgen.datasets.export.selection import Selected, Selection, SkipReason, place, select
from vcgen.datasets.export.shuffle import read_shuffled
from vcgen.datasets.export.splits import Split
from vcgen.errors import UsageError

__all__ = [
    "FORMATS",
    "Exported",
    "Selection",
    "SkipReason",
    "Split",
    "export_records",
    "read_shuffled",
    "write_rows",
]

_ALL, _WHOLE = Selection(), Split()


class Exported(NamedTuple):
    """What an export came to.

    Attributes:
        written: records by where they are: a file, or a directory and the side in it.
        left_out: records that are nowhere, by reason.
        changed: records that are not whole, by reason.
    """

    written: Mapping[str, int]
    left_out: Counter[SkipReason]
    changed: Counter[SkipReason]

    @property
    def records(self) -> int:
        """How many were written."""
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
        records: in the order in which they are to be written; see `read_shuffled`.
        format_name: a name of `FORMATS`.
        output: a file, or for some formats a directory.
        selection: which records, and how much of each.
        split: how they are shared out; the files are then named after their share.
        video_root: the directory of the videos as the trainer is to see it.

    Raises:
        UsageError: unknown format, a package that it needs is missing, or the output cannot be
            written.
    """
    if format_name not in FORMATS:
        raise UsageError(f"no format {format_name!r}: choose {', '.join(FORMATS)}")
    output = Path(output)
    if output.name in {"", ".."}:
        raise UsageError(f"{output} is a directory without a name of its own; name another output")
    form = FORMATS[format_name]
    target = Output(output, split.sides, video_root)
    left_out, changed = Counter[SkipReason](), Counter[SkipReason]()
    try:
        with form.open(target) as sinks:
            for record in records:
                chosen = _choose(record, form, selection, video_root)
                if chosen.record is None:
                    left_out.update(chosen.whys)
                    continue
                if chosen.whys:
                    changed.update(chosen.whys)
                sinks[split.side_of(record.clip_id)].add(form.row(chosen.record))
    except OSError as error:
        raise UsageError(f"{output}: cannot write: {error.strerror or error}") from error
    return Exported(_counts(form, target, sinks), left_out, changed)


def _choose(record: Record, form: Format, selection: Selection, video_root: str) -> Selected:
    if video_root:
        placed = place(record.video, video_root)
        if placed is None:
            return Selected(None, (SkipReason.OUTSIDE,))
        if not form.has_root:
            record = replace(record, video=placed)
    return select(record, selection, is_shuffled=form.is_shuffled)


def _counts(form: Format, target: Output, sinks: Sequence[RowWriter]) -> dict[str, int]:
    if form.is_directory:
        names = [f"{target.output} ({side})" for side in target.sides]
    else:
        names = [str(path) for path in target.files]
    return {name: sink.rows for name, sink in zip(names, sinks, strict=True)}
