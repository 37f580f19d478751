"""`vcgen show`: the records of a run as pages for people."""

import textwrap
from pathlib import Path

from vcgen.cli.app import argument, command, option
from vcgen.cli.options import RUN
from vcgen.cli.output import print_lines
from vcgen.data.records import Record
from vcgen.engine.plain_text import plain
from vcgen.errors import UsageError
from vcgen.pipeline.store.manifest import Manifest
from vcgen.pipeline.store.read import read_records


@command
def show(
    run: Path = RUN,
    wanted: str | None = argument(
        "ID", "Id of a record, or of a clip for all its records.", default=None
    ),
    *,
    max_shown: int | None = option("N", "Show the first N records only."),
) -> None:
    """Print the records of a run for people to read."""
    Manifest.read(run)
    shown = 0
    for record in read_records(run):
        if wanted not in {None, record.id, record.clip_id}:
            continue
        if shown == max_shown:
            break
        print_lines(_page(record))
        shown += 1
    if wanted is not None and not shown:
        raise UsageError(f"{run} has no record {wanted!r}")


def _page(record: Record) -> str:
    about = (record.id, f"video {record.video}", f"model {record.meta.get('model', 'unknown')}")
    lines = ["   ".join(map(plain, about))]
    for turn in record.turns:
        lines.append(f"  [{turn.kind}] Q: {plain(turn.question)}")
        lines.append(
            textwrap.fill(turn.answer, 100, initial_indent="    A: ", subsequent_indent=" " * 7)
        )
    return "\n".join([*lines, "", ""])
