"""Contradict the prompt's evidence in a text: another time, number, colour, order, or a denial.

Each function takes the text, the prompt and a random source, and returns None where its words leave
any doubt about what contradicts them.
"""

import re
from collections import Counter
from collections.abc import Sequence
from random import Random

from benchmarks.quality.evidence import Event, read, sentence, sentences

_NUMBERS = ("two", "three", "four", "five", "six", "seven", "eight", "nine")
_COLOURS = ("red", "green", "blue", "yellow", "orange", "purple", "pink", "brown", "black", "white")
_COUNTED = re.compile(rf"\b({'|'.join(_NUMBERS)}) ([a-z]{{3,}}s|men|women|people|children)\b")
_COLOURED = re.compile(rf"\b({'|'.join(_COLOURS)}) ([a-z]{{4,}})\b")
# After a colour, these name no object of that colour.
_NO_THING = frozenset(
    ("colored", "coloured", "colour", "color", "light", "dark", "with", "that", "other", "haired")
)
# Too common to identify an event.
_COMMON = frozenset(
    """
    able about after again also another around away back because been before begin begins being
    camera can clip clips close closing continue continues credits each first from front hand
    have having into itself just lady left like look more move moves next opening other over
    part people person place right scene scenes screen screens seen several shot shots show
    shown shows side some someone speaks start still that their them then there they this
    through title turn turns video view well when where which while with woman
    """.split()  # noqa: SIM905 - a list to be read
)
_NEGATIONS = re.compile(r"\b(?:not|never|no|nobody|without|cannot|\w+n't)\b")
_BE = re.compile(r" (is|are) (?!not\b)(?=[a-z]{4,})")
_SIMULTANEOUS = re.compile(r"\b(?:while|before|until|as|again|meanwhile|earlier|had)\b")
_LEAD = re.compile(r"^(?:\w+(?: \w+){0,2}, )")
_WORD = re.compile(r"[a-z]{4,}")
_TELLING = 3  # words of its own by which a sentence is known to tell of an event

_LATE = (
    "At {late} seconds, the scene changes.",
    "This goes on until {late} seconds.",
    "At the {late}-second mark it comes to rest.",
    "The rest follows from {late} seconds on.",
    "It ends at about {late} seconds.",
    "All is quiet after {late}s.",
    "At {clock} the view changes.",
    "The last part runs from {before} to {late} seconds.",
    "Around {late} seconds into the video, things slow down.",
)
_LATER = (
    "{second} Then, {first}",
    "{second} After that, {first}",
    "{second} Next, {first}",
    "{second} Finally, {first}",
    "{second} Following this, {first}",
    "{second} Subsequently, {first}",
    "At first, {second} Later on, {first}",
    "First, {second} In the end, {first}",
)
_OF_NUMBERS = (
    "There are {value} {noun} in all.",
    "{Value} {noun} can be seen.",
    "A total of {value} {noun} come up.",
    "The {value} {noun} stay in view.",
    "All {value} {noun} are easy to make out.",
    "There are {value} different {noun}.",
)
_OF_COLOURS = (
    "The {value} {noun} stands out.",
    "There is a {value} {noun} to be seen.",
    "One can make out the {value} {noun}.",
    "Much of it has to do with a large {value} {noun}.",
    "The {noun} is {value}.",
    "In view is the {value} {noun} as well.",
)
_DENIALS = (" {be} not ", " {be}n't ", " {be} never ", " {be} not yet ", " {be} not even ")
_DEED_DENIALS = (
    "Nobody does so: the person does not {deed}.",
    "The person doesn't {deed}.",
    "The person never starts to {deed}.",
    "In fact, the person did not {deed}.",
    "The person cannot {deed}.",
)


def name_late_time(text: str, prompt: str, random: Random) -> str | None:
    """A time after the end of the video."""
    evidence = read(prompt)
    if not evidence.duration:
        return None
    late = int(float(evidence.duration)) + random.randint(4, 60)
    if re.search(rf"\b{late}\b", evidence.text):
        return None
    clock = f"{late // 60}:{late % 60:02}"
    return f"{text} {random.choice(_LATE).format(late=late, clock=clock, before=late - 3)}"


def other_number(text: str, prompt: str, random: Random) -> str | None:
    """Another number of something that the evidence counts."""
    return _valued(text, read(prompt).text, _COUNTED, _NUMBERS, _OF_NUMBERS, random)


def other_colour(text: str, prompt: str, random: Random) -> str | None:
    """Another colour of something that the evidence has in one colour."""
    return _valued(text, read(prompt).text, _COLOURED, _COLOURS, _OF_COLOURS, random)


def _valued(
    text: str,
    evidence: str,
    pattern: re.Pattern[str],
    values: Sequence[str],
    forms: Sequence[str],
    random: Random,
) -> str | None:
    told = [pair for pair in pattern.findall(evidence.lower()) if pair[1] not in _NO_THING]
    if not told:
        return None
    value, noun = random.choice(sorted(set(told)))
    known = {one for one, of in told if of == noun}
    other = random.choice([each for each in values if each not in known])
    if f"{value} {noun}" in text and random.random() < 0.5:
        return text.replace(f"{value} {noun}", f"{other} {noun}")
    form = random.choice(forms)
    return f"{text} {form.format(value=other, Value=other.capitalize(), noun=noun)}"


def deny(text: str, prompt: str, random: Random) -> str | None:
    """That something is not so, or is not done, which the evidence says plainly."""
    evidence = read(prompt)
    if _NEGATIONS.search(evidence.text):
        return None
    deeds = [event.order for event in evidence.events if event.order]
    states = [event.text for event in evidence.events if _BE.search(event.text)]
    if deeds and (not states or random.random() < 0.5):
        deed = random.choice(deeds)
        return f"{text} {random.choice(_DEED_DENIALS).format(deed=deed)}"
    if not states:
        return None
    form, clause = random.choice(_DENIALS), random.choice(states)
    denied = _BE.sub(lambda found: form.format(be=found[1]), clause, count=1)
    return f"{text} {sentence(denied)}"


def other_order(text: str, prompt: str, random: Random) -> str | None:
    """Two events in the reverse order, with the words of the right one."""
    events = read(prompt).events
    own = _own_words(events)
    known = [
        event
        for event, words in zip(events, own, strict=True)
        if len(words) >= _TELLING and not _SIMULTANEOUS.search(event.text)
    ]
    swapped = _swapped(text, events, own)
    if swapped is not None:
        return swapped
    pairs = [
        (first, second)
        for at, first in enumerate(known)
        for second in known[at + 1 :]
        if first.end <= second.start
    ]
    if not pairs or len(text.split()) > 60:
        return None
    first, second = random.choice(pairs)
    form = random.choice(_LATER)
    told = sentence(second.text) if form.startswith("{") else f"{second.text}."
    return form.format(first=f"{first.text}.", second=told)


def _own_words(events: Sequence[Event]) -> list[set[str]]:
    """For each event the words that no other has."""
    words = [set(_WORD.findall(event.text.lower())) - _COMMON for event in events]
    counts = Counter(word[:5] for each in words for word in {word[:5] for word in each})
    return [{word for word in each if counts[word[:5]] == 1} for each in words]


def _swapped(text: str, events: Sequence[Event], own: Sequence[set[str]]) -> str | None:
    """A text with two neighbouring sentences changed for one another behind their leads."""
    told = [each.strip() for each in sentences(text)]
    for at in range(len(told) - 1):
        first, second = (_event_of(each, events, own) for each in told[at : at + 2])
        leads = [_LEAD.match(each) for each in told[at : at + 2]]
        if first is None or second is None or not all(leads):
            continue
        if first.end > second.start:
            continue
        bodies = [_LEAD.sub("", each) for each in told[at : at + 2]]
        told[at] = f"{leads[0][0] if leads[0] else ''}{bodies[1]}"
        told[at + 1] = f"{leads[1][0] if leads[1] else ''}{bodies[0]}"
        return " ".join(told)
    return None


def _event_of(told: str, events: Sequence[Event], own: Sequence[set[str]]) -> Event | None:
    """The one event that a sentence is about, None where that is in doubt."""
    if _SIMULTANEOUS.search(told.lower()):
        return None
    words = set(_WORD.findall(told.lower()))
    votes = [len(words & each) for each in own]
    found = [at for at, count in enumerate(votes) if count]
    return events[found[0]] if len(found) == 1 and votes[found[0]] >= _TELLING else None
