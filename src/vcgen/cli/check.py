"""`vcgen check`: what is wrong with records that exist, in a run or in anybody's file."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from vcgen.cli.common import ensure_distinct, read_known_clips
from vcgen.cli.options import (
    CheckedArgument,
    CheckedFormatOption,
    CleanFileOption,
    CleanOption,
    ClipFormatOption,
    ClipsOption,
    JsonOption,
    LanguageOption,
    TemplatesOption,
    command,
)
from vcgen.cli.output import tell
from vcgen.data.clip_index import ClipIndex
from vcgen.data.records import Record
from vcgen.datasets.export.export import write_rows
from vcgen.datasets.importers import Row, is_array, read_exported, read_run
from vcgen.datasets.validate import Validation
from vcgen.errors import UsageError
from vcgen.pipeline.store.directory import read_manifest
from vcgen.pipeline.store.layout import own_files
from vcgen.tasks.recipe import Recipe
from vcgen.tasks.templates import Templates


@command
def check(  # noqa: PLR0913 - one parameter an option, all by name
    data: CheckedArgument,
    *,
    format_name: CheckedFormatOption = "auto",
    clips: ClipsOption = None,
    clip_format: ClipFormatOption = "auto",
    language: LanguageOption = None,
    templates: TemplatesOption = None,
    output: CleanFileOption = None,
    as_json: JsonOption = False,
    strict: CleanOption = False,
) -> None:
    """Check records that exist, of a run or a file.

    A file may be in any format of JSON that export writes. Prints each code with how many records
    have it and three examples. Nothing is sent.
    """
    is_run = data.is_dir()
    if is_run and format_name not in {"auto", "vcgen"}:
        raise UsageError(f"{data} is a directory; --format {format_name} is of a file")
    manifest = read_manifest(data) if is_run else {}
    asked = _asked_for(manifest)
    if output is not None:
        ensure_distinct(output, [*(own_files(data) if is_run else [data]), *(clips or ())])
    rows = read_run(data) if is_run else read_exported(data, format_name)
    as_array = not is_run and is_array(data)
    known = read_known_clips(clips, clip_format)
    instructions = _instructions(templates, manifest)
    audit = Validation(
        language=language or asked.language,
        words=asked.words,
        severities=asked.checks,
        instructions=instructions,
    )
    if output is None:
        for _ in _clean(rows, audit, known):
            pass
    else:
        write_rows(_clean(rows, audit, known), output, as_array=as_array)
    found = audit.summary()
    print(orjson.dumps(found).decode() if as_json else _on_terminal(_page(found)))
    if output is not None:
        tell(f"{audit.clean:,} clean records in {output}")
    if strict and (audit.unreadable or audit.clean < audit.records):
        sys.exit(3)


def _asked_for(manifest: Mapping[str, Any]) -> Recipe:
    """What a run asked for, as far as that matters to checks."""
    match manifest:
        case {
            "run": {
                "recipe": {"language": str(language), "words": [int(least), int(most)]} as recipe
            }
        }:
            checks = recipe.get("checks", {})
            return Recipe(language=language, words=(least, most), checks=checks)
    return Recipe()


def _instructions(templates: Path | None, manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """What no record may repeat; says of which templates of a run that is not known."""
    prompts = Templates(templates)
    known = prompts.digests()
    match manifest:
        case {"run": {"templates": dict(used)}}:
            others = [name for name, digest in used.items() if known.get(name) != digest]
            if others := [name for name in others if not name.endswith(".txt")]:
                tell(
                    f"vcgen: templates that are not as in the run: {', '.join(others)}; repeated "
                    "instructions are looked for by those there are (--templates DIR)"
                )
    return prompts.instructions()


def _clean(rows: Iterable[Row], audit: Validation, clips: ClipIndex) -> Iterator[bytes]:
    """The rows that may stay, as the audit goes over all of them."""
    for row in rows:
        outcome = row.outcome
        clip = clips.find(outcome) if isinstance(outcome, Record) else None
        if audit.is_clean(outcome, clip):
            yield row.line()


def _page(found: Mapping[str, Any]) -> str:
    records, with_clip = found["records"], found["with_clip"]
    lines = [f"{records:,} records, {found['clean']:,} with no more than flags"]
    if found["unreadable"]:
        lines.append(f"{found['unreadable']:,} rows that are no records")
        lines += [f"    {message}" for message in found["broken"]]
    if with_clip < records:
        lines.append(
            f"{records - with_clip:,} records without a clip (--clips): nothing is checked there "
            "that needs the evidence or the duration"
        )
    if found["codes"]:
        lines.append(f"\n{'code':<24}{'severity':<10}{'records':>9}{'share':>8}")
    for code, each in found["codes"].items():
        lines.append(f"{code:<24}{each['severity']:<10}{each['count']:>9,}{each['share']:>8.1%}")
    for code, each in found["codes"].items():
        lines.append(f"\n{code}")
        for example in each["examples"]:
            turn = "" if example["turn"] is None else f" turn {example['turn']}"
            lines.append(f"  {example['id']}{turn}: {example['message']}")
            if example["excerpt"]:
                lines.append(f"      {example['excerpt']}")
    return "\n".join(lines)


def _on_terminal(text: str) -> str:
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
