"""`vcgen export`: the records of a run as one file for a trainer."""

from vcgen.exporters import export_records
from vcgen.options import ExportFileOption, ExportFormatOption, RunArgument, command
from vcgen.progress import tell
from vcgen.store import read_manifest, read_records


@command
def export(
    run: RunArgument,
    *,
    output: ExportFileOption,
    format_name: ExportFormatOption,
) -> None:
    """Write the records of a run as one file for a trainer.

    A JSON array, or one record a line if FILE ends in .jsonl.
    """
    manifest = read_manifest(run)
    written = export_records(read_records(run), format_name, output)
    tell(f"{written:,} records in {output}")
    if manifest.get("simulated"):
        tell("vcgen: this is simulated data: no model wrote it, train nothing on it")
