"""`vcgen report`: a run as one page to be looked at."""

from vcgen.cli.common import ensure_distinct, read_known_clips
from vcgen.cli.options import (
    ClipFormatOption,
    EvidenceOption,
    ReportFileOption,
    RunArgument,
    ShownOption,
    command,
)
from vcgen.cli.output import tell
from vcgen.pipeline.store.layout import own_files


@command
def report(
    run: RunArgument,
    *,
    output: ReportFileOption,
    clips: EvidenceOption = None,
    clip_format: ClipFormatOption = "auto",
    limit: ShownOption = 10_000,
) -> None:
    """Write a page about a run, to look at and to search.

    It shows what the data is like, the rejects and the records, in one file.

    Needs no network, but the extra: pip install 'vcgen[report]'.
    """
    from vcgen.datasets.report.report import write_report  # noqa: PLC0415 - what no other command has to load

    ensure_distinct(output, [*own_files(run), *(clips or ())])
    shown = write_report(run, output, read_known_clips(clips, clip_format), limit=limit)
    tell(f"{shown:,} record{'s' if shown != 1 else ''} in {output}")
