"""`vcgen export`: the records of a run for a trainer."""

from collections import Counter
from pathlib import Path
from typing import cast

from vcgen.cli.app import REQUIRED, Finish, command, flag, option
from vcgen.cli.common import ensure_distinct, report_damaged
from vcgen.cli.options import RUN, split_names
from vcgen.cli.output import print_lines, tell
from vcgen.data.records import KINDS, Kind
from vcgen.datasets.export.export import export_records
from vcgen.datasets.export.registry import FORMATS
from vcgen.datasets.export.selection import Selection, SkipReason, estimate_tokens
from vcgen.datasets.export.splits import Split, parse_fractions
from vcgen.datasets.export.tokenizer import tokenizer
from vcgen.errors import UsageError
from vcgen.pipeline.store.layout import own_files
from vcgen.pipeline.store.manifest import Manifest
from vcgen.pipeline.store.read import read_records, read_shuffled


def _list_formats(asked: bool) -> None:  # noqa: FBT001 - typer calls it
    if asked:
        width = max(map(len, FORMATS))
        for name, form in FORMATS.items():
            print_lines(f"{name:<{width}}  {form.purpose}")
        raise Finish


@command
def export(  # noqa: PLR0913 - one parameter an option, all by name
    run: Path = RUN,
    *,
    output: Path = option(
        "FILE", "File to write; a directory for some formats.", "--output", "-o", default=REQUIRED
    ),
    format_name: str = option(
        "FORMAT", f"One of {', '.join(FORMATS)}; see --list.", "--format", default=REQUIRED
    ),
    video_root: str = option("DIR", "Directory of the videos, as the trainer sees it.", default=""),
    split: str = option(
        "SHARES", "Split by clip, such as 0.98/0.02 for train and validation.", default="1"
    ),
    shuffle: bool = flag("--shuffle", "Write records in random order."),
    seed: int = option("N", "Seed of --shuffle and --split.", default=0),
    kinds: str | None = option(
        "NAMES", f"Comma-separated kinds of turns to keep: {', '.join(KINDS)}; default all."
    ),
    min_ground: float | None = option(
        "SHARE", "Keep records with at least this share (0-1) of words in the evidence."
    ),
    max_record_tokens: int | None = option(
        "TOKENS", "Drop last turns until a record fits; VideoChat V1 reads 512."
    ),
    tokenizer_name: str | None = option(
        "NAME",
        "Count tokens with a tokenizer.json or a model of the hub; estimated by default.",
        "--tokenizer",
    ),
    list_formats: bool = flag(  # noqa: ARG001 - done when it is read
        "--list", "List the formats.", callback=_list_formats, is_eager=True
    ),
) -> None:
    """Write the records of a run for a trainer.

    JSON is an array, or one record per line if FILE ends in .jsonl. Standard error counts the
    records left out or cut.
    """
    manifest = Manifest.read(run)
    ensure_distinct(output, own_files(run))
    if tokenizer_name and max_record_tokens is None:
        raise UsageError("--tokenizer needs --max-record-tokens, which it counts for")
    damaged = Counter[str]()
    selection = Selection(
        kinds=set(KINDS) if kinds is None else cast("set[Kind]", set(split_names(kinds))),
        min_ground=min_ground,
        max_tokens=max_record_tokens,
        count_tokens=tokenizer(tokenizer_name) if tokenizer_name else estimate_tokens,
    )
    done = export_records(
        read_shuffled(run, seed, damaged) if shuffle else read_records(run, damaged),
        format_name,
        output,
        selection=selection,
        split=Split(parse_fractions(split), seed),
        video_root=video_root,
    )
    for place, count in done.written.items():
        tell(f"{count:,} records in {place}")
    _tell_counts("left out", done.left_out)
    _tell_counts("changed", done.changed)
    report_damaged(damaged)
    card = output / "README.md"
    if format_name == "datasets" and card.exists():
        tell(f"{card} was kept; `vcgen card {run} -o {card}` writes a new card")
    if manifest.simulated:
        tell("vcgen: this is simulated data: no model wrote it, do not train on it")


def _tell_counts(done: str, reasons: Counter[SkipReason]) -> None:
    for reason, count in reasons.most_common():
        tell(f"{count:,} {done}: {reason}")
