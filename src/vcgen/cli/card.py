"""`vcgen card`: the dataset card of a run."""

from collections import Counter
from itertools import chain
from pathlib import Path

from vcgen.cli.app import command, option
from vcgen.cli.common import ensure_distinct, report_damaged
from vcgen.cli.options import RUN
from vcgen.cli.output import print_lines, tell
from vcgen.data.records import Record
from vcgen.datasets.card.card import Examples, require_license, write_card
from vcgen.datasets.near_duplicates import NEAR_MISSING
from vcgen.datasets.statistics import DatasetStatistics
from vcgen.pipeline.store.atomic_files import replacing_file
from vcgen.pipeline.store.layout import RECORDS, REJECTS, own_files
from vcgen.pipeline.store.manifest import Manifest
from vcgen.pipeline.store.read import read_outcomes


@command
def card(
    run: Path = RUN,
    *,
    output: Path | None = option(
        "FILE", "Write the card to FILE; README.md for the hub.", "--output", "-o"
    ),
    name: str | None = option("NAME", "Name of the dataset; the directory's by default."),
    license_name: str | None = option(
        "ID", "License of the data, as the hub names it: cc-by-4.0, other.", "--license"
    ),
) -> None:
    """Write a dataset card for the Hugging Face Hub.

    It describes the records of a run, their sources, the rejects and the quality. Without -o it
    is printed. It names Parquet files beside FILE, or in `data` there.
    """
    require_license(license_name)
    if output is not None:
        ensure_distinct(output, own_files(run))
    manifest, statistics, examples = Manifest.read(run), DatasetStatistics(), Examples()
    damaged = Counter[str]()
    for line in chain(read_outcomes(run, RECORDS), read_outcomes(run, REJECTS)):
        if line.outcome is None:
            damaged[line.file] += 1
            continue
        statistics.add(line.outcome)
        if isinstance(line.outcome, Record):
            examples.add(line.outcome)
    text = write_card(
        statistics,
        manifest,
        examples.chosen(),
        name=name or run.resolve().name,
        license_name=license_name,
        files=[] if output is None else _tables(output.parent),
    )
    report_damaged(damaged)
    if statistics.duplicates.near_answers is None:
        tell(f"vcgen: {NEAR_MISSING}")
    if output is None:
        print_lines(text)
        return
    with replacing_file(output) as file:
        file.write(text.encode())
    tell(f"card of {statistics.totals.records:,} records in {output}")


def _tables(directory: Path) -> list[str]:
    """Find Parquet files where an export puts them."""
    paths = [*directory.glob("*.parquet"), *directory.glob("data/*.parquet")]
    return sorted(file.relative_to(directory).as_posix() for file in paths)
