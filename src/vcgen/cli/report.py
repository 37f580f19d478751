"""`vcgen report`: a run as one HTML page."""

from pathlib import Path

from vcgen.cli.app import REQUIRED, command, option
from vcgen.cli.common import ensure_distinct, read_known_clips
from vcgen.cli.options import CLIP_FORMAT, RUN
from vcgen.cli.output import tell
from vcgen.pipeline.store.layout import own_files


@command
def report(
    run: Path = RUN,
    *,
    output: Path = option("FILE", "HTML page to write.", "--output", "-o", default=REQUIRED),
    clips: list[Path] | None = option(
        "INPUT", "Clips of the records, to show their evidence; repeatable."
    ),
    clip_format: str = CLIP_FORMAT,
    max_shown: int = option(
        "N", "Show at most N records, an even sample of them.", min=0, default=10_000
    ),
) -> None:
    """Write a run as one HTML page: charts, rejects, records.

    The page is one file and needs no network; its records can be searched and filtered.
    """
    from vcgen.datasets.report.report import write_report  # noqa: PLC0415 - no other command needs it

    ensure_distinct(output, [*own_files(run), *(clips or ())])
    shown = write_report(run, output, read_known_clips(clips, clip_format), max_shown=max_shown)
    tell(f"{shown:,} record{'s' if shown != 1 else ''} in {output}")
