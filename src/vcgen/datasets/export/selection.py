"""Which records, and how much of each, are fit for a trainer. Pure.

A trainer takes a media tag in a text for another video, and the mark of a role for the end of a
turn, so a record with any of these is never passed on.
"""

import re
from collections.abc import Callable, Sequence, Set as AbstractSet
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from vcgen.data.records import KINDS, Kind, Record, Turn
from vcgen.errors import UsageError

# What VideoChat puts around a conversation of a video of which eight frames are shown.
_HEAD = (
    "###Human: <Video></Video> The video contains 8 frames sampled at "
    "10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0 seconds. "
)
_TAIL = "###"
_ALL_KINDS = frozenset(KINDS)
_BYTES_PER_TOKEN = 3  # errs on the safe side for English
_MARKS = re.compile(
    r"<\s*+/?\s*+(?:vid|image|img|audio|im_|vi_)\w*+[^<>]*+>"
    r"|<[|\uff5c][^<>]*[|\uff5c]>|</?s>|\[/?INST\]|<</?SYS>>|#{2,}\s*(?:Human|Assistant)\b"
    r"|\{\{(?:video|image|audio)\}\}",  # what LLaMA-Factory has for a tag while it works
    re.IGNORECASE,
)


class SkipReason(StrEnum):
    """Why a record was left out, or changed, in words for people."""

    EMPTY = "no turns"
    MARK = "a media tag or another mark of a trainer in a text"
    OUTSIDE = "a video that is not under --video-root"
    UNGROUNDED = "less than --min-ground, or not known"
    NO_KIND = "no turn of --kinds"
    LOOSE = "a turn that refers to one that is not of --kinds"
    SHUFFLED = "turns that refer back, which this trainer shuffles"
    LONG = "a first turn longer than --max-tokens"
    FEWER = "without turns that are not of --kinds"
    CUT = "without last turns, to fit --max-tokens"


class Selected(NamedTuple):
    """What is taken of a record, None if nothing, and why it is not all."""

    record: Record | None
    whys: tuple[SkipReason, ...] = ()


def estimate_tokens(text: str) -> int:
    """About how many tokens a text has, if anything too many of an English one."""
    return len(text.encode("utf-8", "replace")) // _BYTES_PER_TOKEN + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What an export takes; the default is all that a trainer can read.

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
    """What is taken of a record.

    Args:
        record: as a run has it.
        wanted: what of it.
        is_shuffled: whether the trainer puts the turns of a record in another order.
    """
    if not record.turns:
        return Selected(None, (SkipReason.EMPTY,))
    for turn in record.turns:
        if _has_mark(turn.question) or _has_mark(turn.answer):
            return Selected(None, (SkipReason.MARK,))
    if wanted.min_ground is not None and not _is_grounded(record, wanted.min_ground):
        return Selected(None, (SkipReason.UNGROUNDED,))
    chosen = Selected(record)
    if wanted.kinds != _ALL_KINDS:
        chosen = _of_kinds(record, wanted.kinds)
    if wanted.max_tokens is not None and chosen.record is not None:
        chosen = _fitting(chosen.record, chosen.whys, wanted.max_tokens, wanted.count_tokens)
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
    record: Record, whys: tuple[SkipReason, ...], most: int, count_tokens: Callable[[str], int]
) -> Selected:
    """As many first turns as have no more tokens, the one that begins every text included."""
    turns = record.turns
    while turns and 1 + count_tokens(_as_videochat(turns)) > most:
        turns = turns[:-1]
    if not turns:
        return Selected(None, (SkipReason.LONG,))
    if len(turns) == len(record.turns):
        return Selected(record, whys)
    return Selected(replace(record, turns=turns), (*whys, SkipReason.CUT))


def _refers_back(record: Record) -> bool:
    return len(record.turns) > 1 and "refers-back" in record.flags


def _has_mark(text: str) -> bool:
    may_have = "<" in text or "[" in text or "##" in text or "{{" in text
    return may_have and _MARKS.search(text) is not None


def _is_grounded(record: Record, least: float) -> bool:
    ground = record.meta.get("ground")
    return isinstance(ground, int | float) and ground >= least


def _as_videochat(turns: Sequence[Turn]) -> str:
    said = "".join(f"###Human: {turn.question} ###Assistant: {turn.answer} " for turn in turns)
    return f"{_HEAD}{said}{_TAIL}"


def place(video: str, root: str) -> str | None:
    """A video's path below a root; None if it would lie outside."""
    if not video:
        return video
    parts = video.replace("\\", "/").split("/")
    is_absolute = not parts[0] or parts[0].endswith(":")
    return None if is_absolute or ".." in parts else f"{root.rstrip('/')}/{video}"
