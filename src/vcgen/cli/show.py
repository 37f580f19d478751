"""`vcgen show`: the records of a run as pages for people."""

import textwrap

from vcgen.cli.options import LimitOption, RecordArgument, RunArgument, command
from vcgen.data.records import Record
from vcgen.errors import UsageError
from vcgen.pipeline.store.directory import read_manifest, read_records


@command
def show(
    run: RunArgument,
    record_id: RecordArgument = None,
    *,
    limit: LimitOption = None,
) -> None:
    """Print the records of a run for people to read.

    ID is a record's, or a clip's for all its records.
    """
    read_manifest(run)
    shown = 0
    for record in read_records(run):
        if record_id not in {None, record.id, record.clip_id}:
            continue
        if shown == limit:
            break
        print(_page(record))
        shown += 1
    if record_id is not None and not shown:
        raise UsageError(f"{run} has no record {record_id!r}")


def _page(record: Record) -> str:
    lines = [f"{record.id}   video {record.video}   model {record.meta.get('model', 'unknown')}"]
    for turn in record.turns:
        lines.append(f"  [{turn.kind}] Q: {turn.question}")
        lines.append(
            textwrap.fill(turn.answer, 100, initial_indent="    A: ", subsequent_indent=" " * 7)
        )
    return "\n".join(lines) + "\n"
