"""Make dirty evidence clean: pure functions on text and timed events, each repair counted by name.

Captions, speech and the outputs of captioning models come with control and bidirectional
characters, padding, repeats, events that start after they end or lie past the end of the video, and
unsorted. An event is dropped only if its words or its time cannot be kept.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import inf
from typing import NamedTuple, Protocol

CANARY = "vqz7k4"
"""Opens the mark of each fence and stands in system prompts; an answer that has it is a leak."""

Box = tuple[float, float, float, float]

INVISIBLE = (
    "\u0000-\u0008\u000e-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f"
    "\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f"
)
"""Ranges of a regular expression: characters that take no room, without white space.

Zero-width joiner and non-joiner are not among them: Persian, Indic scripts and emoji need them.
"""

_SPACES = re.compile(r"\s+")
_INVISIBLE = re.compile(f"[{INVISIBLE}]")


class Timed(Protocol):
    """Timed evidence: seconds, words, kind of source, region of the frame."""

    @property
    def start(self) -> float: ...
    @property
    def end(self) -> float: ...
    @property
    def text(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def box(self) -> Box | None: ...


class Event(NamedTuple):
    """A timed event under repair. Only events of the same source and box can repeat each other."""

    start: float
    end: float
    text: str
    source: str
    box: Box | None


def is_clean(text: str) -> bool:
    """Whether the text needs no cleaning for certain; a cheap test that holds for nearly all."""
    return text.isprintable() and "  " not in text and text[:1] != " " != text[-1:]


def clean_text(text: str, counts: Counter[str]) -> str:
    """Drop invisible characters, fold white space; count `control_characters` and `padding`."""
    if is_clean(text):
        return text
    visible, dropped = _INVISIBLE.subn("", text)
    if dropped:
        counts["control_characters"] += dropped
    folded = _SPACES.sub(" ", visible).strip()
    if folded != visible:
        counts["padding"] += 1
    return folded


def are_clean(events: Sequence[Timed], duration: float | None) -> bool:
    """Whether `clean_events` would change nothing, so that clean evidence is not rebuilt.

    Checks every rule of `clean_events`; a property test keeps the two in step.
    """
    video_end = inf if duration is None else duration
    previous_start = 0.0
    for event in events:
        start, box = event.start, event.box
        if not previous_start <= start <= event.end <= video_end:
            return False
        if box is not None and not _in_frame(box):
            return False
        previous_start = start
    texts = [event.text for event in events]
    # All texts joined are cheaper to test than one by one; unusual clean texts may fail that test.
    joined = "|".join(texts)
    surely = "| " not in joined and " |" not in joined and all(texts) and is_clean(joined)
    if not (surely or all(text and clean_text(text, Counter()) == text for text in texts)):
        return False
    return len(set(texts)) == len(texts) or not _has_repeat(events)


def _has_repeat(events: Sequence[Timed]) -> bool:
    last_text: dict[tuple[str, Box | None], str] = {}
    for event in events:
        key = (event.source, event.box)
        if last_text.get(key) == event.text:
            return True
        last_text[key] = event.text
    return False


def clean_events(
    events: Iterable[Timed], duration: float | None, counts: Counter[str]
) -> list[Event]:
    """Return the events with clean words, in time order, inside the video, without repeats.

    An event that starts after it ends keeps its start and becomes an instant, because its source
    states no longer extent. An event that reaches past `duration` (seconds) is cut there; one that
    begins past it is dropped. The same words twice in a row become one event over both. A box
    outside the frame is dropped, its event stays.

    Counts: `empty`, `before_start`, `start_after_end`, `past_end`, `bad_box`, `unsorted`, `repeats`
    and those of `clean_text`.
    """
    fitted = [
        fixed for event in events if (fixed := _fit_into_video(event, duration, counts)) is not None
    ]
    counts["unsorted"] += sum(a.start > b.start for a, b in pairwise(fitted))
    # Sorted by start alone: merging repeats moves ends, which must not change the order.
    return _merge_repeats(sorted(fitted, key=lambda event: event.start), counts)


def without_invisible(text: str) -> str:
    """Remove the characters that take no room on a screen."""
    return _INVISIBLE.sub("", text)


def with_visible(text: str) -> str:
    """Replace invisible characters by their code points: `\u27e8U+202E\u27e9`."""
    if text.isprintable():
        return text
    return _INVISIBLE.sub(lambda match: f"\u27e8U+{ord(match[0]):04X}\u27e9", text)


def _fit_into_video(event: Timed, duration: float | None, counts: Counter[str]) -> Event | None:
    start, end, box = event.start, event.end, event.box
    text = clean_text(event.text, counts)
    if not text:
        counts["empty"] += 1
        return None
    if start < 0:
        counts["before_start"] += 1
        start = 0.0
    if end < start:
        counts["start_after_end"] += 1
        end = start
    if duration is not None and end > duration:
        counts["past_end"] += 1
        if start >= duration:
            return None
        end = duration
    if box is not None and not _in_frame(box):
        counts["bad_box"] += 1
        box = None
    return Event(start, end, text, event.source, box)


def _in_frame(box: Box) -> bool:
    left, top, right, bottom = box
    return 0 <= left <= right <= 1 and 0 <= top <= bottom <= 1


def _merge_repeats(events: Sequence[Event], counts: Counter[str]) -> list[Event]:
    merged: list[Event] = []
    last_of: dict[tuple[str, Box | None], int] = {}
    for event in events:
        key = (event.source, event.box)
        index = last_of.get(key)
        if index is not None and merged[index].text == event.text:
            counts["repeats"] += 1
            merged[index] = merged[index]._replace(end=max(merged[index].end, event.end))
            continue
        last_of[key] = len(merged)
        merged.append(event)
    return merged
