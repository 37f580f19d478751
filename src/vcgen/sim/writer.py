"""The simulated model: a parsed chat-completions request in, the text of a reply out.

It reads the evidence between the fence lines of the prompt, and the task in its last message:

| the last message | the reply |
|---|---|
| fences a draft | the draft without repeated and broken sentences |
| fences answers | a verdict on each, as JSON |
| or its JSON schema asks for turns | questions and answers of the kinds listed, as JSON |
| has another JSON schema | a value of that schema |
| asks one question of a kind | that question |
| asks for an answer to a question | that answer |
| names a range of words | a description of that length, as far as the evidence goes |

A request to repair a reply is answered as the request before it was. The same request and seed
bring the same reply.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

import orjson

from vcgen.data.records import KINDS
from vcgen.sim.english import sentence, sentences, tidy
from vcgen.sim.scene import Event, Scene, describe, fenced, overlap, read_scene
from vcgen.sim.schema import fill
from vcgen.sim.validation import text_of

_KIND_LINE = re.compile(rf"^ *[0-9]+[.)] ({'|'.join(KINDS)}) *$", re.MULTILINE)
_COUNT = re.compile(r"\b([0-9]{1,3}) (?:questions?|turns?|pairs?)\b")
_WORDS = re.compile(r"\b([0-9]{1,6}) to ([0-9]{1,6}) words\b")
_ASK_ONE = re.compile(r"ask one (\w+) question\b")
_NUMBERED_ANSWER = re.compile(r"^([0-9]{1,4})\. Question: .*\n   Answer: (.*)$", re.MULTILINE)
_LINE_START = re.compile(r"^(?:\[[0-9.-]+\] (?:\(\w+\) )?|\w+: )")
_LONG_WORD = re.compile(r"\w{4,}")
_VAGUE = {
    "after",
    "as",
    "at",
    "he",
    "if",
    "in",
    "it",
    "once",
    "she",
    "that",
    "there",
    "they",
    "this",
}
_TURN = ("kind", "question", "answer")
_LONGEST_ANCHOR = 18  # words

# {event} is the answer's; {before} and {after} are its neighbours as questions name them, {anchor}
# the event itself. A pattern is used where all that it names is known of the event.
_PATTERNS: Mapping[str, Sequence[tuple[str, str]]] = {
    "descriptive": (
        ("What happens at the {edge} of the video?", "At the {edge} of the video, {event}."),
        ("What takes place in the video {span}?", "At that point, {event}."),
        ("What can be seen in the {half} of the video?", "In the {half} of the video, {event}."),
    ),
    "temporal": (
        ("What happens right after {before}?", "Right after that, {event}."),
        ("When does the moment come in which {anchor}?", "It happens {span}."),
        ("What takes place just before {after}?", "Just before that, {event}."),
    ),
    "causal": (
        ("What does it lead to when {before}?", "It leads to the next step: {event}."),
        ("How does the scene change once {before}?", "From then on, {event}."),
        ("How does the video prepare for the moment when {after}?", "Ahead of it, {event}."),
    ),
}
_WHOLE_PATTERNS: Mapping[str, Sequence[tuple[str, str]]] = {
    "descriptive": (
        ("what does the video show?", "In the video, {first}."),
        ("what is the main thing that can be seen?", "Most of all, {first}."),
    ),
    "temporal": (
        ("how does the video begin?", "At the start, {first}."),
        ("what happens over the course of the video?", "From beginning to end, {first}."),
    ),
    "causal": (
        ("why is it clear what goes on in the video?", "It is clear because {first}."),
        ("how can one tell what the video is about?", "One can tell because {first}."),
    ),
    "description": (("what happens in this video, in detail?", "{whole}"),),
}
_VIEWS = (
    "",
    "taken as a whole, ",
    "looking at it closely, ",
    "from start to finish, ",
    "all in all, ",
)


class Pair(NamedTuple):
    """A question and its answer."""

    question: str
    answer: str


def write(request: Mapping[str, Any], seed: str) -> str:
    """The reply to a valid request.

    Raises:
        Unfillable: no value can be made for the request's JSON schema.
    """
    messages = [(message["role"], text_of(message)) for message in request["messages"]]
    while len(messages) > 2 and "reply cannot be used" in messages[-1][1]:
        del messages[-2:]
    last, random, fences = messages[-1][1], Random(seed), dict[str, str]()
    for role, text in messages:
        fences |= fenced(text) if role != "assistant" else {}
    own = fenced(last)
    if "draft" in own:
        return refine(own["draft"])
    if "answers" in own:
        return _json(judge(fences.get("evidence", ""), own["answers"]))
    scene = read_scene(fences.get("evidence") or fences.get("narrative", ""))
    asked = [text for role, text in messages if role == "assistant" and text.endswith("?")]
    wanted = request.get("response_format") or {"type": "text"}
    if wanted["type"] == "text" and '"turns"' not in last:
        return _prose(last, scene, asked, random)
    schema = wanted["json_schema"]["schema"] if wanted["type"] == "json_schema" else None
    if names := _turn_names(schema, last):
        kinds = _kinds(last)
        pairs = zip(kinds, converse(scene, kinds, random), strict=True)
        turns = [dict(zip(_TURN, (kind, *pair), strict=True)) for kind, pair in pairs]
        return _json({"turns": [{name: turn[name] for name in names} for turn in turns]})
    texts = _free_text(last, scene)
    return _json({"text": texts[0]} if schema is None else fill(schema, texts, random))


def _prose(last: str, scene: Scene, asked: Sequence[str], random: Random) -> str:
    if kind := _ASK_ONE.search(last):
        return converse(scene, [kind[1]], random, asked)[0].question
    if asked and "answer that question" in last:
        return _answer(scene, asked[-1], random)
    if scene.events and (words := _WORDS.search(last)):
        return describe(scene, int(words[1]), int(words[2]), random)
    return " ".join(_free_text(last, scene)[:2])


def _free_text(last: str, scene: Scene) -> list[str]:
    """Sentences on the events, or without any, the last two lines of the prompt."""
    lines = [line for line in map(tidy, last.split("\n")) if line]
    clauses = [event.clause for event in scene.events] or lines[-2:]
    return list(map(sentence, clauses)) or ["There is nothing to add."]


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _turn_names(schema: Mapping[str, Any] | None, last: str) -> Sequence[str]:
    """The fields of a turn where turns alone are asked for, else none."""
    if schema is None:
        return _TURN if '"turns"' in last else ()
    try:
        items = schema["properties"]["turns"]["items"]
        definition = str(items.get("$ref", "")).removeprefix("#/$defs/")
        names = list((schema["$defs"][definition] if definition else items)["properties"])
    except (LookupError, TypeError, AttributeError):
        return ()
    is_turn = len(schema["properties"]) == 1 and {"question", "answer"} <= {*names} <= {*_TURN}
    return names if is_turn else ()


def _kinds(last: str) -> Sequence[str]:
    if kinds := _KIND_LINE.findall(last):
        return kinds
    count = min(int(counted[1]), 50) if (counted := _COUNT.search(last)) else 3
    return [KINDS[1:][at % 3] for at in range(count)]


def refine(draft: str) -> str:
    """The draft without sentences that are repeated or break off; as it is if none is whole."""
    ends = (".", "!", "?", "\u3002", "\uff01", "\uff1f")
    whole = [part for part in sentences(draft) if part.rstrip("\"'\u201d\u2019)").endswith(ends)]
    return " ".join(dict.fromkeys(whole)) or draft.strip()


def converse(
    scene: Scene, kinds: Sequence[str], random: Random, asked: Collection[str] = ()
) -> list[Pair]:
    """A pair a kind, in that order: none asked before while there are others."""
    events = scene.events or [Event("", "", "the camera shows a scene")]
    scene, order = scene._replace(events=events), random.sample(range(len(events)), len(events))
    pairs = {kind: _pairs(scene, kind, order, random) for kind in dict.fromkeys(kinds)}
    taken, chosen = set(asked), list[Pair]()
    for kind in kinds:
        pair = next((pair for pair in pairs[kind] if pair.question not in taken), None)
        chosen.append(pair or next(_pairs(scene, kind, (), random)))
        taken.add(chosen[-1].question)
    return chosen


def _pairs(scene: Scene, kind: str, order: Sequence[int], random: Random) -> Iterator[Pair]:
    """All pairs of a kind: on single events in that order, then on the video as a whole."""
    patterns, fields = _PATTERNS.get(kind, ()), [_fields(scene.events, at) for at in order]
    # Each kind begins with another event, so that few questions are on the same one.
    start = KINDS.index(kind) if patterns else 0
    for turn in range(len(patterns)):
        for at in range(len(fields)):
            pattern = patterns[(at + turn) % len(patterns)]
            yield from _filled(pattern, fields[(at + start) % len(fields)])
    fields_of_whole = {"first": scene.events[0].clause, "whole": describe(scene, 30, 80, random)}
    for view in _VIEWS:
        for question, answer in _WHOLE_PATTERNS[kind if patterns else "description"]:
            yield from _filled((f"{view}{question}", answer), fields_of_whole)


def _filled(pattern: tuple[str, str], fields: Mapping[str, str]) -> Iterator[Pair]:
    """The pair of a pattern, unless it names something unknown."""
    try:
        question, answer = (text.format_map(fields) for text in pattern)
    except KeyError:
        return
    yield Pair(question[:1].upper() + question[1:], answer)


def _fields(events: Sequence[Event], at: int) -> dict[str, str]:
    """All that is known of an event, under the names that patterns use."""
    event, last = events[at], len(events) - 1
    fields = {"event": event.clause} | _anchor("anchor", event)
    if last:
        fields["half"] = "first half" if 2 * at <= last else "second half"
        fields |= {"edge": "start" if at == 0 else "end"} if at in {0, last} else {}
    if event.start:
        several = f"from about {event.start} to {event.end} seconds"
        fields["span"] = several if event.start != event.end else f"at about {event.start} seconds"
    if at and not overlap(events[at - 1], event):
        fields |= _anchor("before", events[at - 1])
    if at < last and not overlap(event, events[at + 1]):
        fields |= _anchor("after", events[at + 1])
    return fields


def _anchor(name: str, event: Event) -> dict[str, str]:
    """The event as words of a question, unless they would refer to nothing."""
    words = event.clause.split()
    is_vague = words[0] in _VAGUE or not {"it", "them"}.isdisjoint(words[:6])
    return {} if is_vague or len(words) > _LONGEST_ANCHOR else {name: event.clause}


def _answer(scene: Scene, question: str, random: Random) -> str:
    """The answer to a question of `converse`; to another one, the event most like it."""
    if not scene.events:
        return "It can be seen in the video."
    for kind in _WHOLE_PATTERNS:
        for pair in _pairs(scene, kind, range(len(scene.events)), random):
            if pair.question == question:
                return pair.answer
    words, clauses = {*question.lower().split()}, [event.clause for event in scene.events]
    return sentence(max(clauses, key=lambda text: len(words & {*text.split()})))


def judge(evidence: str, answers: str) -> dict[str, Any]:
    """A verdict on each numbered answer: supported if the evidence has most of its long words."""
    lines = [_LINE_START.sub("", line) for line in evidence.split("\n")]
    line_of = {word: line for line in reversed(lines) for word in _LONG_WORD.findall(line.lower())}
    verdicts = []
    for number, answer in _NUMBERED_ANSWER.findall(answers):
        words = _LONG_WORD.findall(answer.lower())
        votes = Counter(line_of[word] for word in words if word in line_of)
        span = votes.most_common(1)[0][0] if votes.total() > len(words) / 2 else ""
        verdict = "supported" if span else "not in evidence"
        verdicts.append({"answer": int(number), "span": span, "verdict": verdict})
    return {"verdicts": verdicts}
