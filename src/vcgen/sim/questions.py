"""Ask about the events of a scene and answer: descriptive, temporal and causal questions.

Every question is a form with a scene's event put in, and no form draws anything at random, so that
the answer to a question asked earlier is found by trying the forms again.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache
from random import Random
from string import Formatter
from typing import NamedTuple

from vcgen.sim.narrative import describe
from vcgen.sim.scene import Moment, Scene, lies_within
from vcgen.sim.wording import capital, listed, sentence, shorten
from vcgen.sim.words import VERBS, word_set


class Pair(NamedTuple):
    """A question and its answer."""

    question: str
    answer: str


class _Form(NamedTuple):
    question: str
    answer: str
    needs: frozenset[str]


def _forms(*pairs: tuple[str, str]) -> tuple[_Form, ...]:
    return tuple(
        _Form(*pair, frozenset(name for _, name, _, _ in Formatter().parse("".join(pair)) if name))
        for pair in pairs
    )


# {event} is what the answer tells; {anchor} is the event as a question names it,
# {before_anchor} and {after_anchor} are its neighbours. A form is used only where
# all it names is known.
_ABOUT_EVENTS: Mapping[str, tuple[_Form, ...]] = {
    "descriptive": _forms(
        ("What happens {only_place} the video?", "{Event}."),
        ("What can be seen {only_place} the video?", "{Place} the video, {event}."),
        ("What does the person {ask}?", "{Event}."),
        ("What is going on about {later} seconds into the video?", "At that point, {event}."),
        ("What takes place in the video {span}?", "{Event}."),
    ),
    "temporal": _forms(
        ("What happens right after {before_anchor}?", "Right after that, {event}."),
        ("What comes next once {before_anchor}?", "Next, {event}. This is {place} the video."),
        ("What takes place just before {after_anchor}?", "Just before that, {event}."),
        ("When does the moment come in which {anchor}?", "It comes {span}, {place} the video."),
        ("What happens between {start} and {end} seconds?", "In that time, {event}."),
        ("About how long is the part in which {anchor}?", "It lasts {length}, {span}."),
    ),
    "causal": _forms(
        ("Why does the person {deed}?", "The person does so to {goal}."),
        ("What does it lead to when {before_anchor}?", "It leads to the next step: {event}."),
        ("How does the scene change once {before_anchor}?", "From then on, {event}."),
        (
            "How does the video prepare for the moment when {after_anchor}?",
            "Ahead of it, {event}, and this leads up to it.",
        ),
        ("What is the outcome after {before_anchor}?", "As a result, the video moves on: {event}."),
    ),
}
_ABOUT_WHOLE: Mapping[str, tuple[_Form, ...]] = {
    "descriptive": _forms(
        ("what does the video show?", "{First}."),
        ("what is the main thing that can be seen?", "Most of all, {first}."),
        ("what is going on in the video?", "In the video, {first}."),
        ("which things does the video show?", "Among them are {topics}."),
        ("what does the last part of the video show?", "In the last part, {last}."),
    ),
    "temporal": _forms(
        ("how does the video begin?", "At the start, {first}."),
        ("how does the video end?", "At the end, {last}."),
        ("how long is the video?", "It lasts about {duration} seconds."),
        ("does anything change in the course of the video?", "It stays the same: {only}."),
        ("what happens over the course of the video?", "From beginning to end, {first}."),
    ),
    "causal": _forms(
        ("how can one tell what the video is about?", "One can tell because {first}."),
        ("why is it clear what goes on in the video?", "It is clear because {first}."),
        ("how is the subject of the video made plain?", "It is made plain as {first}."),
        ("what does the action of the video lead to?", "In the end, {last}."),
        ("why is the last part of the video shown?", "It is there to show how {last}."),
    ),
}
_LEADS = ("", "Taken as a whole, ", "Looking at it closely, ", "From start to finish, ")
_DESCRIBE = (
    "What happens in this video, in detail?",
    "Can you tell everything that the video shows?",
    "How would you retell the whole video?",
)
_VAGUE_STARTS = word_set(
    "it they this that these those there as once when after while if we in at for"
)
_POINTERS = frozenset({"it", "them", "camera"})
_ASK = re.compile(r"^(\w+) ([^,]+?) ((?:to|into|in|on|onto|over|with) (?:the|a|an) [^,]+)$")
_SPAN = re.compile(r"\d+(?:\.\d+)?")
_GOAL = re.compile(r"^([^,]+?),? to (\w+(?: .+)?)$")
_LONGEST_ANCHOR = 18


def pairs(
    scene: Scene, kinds: Sequence[str], random: Random, asked: Collection[str] = ()
) -> list[Pair]:
    """One pair a kind, in that order: nothing asked twice, each about another event if possible."""
    order = list(range(len(scene.events)))
    random.shuffle(order)
    fields_of = cache(lambda at: _fields(scene, at))
    taken, used = set(asked), dict.fromkeys(order, 0)
    found = []
    for kind in kinds:
        pair = _about_event(fields_of, used, kind, taken, random)
        pair = pair or _about_whole(scene, kind, taken, random)
        taken.add(pair.question)
        found.append(pair)
    return found


def answer_to(scene: Scene, question: str, random: Random) -> str:
    """The answer to a question of `pairs`, or to another one from the event most like it."""
    for pair in _all_pairs(scene):
        if pair.question == question:
            return pair.answer
    if question in _DESCRIBE:
        return describe(scene, 30, 80, random)
    wanted = set(re.findall(r"\w{4,}", question.lower()))
    best = max(
        scene.events, key=lambda event: len(wanted & set(re.findall(r"\w{4,}", event.clause)))
    )
    return sentence(best.clause)


def _about_event(
    fields_of: Callable[[int], Mapping[str, str]],
    used: dict[int, int],
    kind: str,
    taken: Collection[str],
    random: Random,
) -> Pair | None:
    forms = list(_ABOUT_EVENTS.get(kind, ()))
    random.shuffle(forms)
    for at in sorted(used, key=used.__getitem__):
        fields = fields_of(at)
        for form in forms:
            if form.needs <= fields.keys():
                question = form.question.format_map(fields)
                if question not in taken and not _same_time(question, taken):
                    used[at] += 1
                    return Pair(question, form.answer.format_map(fields))
    return None


def _same_time(question: str, taken: Collection[str]) -> bool:
    """Whether another question names the same stretch of time, and so asks the same."""
    span = _SPAN.findall(question)
    return len(span) == 2 and any(_SPAN.findall(other) == span for other in taken)


def _about_whole(scene: Scene, kind: str, taken: Collection[str], random: Random) -> Pair:
    if kind not in _ABOUT_WHOLE:
        free = [question for question in _DESCRIBE if question not in taken]
        return Pair((free or _DESCRIBE)[0], describe(scene, 30, 80, random))
    candidates = list(_whole_pairs(scene, kind))
    return next((pair for pair in candidates if pair.question not in taken), candidates[0])


def _whole_pairs(scene: Scene, kind: str) -> Iterator[Pair]:
    first, last = scene.events[0].clause, scene.events[-1].clause
    fields = {"first": first, "First": capital(first)}
    fields |= {"last": last} if len(scene.events) > 1 else {"only": first}
    fields |= {"duration": scene.duration} if scene.duration else {}
    fields |= {"topics": listed(scene.topics[:6])} if scene.topics else {}
    for lead in _LEADS:
        for form in _ABOUT_WHOLE[kind]:
            if form.needs <= fields.keys():
                yield Pair(capital(lead + form.question), form.answer.format_map(fields))


def _all_pairs(scene: Scene) -> Iterator[Pair]:
    for at in range(len(scene.events)):
        fields = _fields(scene, at)
        for forms in _ABOUT_EVENTS.values():
            for form in forms:
                if form.needs <= fields.keys():
                    yield Pair(form.question.format_map(fields), form.answer.format_map(fields))
    for kind in _ABOUT_WHOLE:
        yield from _whole_pairs(scene, kind)


def _fields(scene: Scene, at: int) -> dict[str, str]:
    """What is known of an event, under the names that forms use."""
    events = scene.events
    event = events[at]
    fields = {"event": event.clause, "Event": capital(event.clause), **_anchor("anchor", event)}
    if len(events) > 1:
        fields["place"] = _place(at, len(events))
        fields["Place"] = capital(fields["place"])
        if at in {0, len(events) - 1} or at * 2 == len(events) - 1:
            fields["only_place"] = fields["place"]
    if at and not lies_within(event, events[at - 1]):
        fields |= _anchor("before_anchor", events[at - 1])
    if at + 1 < len(events) and not lies_within(events[at + 1], event):
        fields |= _anchor("after_anchor", events[at + 1])
    return fields | _times(event) | _parts(event.deed)


def _anchor(name: str, event: Moment) -> dict[str, str]:
    """The event as words of a question, unless they would point at nothing."""
    clause = shorten(event.clause, _LONGEST_ANCHOR)
    words = clause.split()
    points_back = words[0] in _VAGUE_STARTS or not _POINTERS.isdisjoint(words[:4])
    return {} if points_back or ". " in clause else {name: clause}


def _place(at: int, count: int) -> str:
    if at == 0:
        return "at the start of"
    if at == count - 1:
        return "at the end of"
    if count == 3 or at * 2 == count - 1:
        return "in the middle of"
    return "in the first half of" if at * 2 < count else "in the second half of"


def _times(event: Moment) -> dict[str, str]:
    if not event.start:
        return {}
    later = {"later": event.start} if float(event.start) >= 1 else {}
    if event.start == event.end:
        return later | {"start": event.start, "span": f"at about {event.start} seconds"}
    length = float(event.end) - float(event.start)
    return later | {
        "start": event.start,
        "end": event.end,
        "span": f"from about {event.start} to {event.end} seconds",
        "length": f"about {max(1, round(length))} second{'s' if length >= 1.5 else ''}",
    }


def _parts(deed: str) -> dict[str, str]:
    """Of "add salt to the pan" what to ask, `add to the pan`; of "press it to seal" the goal."""
    parts: dict[str, str] = {}
    if (asked := _ASK.match(deed)) and " and " not in deed and asked[2] not in {"it", "them"}:
        parts["ask"] = f"{asked[1]} {asked[3]}"
    if (goal := _GOAL.match(deed)) and goal[2].split()[0] in VERBS:
        parts |= {"deed": goal[1], "goal": goal[2]}
    return parts
