"""`vcgen export`: the records of a run for a trainer."""

from collections import Counter
from typing import cast

from vcgen.cli.common import ensure_distinct, names, report_damaged
from vcgen.cli.options import (
    ExportFileOption,
    ExportFormatOption,
    ExportSeedOption,
    FitTokensOption,
    KeptKindsOption,
    ListOption,
    MinGroundOption,
    RunArgument,
    ShuffleOption,
    SplitOption,
    TokenizerOption,
    VideoRootOption,
    command,
)
from vcgen.cli.output import tell
from vcgen.data.records import KINDS, Kind
from vcgen.datasets.export.export import Selection, SkipReason, Split, export_records, read_shuffled
from vcgen.datasets.export.selection import estimate_tokens
from vcgen.datasets.export.splits import parse_shares
from vcgen.datasets.export.tokenizer import tokenizer
from vcgen.errors import UsageError
from vcgen.pipeline.store.directory import read_manifest, read_records
from vcgen.pipeline.store.layout import own_files


@command
def export(  # noqa: PLR0913 - one parameter an option, all by name
    run: RunArgument,
    *,
    output: ExportFileOption,
    format_name: ExportFormatOption,
    video_root: VideoRootOption = "",
    split: SplitOption = "1",
    shuffle: ShuffleOption = False,
    seed: ExportSeedOption = 0,
    kinds: KeptKindsOption = None,
    min_ground: MinGroundOption = None,
    max_tokens: FitTokensOption = None,
    tokenizer_name: TokenizerOption = None,
    list_formats: ListOption = False,  # noqa: ARG001 - done when it is read
) -> None:
    """Write the records of a run for a trainer.

    JSON is an array, or one record a line if FILE ends in .jsonl. What is left out or cut is
    counted on standard error.
    """
    manifest = read_manifest(run)
    ensure_distinct(output, own_files(run))
    if tokenizer_name and max_tokens is None:
        raise UsageError("--tokenizer counts for --max-tokens; give that too")
    damaged = Counter[str]()
    selection = Selection(
        kinds=set(KINDS) if kinds is None else cast("set[Kind]", set(names(kinds))),
        min_ground=min_ground,
        max_tokens=max_tokens,
        count_tokens=tokenizer(tokenizer_name) if tokenizer_name else estimate_tokens,
    )
    done = export_records(
        read_shuffled(run, seed, damaged) if shuffle else read_records(run, damaged),
        format_name,
        output,
        selection=selection,
        split=Split(parse_shares(split), seed),
        video_root=video_root,
    )
    for place, count in done.written.items():
        tell(f"{count:,} records in {place}")
    _tell_counts("left out", done.left_out)
    _tell_counts("changed", done.changed)
    report_damaged(damaged)
    card = output / "README.md"
    if format_name == "datasets" and card.exists():
        tell(f"{card} is as it was; `vcgen card {run} -o {card}` writes a card anew")
    if manifest.get("simulated"):
        tell("vcgen: this is simulated data: no model wrote it, train nothing on it")


def _tell_counts(done: str, whys: Counter[SkipReason]) -> None:
    for why, count in whys.most_common():
        tell(f"{count:,} {done}: {why}")
