"""`vcgen card`: the dataset card of a run."""

from collections import Counter
from pathlib import Path

from vcgen.cli.common import ensure_distinct, report_damaged
from vcgen.cli.options import CardFileOption, DatasetNameOption, LicenseOption, RunArgument, command
from vcgen.cli.output import tell
from vcgen.datasets.card.card import Examples, require_license, write_card
from vcgen.datasets.statistics import DatasetStatistics
from vcgen.pipeline.store.atomic_files import replacing_file
from vcgen.pipeline.store.directory import read_manifest, read_records, read_rejects
from vcgen.pipeline.store.layout import own_files


@command
def card(
    run: RunArgument,
    *,
    output: CardFileOption = None,
    name: DatasetNameOption = None,
    license_name: LicenseOption = None,
) -> None:
    """Write a dataset card for the Hugging Face Hub.

    It says what a run made, from what, what was left out, and how good it is.

    Printed if no file is named. Parquet files beside the file, or in `data` there, are named in it.
    """
    require_license(license_name)
    if output is not None:
        ensure_distinct(output, own_files(run))
    manifest, survey, examples = read_manifest(run), DatasetStatistics(), Examples()
    damaged = Counter[str]()
    for record in read_records(run, damaged):
        survey.add(record)
        examples.add(record)
    for reject in read_rejects(run):
        survey.add(reject)
    text = write_card(
        survey.summary(),
        manifest,
        examples.chosen(),
        name=name or run.resolve().name,
        license_name=license_name,
        files=[] if output is None else _tables(output.parent),
    )
    report_damaged(damaged)
    if output is None:
        print(text, end="")
        return
    with replacing_file(output) as file:
        file.write(text.encode())
    tell(f"card of {survey.summary()['records']:,} records in {output}")


def _tables(directory: Path) -> list[str]:
    """Parquet files where an export puts them, from the directory."""
    found = [*directory.glob("*.parquet"), *directory.glob("data/*.parquet")]
    return sorted(file.relative_to(directory).as_posix() for file in found)
