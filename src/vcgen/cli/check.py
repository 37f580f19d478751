"""`vcgen check`: faults of existing records, in a run or in a file."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from vcgen.cli.app import EXIT_REJECTS, argument, command, flag, option
from vcgen.cli.common import ensure_distinct, read_known_clips
from vcgen.cli.options import CLIP_FORMAT, JSON, LANGUAGE, TEMPLATES
from vcgen.cli.output import print_json, print_lines, tell
from vcgen.data.clip_index import ClipIndex
from vcgen.data.records import Record
from vcgen.datasets.export.json_files import write_rows
from vcgen.datasets.importers import LAYOUTS, Row, is_array, read_exported, read_run
from vcgen.datasets.near_duplicates import NEAR_MISSING
from vcgen.datasets.validate import Validation, Validator
from vcgen.errors import UsageError
from vcgen.pipeline.store.layout import own_files
from vcgen.pipeline.store.manifest import Manifest
from vcgen.tasks.recipe import Recipe, with_current_names
from vcgen.tasks.templates import Templates


@command
def check(  # noqa: PLR0913 - one parameter an option, all by name
    data: Path = argument("RUN", "Run directory, or a file of records."),
    *,
    layout: str = option(
        "LAYOUT", f"Layout of a file: auto (by its keys), {', '.join(LAYOUTS)}.", default="auto"
    ),
    clips: list[Path] | None = option(
        "INPUT", "Clips of the records, to check them against their evidence; repeatable."
    ),
    clip_format: str = CLIP_FORMAT,
    language: str | None = LANGUAGE,
    templates: Path | None = TEMPLATES,
    output: Path | None = option(
        "FILE", "Write the records that have only flags to FILE.", "--output", "-o"
    ),
    as_json: bool = JSON,
    strict: bool = flag("--strict", "Exit with code 3 if a record has more than flags."),
) -> None:
    """Check existing records, of a run or a file.

    Reads every JSON format that `export` writes. Prints each code with its number of records and
    three examples. Nothing is sent.
    """
    is_run = data.is_dir()
    if is_run and layout not in {"auto", "vcgen"}:
        raise UsageError(f"{data} is a directory; --layout {layout} applies to a file")
    manifest = Manifest.read(data) if is_run else Manifest()
    asked = _asked_for(manifest)
    if output is not None:
        ensure_distinct(output, [*(own_files(data) if is_run else [data]), *(clips or ())])
    rows = read_run(data) if is_run else read_exported(data, layout)
    as_array = not is_run and is_array(data)
    known = read_known_clips(clips, clip_format)
    instructions = _instructions(templates, manifest)
    validator = Validator(
        language=language or asked.language,
        description_words=asked.description_words,
        severities=asked.checks,
        instructions=instructions,
    )
    if output is None:
        for _ in _clean(rows, validator, known):
            pass
    else:
        write_rows(_clean(rows, validator, known), output, as_array=as_array)
    result = validator.validation()
    if as_json:
        print_json(result)
    else:
        print_lines(_page(result))
    if not result.near_duplicates:
        tell(f"vcgen: {NEAR_MISSING}")
    if output is not None:
        tell(f"{result.clean:,} clean records in {output}")
    if strict and (result.unreadable or result.clean < result.records):
        sys.exit(EXIT_REJECTS)


def _asked_for(manifest: Manifest) -> Recipe:
    """Return the part of a run's recipe that matters to checks."""
    match with_current_names(manifest.recipe):
        case {"language": str(language), "description_words": [int(least), int(most)], **others}:
            checks = others.get("checks", {})
            return Recipe(language=language, description_words=(least, most), checks=checks)
    return Recipe()


def _instructions(directory: Path | None, manifest: Manifest) -> tuple[str, ...]:
    """Return the texts that no record may repeat; name templates that are not as in the run."""
    templates = Templates(directory)
    digests = templates.digests()
    others = [
        name
        for name, digest in manifest.templates.items()
        if digests.get(name) != digest and not name.endswith(".txt")
    ]
    if others:
        tell(
            f"vcgen: templates that are not as in the run: {', '.join(others)}; repeated "
            "instructions are looked for by the present ones (--templates DIR)"
        )
    return templates.instructions()


def _clean(rows: Iterable[Row], validator: Validator, clips: ClipIndex) -> Iterator[bytes]:
    """Yield the rows that are clean, validating all."""
    for row in rows:
        outcome = row.outcome
        clip = clips.find(outcome) if isinstance(outcome, Record) else None
        if validator.is_clean(outcome, clip):
            yield row.line()


def _page(result: Validation) -> str:
    lines = [f"{result.records:,} records, {result.clean:,} with no more than flags"]
    if result.unreadable:
        lines.append(f"{result.unreadable:,} rows that are not records")
        lines += [f"    {message}" for message in result.broken]
    if without_clip := result.records - result.with_clip:
        lines.append(
            f"{without_clip:,} records without a clip (--clips): checks that need the evidence or "
            "the duration were skipped"
        )
    if result.codes:
        lines.append(f"\n{'code':<24}{'severity':<10}{'records':>9}{'share':>8}")
    for code, row in result.codes.items():
        lines.append(f"{code:<24}{row.severity:<10}{row.count:>9,}{row.share:>8.1%}")
    for code, row in result.codes.items():
        lines.append(f"\n{code}")
        for example in row.examples:
            turn = "" if example.turn is None else f" turn {example.turn}"
            lines.append(f"  {example.id}{turn}: {example.message}")
            if example.excerpt:
                lines.append(f"      {example.excerpt}")
    return "\n".join(lines)
