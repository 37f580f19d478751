"""Select the records, and the turns of each, that are fit for a trainer. Pure.

A trainer takes a media tag in a text for another video, and a role marker for the end of a turn, so
a record with either is never exported.
"""

import re
from collections.abc import Callable, Sequence, Set as AbstractSet
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from vcgen.data.media_tags import MEDIA_TAG
from vcgen.data.records import KINDS, Kind, Record, Turn
from vcgen.errors import UsageError

# The text that VideoChat puts around a conversation, here for eight frames.
_HEAD = (
    "###Human: <Video></Video> The video contains 8 frames sampled at "
    "10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0 seconds. "
)
_TAIL = "###"
_ALL_KINDS = frozenset(KINDS)
_BYTES_PER_TOKEN = 3  # errs on the safe side for English
_MARKERS = re.compile(
    rf"{MEDIA_TAG}"
    r"|<[|\uff5c][^<>]*[|\uff5c]>|</?s>|\[/?INST\]|<</?SYS>>|(?<!#)#{2,}+\s*+(?:Human|Assistant)\b"
    r"|\{\{(?:video|image|audio)\}\}",  # LLaMA-Factory's internal form of a tag
    re.IGNORECASE,
)


class SkipReason(StrEnum):
    """Why a record was left out or changed, for people."""

    EMPTY = "no turns"
    MARKER = "a media tag or another marker of a trainer in a text"
    OUTSIDE = "a video that is not under --video-root"
    UNGROUNDED = "less than --min-ground, or not known"
    NO_KIND = "no turn of --kinds"
    LOOSE = "a turn that refers to one that is not of --kinds"
    SHUFFLED = "turns that refer back, which this trainer shuffles"
    LONG = "a first turn longer than --max-record-tokens"
    FEWER = "without turns that are not of --kinds"
    CUT = "without last turns, to fit --max-record-tokens"


class Selected(NamedTuple):
    """The selected part of a record, None if it is left out, and why it is not the whole."""

    record: Record | None
    reasons: tuple[SkipReason, ...] = ()


def estimate_tokens(text: str) -> int:
    """Estimate the tokens of a text, rather too many for an English one."""
    return len(text.encode("utf-8", "replace")) // _BYTES_PER_TOKEN + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """A selection of records and turns; by default all that a trainer can read.

    Attributes:
        kinds: of the turns; others are left out.
        min_ground: the least share of an answer's words that the evidence has (`meta.ground`).
        max_tokens: of a record as VideoChat V1 puts it to its model; last turns are left out until
            it fits.
        count_tokens: of a text; `vcgen.exporters.tokens.tokenizer` gives a model's own.

    Raises:
        UsageError: no such kind, or a number out of range.
    """

    kinds: AbstractSet[Kind] = _ALL_KINDS
    min_ground: float | None = None
    max_tokens: int | None = None
    count_tokens: Callable[[str], int] = estimate_tokens

    def __post_init__(self) -> None:
        if unknown := sorted(self.kinds - _ALL_KINDS):
            raise UsageError(f"kind {unknown[0]!r} is unknown; name any of {', '.join(KINDS)}")
        if not self.kinds:
            raise UsageError(f"no kinds of turns; name any of {', '.join(KINDS)}")
        if self.min_ground is not None and not 0 <= self.min_ground <= 1:
            raise UsageError(f"min_ground {self.min_ground}: a share is from 0 to 1")
        if self.max_tokens is not None and self.max_tokens < 1:
            raise UsageError(f"max_tokens {self.max_tokens}: give 1 or more")


def select(record: Record, wanted: Selection, *, is_shuffled: bool = False) -> Selected:
    """Select turns of a record.

    Args:
        record: as in the run.
        wanted: the selection.
        is_shuffled: whether the trainer puts the turns of a record in another order.
    """
    if not record.turns:
        return Selected(None, (SkipReason.EMPTY,))
    for turn in record.turns:
        if _has_marker(turn.question) or _has_marker(turn.answer):
            return Selected(None, (SkipReason.MARKER,))
    if wanted.min_ground is not None and not _is_grounded(record, wanted.min_ground):
        return Selected(None, (SkipReason.UNGROUNDED,))
    chosen = Selected(record)
    if wanted.kinds != _ALL_KINDS:
        chosen = _of_kinds(record, wanted.kinds)
    if wanted.max_tokens is not None and chosen.record is not None:
        chosen = _fitting(chosen.record, chosen.reasons, wanted.max_tokens, wanted.count_tokens)
    if is_shuffled and chosen.record is not None and _refers_back(chosen.record):
        return Selected(None, (SkipReason.SHUFFLED,))
    return chosen


def _of_kinds(record: Record, kinds: AbstractSet[Kind]) -> Selected:
    turns = tuple(turn for turn in record.turns if turn.kind in kinds)
    if not turns:
        return Selected(None, (SkipReason.NO_KIND,))
    if len(turns) == len(record.turns):
        return Selected(record)
    if _refers_back(record) and turns != record.turns[: len(turns)]:
        return Selected(None, (SkipReason.LOOSE,))
    return Selected(replace(record, turns=turns), (SkipReason.FEWER,))


def _fitting(
    record: Record, reasons: tuple[SkipReason, ...], most: int, count_tokens: Callable[[str], int]
) -> Selected:
    """Keep as many first turns as fit, counting the token that begins every text."""
    turns = record.turns
    while turns and 1 + count_tokens(_as_videochat(turns)) > most:
        turns = turns[:-1]
    if not turns:
        return Selected(None, (SkipReason.LONG,))
    if len(turns) == len(record.turns):
        return Selected(record, reasons)
    return Selected(replace(record, turns=turns), (*reasons, SkipReason.CUT))


def _refers_back(record: Record) -> bool:
    return len(record.turns) > 1 and "refers-back" in record.flags


def _has_marker(text: str) -> bool:
    may_have = "<" in text or "[" in text or "##" in text or "{{" in text
    return may_have and _MARKERS.search(text) is not None


def _is_grounded(record: Record, least: float) -> bool:
    ground = record.meta.get("ground")
    return isinstance(ground, int | float) and ground >= least


def _as_videochat(turns: Sequence[Turn]) -> str:
    rounds = (f"###Human: {turn.question} ###Assistant: {turn.answer} " for turn in turns)
    return f"{_HEAD}{''.join(rounds)}{_TAIL}"


def under_root(video: str, root: str) -> str | None:
    """Join a video's path to a root; None if it would lie outside."""
    if not video:
        return video
    parts = video.replace("\\", "/").split("/")
    is_absolute = not parts[0] or parts[0].endswith(":")
    return None if is_absolute or ".." in parts else f"{root.rstrip('/')}/{video}"
