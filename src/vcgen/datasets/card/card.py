"""Write a dataset card for the Hugging Face Hub: YAML for its search, and a page for people.

Pure: the same statistics, manifest and examples give the same text. `card.md.jinja` has the words.
"""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib.resources import files as resources
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

from vcgen.checks.codes import CODES
from vcgen.checks.language import code_of
from vcgen.data.hashing import hash64
from vcgen.data.records import Reason, Record, is_simulated
from vcgen.datasets.card.markdown import Markdown, render, visible
from vcgen.datasets.histograms import Histogram
from vcgen.datasets.statistics import DatasetStatistics
from vcgen.errors import UsageError
from vcgen.pipeline.store.manifest import Manifest
from vcgen.tasks.recipe import with_current_names
from vcgen.tasks.registry import builtin_tasks

REASONS: Mapping[Reason, str] = {
    Reason.INVALID_CLIP: "the row of the input was not a clip",
    Reason.DUPLICATE_CLIP: "the clip's id was taken by an earlier row",
    Reason.PROMPT_TOO_LARGE: "the evidence was too long for a prompt",
    Reason.BAD_REQUEST: "the endpoint refused the request",
    Reason.SERVER_ERROR: "the endpoint failed at it again and again",
    Reason.NETWORK: "the endpoint was out of reach",
    Reason.TIMEOUT: "the reply did not come in time",
    Reason.THROTTLED: "the endpoint refused it for its rate, again and again",
    Reason.INVALID_RESPONSE: "the endpoint's response could not be understood",
    Reason.CONTENT_FILTER: "the endpoint's filter withheld the reply",
    Reason.REFUSAL: "the model refused",
    Reason.TRUNCATED: "the reply was cut off, with more room too",
    Reason.INVALID_REPLY: "the reply was empty or not of the form asked for, after repairs too",
    Reason.FAILED_CHECKS: "the checks found fault with it, after repairs too",
    Reason.LEAK: "it repeated its prompt, or named an address that the evidence does not",
    Reason.CONTRADICTED: "the judge found it contradicted by the evidence",
    Reason.UNJUDGED: "the judge gave no usable verdict",
    Reason.TASK_ERROR: "the task itself failed",
    Reason.INTERNAL_ERROR: "vcgen failed at it",
}
SPLITS = ("train", "validation", "test")
_SHOWN = 2
_LICENSE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,63}")
_LANGUAGE_TAG = re.compile(r"([A-Za-z]{2,3})(?:[-_][A-Za-z0-9]{2,8})*")
_BOUNDS = ("1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T")
_SIZES = (
    f"n<{_BOUNDS[0]}",
    *(f"{least}<n<{most}" for least, most in pairwise(_BOUNDS)),
    f"n>{_BOUNDS[-1]}",
)
_NUMBERED = re.compile(r"-\d{5}-of-\d{5}(?=\.parquet$)")


class Examples:
    """Chooses two records to show: of two tasks if there are two, and always the same ones."""

    def __init__(self) -> None:
        self._by_task: dict[str, list[tuple[int, Record]]] = {}

    def add(self, record: Record) -> None:
        """Take in a record."""
        kept = self._by_task.setdefault(record.task, [])
        kept.append((hash64(record.id), record))
        kept.sort(key=lambda numbered: numbered[0])
        del kept[_SHOWN:]

    def chosen(self) -> list[Record]:
        """Return the first of each task, then the second ones."""
        tasks = [self._by_task[task] for task in sorted(self._by_task)]
        ranked = [kept[rank][1] for rank in range(_SHOWN) for kept in tasks if rank < len(kept)]
        return ranked[:_SHOWN]


def require_license(name: str | None) -> None:
    """Raise UsageError unless `name` has the form of the hub's identifiers."""
    if name is not None and not _LICENSE.fullmatch(name):
        raise UsageError(
            f"license {name!r}: give an identifier of the hub's list, in lower case, such as "
            "cc-by-4.0 or other"
        )


def write_card(
    data: DatasetStatistics,
    manifest: Manifest,
    examples: Sequence[Record],
    *,
    name: str,
    license_name: str | None = None,
    files: Iterable[str] = (),
) -> str:
    """Write the text of a card.

    Args:
        data: of the run.
        manifest: of the run.
        examples: records to show.
        name: of the data set, for people.
        license_name: an identifier of the hub's list, None to state none.
        files: paths of the Parquet files beside the card, from where it is.
    """
    recipe = with_current_names(manifest.recipe)
    checks = recipe.pop("checks", None) or {}
    # A server that simulates accepts any model name, but replies with its own.
    simulated = any(map(is_simulated, (manifest.model, *data.models)))
    title = f"{name} (simulated)" if simulated else name
    command = ["vcgen", "generate", "clips.jsonl", "--model", manifest.model]
    command += ["--recipe", "recipe.toml"]
    command += [] if manifest.judge is None else ["--judge", manifest.judge]
    language = str(recipe.get("language", ""))
    header = {
        "pretty_name": visible(title),
        "language": _language_codes(language),
        "license": license_name,
        "task_categories": [
            "video-text-to-text",
            *(["visual-question-answering"] * bool(data.kinds.keys() - {"description"})),
        ],
        "size_categories": [size_category(data.totals.records)],
        "annotations_creators": ["machine-generated"],
        "language_creators": ["machine-generated"],
        "tags": [
            *("synthetic", "video", "instruction-tuning", "vcgen"),
            *(["simulated"] * simulated),
        ],
        "configs": _configs(files),
    }
    values = {
        "header": {key: value for key, value in header.items() if value},
        "title": title,
        "is_simulated": simulated,
        "data": data,
        "totals": data.totals,
        "manifest": manifest,
        "weights": recipe.pop("weights", None),
        "recipe": recipe,
        "language": language,
        "checks": checks,
        "checks_off": [code for code, severity in checks.items() if severity == "off"],
        "license_name": license_name,
        "spread": _spread,
        "reasons": {reason.value: meaning for reason, meaning in REASONS.items()},
        "codes": CODES,
        "examples": [_example(record) for record in examples],
        "command": shlex.join([*map(visible, command), "-o", "runs/again"]),
        "has_own_tasks": any(task not in builtin_tasks() for task in manifest.tasks),
    }
    source = resources("vcgen.datasets.card").joinpath("card.md.jinja").read_text("utf-8")
    return render(source, values)


def size_category(records: int) -> str:
    """Name a number of records as the hub does, such as `1K<n<10K`."""
    digits = len(str(records))
    return _SIZES[min(max(digits - 3, 0), len(_SIZES) - 1)]


def _language_codes(language: str) -> list[str]:
    """The code of a language, which the hub wants; none if it is unknown."""
    if known := code_of(language):
        return [known]
    tag = _LANGUAGE_TAG.fullmatch(language)
    return [tag[1].lower()] if tag else []


def _configs(files: Iterable[str]) -> list[dict[str, Any]]:
    """Assign files to splits, for the viewer; files numbered in a row become one pattern."""
    splits: dict[str, dict[str, None]] = {}
    for file in filter(str.isprintable, files):
        splits.setdefault(_split_of(file), {})[_NUMBERED.sub("-*", file)] = None
    data_files = [
        {"split": split, "path": list(splits[split])} for split in sorted(splits, key=SPLITS.index)
    ]
    return [{"config_name": "default", "data_files": data_files}] if data_files else []


def _split_of(file: str) -> str:
    """`validation` of `data/validation-00000-of-00002.parquet` and of `mine-validation.parquet`."""
    stem = PurePosixPath(_NUMBERED.sub("", file)).stem
    last = stem.rpartition("-")[2]
    return last if last in SPLITS else SPLITS[0]


def _example(record: Record) -> dict[str, Any]:
    row = asdict(record)
    del row["meta"]
    return row


def _spread(words: Histogram) -> Markdown:
    low, median, high = words.percentiles
    return Markdown(f"{median} ({low} to {high})")
