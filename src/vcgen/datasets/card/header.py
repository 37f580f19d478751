"""The YAML that begins a dataset card: what the Hugging Face Hub finds a data set by.

Every value is a JSON string, which is YAML too and cannot be taken for anything else.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

from vcgen.checks.language import code_of
from vcgen.datasets.card.markdown import visible
from vcgen.errors import UsageError

SPLITS = ("train", "validation", "test")
_TAGS = ("synthetic", "video", "instruction-tuning", "vcgen")
_LICENSE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,63}")
_TAG = re.compile(r"([A-Za-z]{2,3})(?:[-_][A-Za-z0-9]{2,8})*")
_BOUNDS = ("1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T")
_SIZES = (
    f"n<{_BOUNDS[0]}",
    *(f"{least}<n<{most}" for least, most in pairwise(_BOUNDS)),
    f"n>{_BOUNDS[-1]}",
)
_NUMBERED = re.compile(r"-\d{5}-of-\d{5}(?=\.parquet$)")


def require_license(name: str | None) -> None:
    """Raises UsageError unless the hub may know the identifier."""
    if name is not None and not _LICENSE.fullmatch(name):
        raise UsageError(
            f"licence {name!r}: give an identifier of the hub's list, in lower case, such as "
            "cc-by-4.0 or other"
        )


def header(
    about: Mapping[str, Any],
    *,
    name: str,
    language: str,
    license_name: str | None,
    is_simulated: bool,
    files: Iterable[str],
) -> str:
    """The lines of YAML, with those of dashes around them.

    Args:
        about: a summary of `vcgen.survey`.
        name: of the data set.
        language: as a recipe says it; left out where its code is not known.
        license_name: of the hub's list, None for none.
        is_simulated: whether a model of ours wrote it.
        files: paths of Parquet files beside the card.
    """
    asks = about["kinds"].keys() - {"description"}
    fields: dict[str, str | Sequence[str] | None] = {
        "pretty_name": visible(name),
        "language": _codes(language),
        "license": license_name,
        "task_categories": ["video-text-to-text", *(["visual-question-answering"] * bool(asks))],
        "size_categories": [size_category(about["records"])],
        "annotations_creators": ["machine-generated"],
        "language_creators": ["machine-generated"],
        "tags": [*_TAGS, *(["simulated"] * is_simulated)],
    }
    lines = [line for key, value in fields.items() if value for line in _field(key, value)]
    return "\n".join(["---", *lines, *_configs(files), "---"])


def size_category(records: int) -> str:
    """The hub's name for so many, such as `1K<n<10K`."""
    digits = len(str(records))
    return _SIZES[min(max(digits - 3, 0), len(_SIZES) - 1)]


def _codes(language: str) -> list[str]:
    """The language by its code, which the hub wants; nothing for one that is not known."""
    if known := code_of(language):
        return [known]
    tag = _TAG.fullmatch(language)
    return [tag[1].lower()] if tag else []


def _field(key: str, value: str | Sequence[str]) -> list[str]:
    if isinstance(value, str):
        return [f"{key}: {_scalar(value)}"]
    return [f"{key}:", *(f"- {_scalar(each)}" for each in value)]


def _scalar(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _configs(files: Iterable[str]) -> list[str]:
    """Which files are which split, for the viewer; those numbered in a row are one pattern."""
    found: dict[str, dict[str, None]] = {}
    for file in filter(str.isprintable, files):
        found.setdefault(_split_of(file), {})[_NUMBERED.sub("-*", file)] = None
    if not found:
        return []
    lines = ["configs:", '- config_name: "default"', "  data_files:"]
    for split in sorted(found, key=SPLITS.index):
        lines.append(f"  - split: {_scalar(split)}")
        lines.append("    path:")
        lines += [f"    - {_scalar(path)}" for path in found[split]]
    return lines


def _split_of(file: str) -> str:
    """`validation` of `data/validation-00000-of-00002.parquet` and of `mine-validation.parquet`."""
    stem = PurePosixPath(_NUMBERED.sub("", file)).stem
    last = stem.rpartition("-")[2]
    return last if last in SPLITS else SPLITS[0]
