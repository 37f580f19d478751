"""Make a text say what the evidence in its prompt has otherwise, where it has it at all.

Each takes the text, the prompt and what draws, and returns None where nothing can be contradicted.
What the evidence says is told by its words alone, and only where they leave no doubt.
"""

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from random import Random

from vcgen.sim.scene import Moment, Scene, fenced, read_scene
from vcgen.sim.wording import capital, sentence, sentences
from vcgen.sim.words import COMMON, word_set

_NUMBERS = ("two", "three", "four", "five", "six", "seven", "eight", "nine")
_COLOURS = ("red", "green", "blue", "yellow", "orange", "purple", "pink", "brown", "black", "white")
_COUNTED = re.compile(rf"\b({'|'.join(_NUMBERS)}) ([a-z]{{3,}}s|men|women|people|children)\b")
_COLOURED = re.compile(rf"\b({'|'.join(_COLOURS)}) ([a-z]{{4,}})\b")
# A word after a colour that is no thing of that colour.
_NO_THING = word_set("colored coloured colour color light dark with that other haired")
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


@lru_cache(maxsize=64)
def _scene(evidence: str) -> Scene:
    return read_scene(evidence)


def _evidence(prompt: str) -> str:
    return fenced(prompt).get("evidence", "")


def name_late_time(text: str, prompt: str, random: Random) -> str | None:
    """A time after the end of the video."""
    evidence = _evidence(prompt)
    duration = _scene(evidence).duration
    if not duration:
        return None
    late = int(float(duration)) + random.randint(4, 60)
    if re.search(rf"\b{late}\b", evidence):
        return None
    clock = f"{late // 60}:{late % 60:02}"
    return f"{text} {random.choice(_LATE).format(late=late, clock=clock, before=late - 3)}"


def other_number(text: str, prompt: str, random: Random) -> str | None:
    """Another number of something that the evidence counts."""
    return _valued(text, _evidence(prompt), _COUNTED, _NUMBERS, _OF_NUMBERS, random)


def other_colour(text: str, prompt: str, random: Random) -> str | None:
    """Another colour of something that the evidence has in one colour."""
    return _valued(text, _evidence(prompt), _COLOURED, _COLOURS, _OF_COLOURS, random)


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
    return f"{text} {form.format(value=other, Value=capital(other), noun=noun)}"


def deny(text: str, prompt: str, random: Random) -> str | None:
    """That something is not so, or is not done, which the evidence says plainly."""
    evidence = _evidence(prompt)
    if _NEGATIONS.search(evidence):
        return None
    moments = [moment for moment in _scene(evidence).moments if moment.source == "seen"]
    deeds = [moment.deed for moment in moments if _plain(moment.deed)]
    states = [moment.clause for moment in moments if _BE.search(moment.clause)]
    if deeds and (not states or random.random() < 0.5):
        deed = random.choice(deeds)
        return f"{text} {random.choice(_DEED_DENIALS).format(deed=deed)}"
    if not states:
        return None
    form, clause = random.choice(_DENIALS), random.choice(states)
    denied = _BE.sub(lambda found: form.format(be=found[1]), clause, count=1)
    return f"{text} {sentence(denied)}"


def _plain(deed: str) -> bool:
    return len(deed.split()) > 1


def other_order(text: str, prompt: str, random: Random) -> str | None:
    """Two events in the reverse order, with the words of the right one."""
    scene = _scene(_evidence(prompt))
    seen = [moment for moment in scene.moments if moment.source == "seen" and moment.end]
    own = _own_words(seen)
    known = [
        moment
        for moment, words in zip(seen, own, strict=True)
        if len(words) >= _TELLING and not _SIMULTANEOUS.search(moment.clause)
    ]
    swapped = _swapped(text, seen, own)
    if swapped is not None:
        return swapped
    pairs = [
        (first, second)
        for at, first in enumerate(known)
        for second in known[at + 1 :]
        if float(first.end) <= float(second.start)
    ]
    if not pairs or len(text.split()) > 60:
        return None
    first, second = random.choice(pairs)
    form = random.choice(_LATER)
    told = sentence(second.clause) if form.startswith("{") else f"{second.clause}."
    return form.format(first=f"{first.clause}.", second=told)


def _own_words(moments: Sequence[Moment]) -> list[set[str]]:
    """For each moment the words that no other has."""
    words = [set(_WORD.findall(moment.clause.lower())) - COMMON for moment in moments]
    counts = Counter(word[:5] for each in words for word in {word[:5] for word in each})
    return [{word for word in each if counts[word[:5]] == 1} for each in words]


def _swapped(text: str, moments: Sequence[Moment], own: Sequence[set[str]]) -> str | None:
    """A text with two neighbouring sentences changed for one another behind their leads."""
    told = [each.strip() for each in sentences(text)]
    for at in range(len(told) - 1):
        first, second = (_told_by(each, moments, own) for each in told[at : at + 2])
        leads = [_LEAD.match(each) for each in told[at : at + 2]]
        if first is None or second is None or not all(leads):
            continue
        if float(first.end) > float(second.start):
            continue
        bodies = [_LEAD.sub("", each) for each in told[at : at + 2]]
        told[at] = f"{leads[0][0] if leads[0] else ''}{bodies[1]}"
        told[at + 1] = f"{leads[1][0] if leads[1] else ''}{bodies[0]}"
        return " ".join(told)
    return None


def _told_by(said: str, moments: Sequence[Moment], own: Sequence[set[str]]) -> Moment | None:
    """The one moment that a sentence tells of, None where that is in doubt."""
    if _SIMULTANEOUS.search(said.lower()):
        return None
    words = set(_WORD.findall(said.lower()))
    votes = [len(words & each) for each in own]
    found = [at for at, count in enumerate(votes) if count]
    return moments[found[0]] if len(found) == 1 and votes[found[0]] >= _TELLING else None
