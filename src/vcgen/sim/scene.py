"""Read the evidence in a prompt as a scene of clauses with times, and describe that scene."""

import re
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import NamedTuple

from vcgen.sim.english import (
    PEOPLE,
    clause,
    is_foreign,
    listed,
    noun_phrase,
    sentence,
    sentences,
    tidy,
)

_FENCE = re.compile(r"^=== (end of )?([a-z]+) (\w{16,64}) ===$", re.MULTILINE)
_NUMBER = "[0-9]{1,9}(?:[.][0-9]{1,9})?"
_TIMED = re.compile(rf"\[({_NUMBER})(?:-({_NUMBER}))?\] (?:\((objects|speech|action)\) )?(.*)")
_BOX = re.compile(r" at \[[0-9., ]+\]$")
_DURATION = re.compile(rf"Length of the video: ({_NUMBER}) seconds$")
_PRONOUN_OF = {person: pronoun for pronoun, people in PEOPLE.items() for person in people}
_WHOLE_LEADS = {"Caption": "in this video", "Tags": "throughout", "Summary": "overall"}
_LEADS = ("Next", "Then", "After that", "Following this")
_LEAD_WORDS, _MOST_SPOKEN_WORDS = 2, 12


class Event(NamedTuple):
    """A clause, and its times in seconds as the evidence writes them, empty without."""

    start: str
    end: str
    clause: str


class Scene(NamedTuple):
    """The evidence on a video.

    Attributes:
        duration: in seconds as written, empty if unknown.
        whole: clauses on the video as a whole by their label.
        events: in their order, at least one; without any, the clauses on the whole.
    """

    duration: str
    whole: Mapping[str, str]
    events: Sequence[Event]


def fenced(text: str) -> dict[str, str]:
    """The texts between fence lines by label, the first of each."""
    lines = list(_FENCE.finditer(text))
    ends: dict[tuple[str, str], re.Match[str]] = {}
    for line in lines:
        if line[1]:
            ends.setdefault((line[2], line[3]), line)
    texts, at = dict[str, str](), 0
    for line in lines:
        end = ends.get((line[2], line[3]))
        if end is not None and not line[1] and at <= line.start() < end.start():
            texts.setdefault(line[2], text[line.end() + 1 : end.start() - 1])
            at = end.end()
    return texts


def read_scene(evidence: str) -> Scene:
    """The scene that lines of evidence, or the sentences of a narrative, describe."""
    duration, whole, events = "", dict[str, str](), list[Event]()
    for line in evidence.split("\n"):
        label, _, rest = line.partition(": ")
        if length := _DURATION.match(line):
            duration = length[1]
        elif label == "Tags":
            whole[label] = _shown(rest.split(" | "))
        elif label in _WHOLE_LEADS:
            whole[label] = next((event.clause for event in _events("", "", rest)), "")
        elif timed := _TIMED.fullmatch(line):
            events += _timed_events(*timed.groups())
        elif not line.endswith(":"):
            events += _events("", "", line)
    whole = {label: text for label, text in whole.items() if text}
    if not events and evidence:
        events = [Event("", "", text) for text in whole.values() or ("the camera shows a scene",)]
    return Scene(duration, whole, _without_repeats(events))


def _shown(names: Sequence[str]) -> str:
    phrases = [noun_phrase(name) for name in map(tidy, names) if name and not is_foreign(name)]
    return f"the camera shows {listed(phrases[:6])}" if phrases else ""


def _timed_events(start: str, end: str | None, mark: str | None, text: str) -> Iterator[Event]:
    text, end = _BOX.sub("", text), end or start
    if mark == "speech":
        words = tidy(text).replace('"', "").split()[:_MOST_SPOKEN_WORDS]
        quoted = f'someone says "{" ".join(words)}"' if words else "someone speaks"
        spoken = "someone speaks in another language" if is_foreign(text) else quoted
        yield Event(start, end, spoken)
    elif mark != "objects":
        yield from _events(start, end, text)
    elif shown := _shown(text.split(", ")):
        yield Event(start, end, shown)


def _events(start: str, end: str, text: str) -> Iterator[Event]:
    for part in sentences(text) if not is_foreign(text) else ():
        if any(map(str.isalpha, words := clause(part))) and not part.startswith("Overall"):
            yield Event(start, end, words)


def _without_repeats(events: Sequence[Event]) -> list[Event]:
    """Each clause once; a pronoun at its start becomes the last person that it fits."""
    people = {"he": "the person", "she": "the person", "they": "the people"}
    kept: dict[str, Event] = {}
    for event in events:
        first, space, rest = event.clause.partition(" ")
        named = f"{people.get(first, first)}{space}{rest}"
        persons = [word for word in named.split() if word in _PRONOUN_OF]
        people |= {_PRONOUN_OF[person]: f"the {person}" for person in persons}
        kept.setdefault(named.lower(), event._replace(clause=named))
    return list(kept.values())


def overlap(first: Event, second: Event) -> bool:
    """Whether the second event begins while the first goes on."""
    return bool(first.end and second.start) and float(second.start) < float(first.end)


def describe(scene: Scene, least_words: int, most_words: int, random: Random) -> str:
    """The scene in at most `most_words` words; in `least_words` as far as the evidence goes."""
    about = scene.whole if any(event.start for event in scene.events) else {}
    parts = {
        label: sentence(f"{_WHOLE_LEADS[label]}, {text}")
        for label, text in about.items()
        if len(text.split()) < most_words / 5
    }
    closing = parts.pop("Summary", _closing(scene))
    room = most_words - _count([*parts.values(), closing])
    chosen = _that_fit(scene.events, room, random)
    spare = least_words - (most_words - room) - _count([event.clause for event in chosen])
    events = _in_order(chosen, random.randrange(len(_LEADS)), with_times=spare > 0)
    return " ".join([*parts.values(), *events, closing])


def _closing(scene: Scene) -> str:
    lasting = f" for about {scene.duration} seconds" if scene.duration else ""
    if len(scene.events) == 1:
        return f"Overall, the video stays with this one scene{lasting}."
    return f"Overall, the video follows these events{lasting} from start to finish."


def _count(texts: Sequence[str]) -> int:
    return sum(len(text.split()) for text in texts)


def _that_fit(events: Sequence[Event], room: int, random: Random) -> list[Event]:
    """The first and last event and as many others as there is room for."""
    others = range(1, len(events) - 1)
    chosen = []
    for at in dict.fromkeys([0, len(events) - 1, *random.sample(others, len(others))]):
        if (cost := _count([events[at].clause]) + _LEAD_WORDS) <= room:
            room -= cost
            chosen.append(at)
    brief = " ".join(events[0].clause.split()[: max(8, room)])
    return [events[at] for at in sorted(chosen)] or [events[0]._replace(clause=brief)]


def _in_order(events: Sequence[Event], offset: int, *, with_times: bool) -> list[str]:
    """A sentence an event, each with a word of order, and with its time where words are wanted."""
    sentences_in_order = []
    for at, event in enumerate(events):
        lead = "First" if at == 0 else _LEADS[(at + offset) % len(_LEADS)]
        if at and overlap(events[at - 1], event):
            lead = "Meanwhile"
        elif at and at == len(events) - 1:
            lead = "Finally"
        time = f", at about {event.start} seconds" if with_times and at and event.start else ""
        sentences_in_order.append(sentence(f"{lead}{time}, {event.clause}"))
    return sentences_in_order
