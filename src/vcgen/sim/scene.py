"""Read the evidence in a prompt, in the lines of `vcgen.evidence`, into clauses with times."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

from vcgen.sim.grammar import is_naming, noun_phrase, to_clause
from vcgen.sim.wording import capital, listed, sentences, shorten, tidy

_OPEN = re.compile(r"^=== ([a-z]+) (\w{16,64}) ===\n", re.MULTILINE)
_TIMED = re.compile(
    r"\[(\d+(?:\.\d+)?)(?:-(\d+(?:\.\d+)?))?\] (?:\((objects|speech|action)\) )?(.*)", re.DOTALL
)
_BOX = re.compile(r" at \[([0-9., -]+)\]$")
_LENGTH = re.compile(r"Length of the video: (\d+(?:\.\d+)?) seconds$")
_LEAD = re.compile(r"(?:\w+(?: \w+){0,2}, )?(?=\w)")
_SCRIPTS = {
    "Japanese": re.compile("[\u3040-\u30ff]"),
    "Korean": re.compile("[\uac00-\ud7af]"),
    "Chinese": re.compile("[\u4e00-\u9fff]"),
}
_MOST_SPOKEN_WORDS = 16
_PRONOUN_FOR = {
    "he": {"man", "boy", "guy", "coach", "chef"},
    "she": {"woman", "girl", "lady", "coach", "chef"},
    "they": {"men", "women", "boys", "girls", "people", "children", "players"},
}
_PEOPLE = frozenset().union(*_PRONOUN_FOR.values())

Source = Literal["seen", "heard", "objects"]


class Moment(NamedTuple):
    """One thing that happens; times in seconds as the evidence words them, empty if not timed."""

    start: str
    end: str
    source: Source
    clause: str
    deed: str = ""


@dataclass(frozen=True)
class Scene:
    """What a prompt tells of a video.

    Attributes:
        duration: seconds as worded, empty if unknown.
        caption, summary: clauses on the whole video, empty without.
        moments: in the order told, no clause twice.
        topics: noun phrases, from tags.
    """

    duration: str = ""
    caption: str = ""
    summary: str = ""
    moments: tuple[Moment, ...] = ()
    topics: tuple[str, ...] = ()

    @cached_property
    def events(self) -> tuple[Moment, ...]:
        """What can be asked about: the moments, or what is said of the video as a whole."""
        happening = tuple(moment for moment in self.moments if moment.source != "objects")
        if happening or self.moments:
            return happening or self.moments
        whole = [clause for clause in (self.caption, self.summary) if clause]
        if not whole:
            whole = [f"the camera shows {listed(self.topics[:4])}" if self.topics else _NOTHING]
        return tuple(Moment("", "", "seen", clause) for clause in whole)

    @cached_property
    def keywords(self) -> tuple[str, ...]:
        """Words that come back in several moments, the most frequent first."""
        counts = Counter(
            word
            for moment in self.moments
            if moment.source == "seen"
            for word in set(moment.clause.split())
        )
        # Sorted, because a set has another order in every process.
        repeated = sorted((-count, word) for word, count in counts.items() if count > 1)
        nouns = [
            word for _, word in repeated if len(word) > 3 and word.isalpha() and is_naming(word)
        ]
        return tuple(nouns[:2])


def lies_within(after: Moment, before: Moment) -> bool:
    """Whether `after` happens while `before` goes on."""
    if not (before.end and after.end):
        return False
    return float(after.end) <= float(before.end) and float(before.start) < float(before.end)


_NOTHING = "something takes place before the camera"


def fenced(text: str) -> dict[str, str]:
    """The texts between fence lines by label, the first of each."""
    found: dict[str, str] = {}
    at = 0
    while start := _OPEN.search(text, at):
        label, mark = start.groups()
        end = text.find(f"\n=== end of {label} {mark} ===", start.end() - 1)
        if end < 0:
            at = start.end()
            continue
        found.setdefault(label, text[start.end() : end])
        at = end
    return found


def read_scene(evidence: str, language: str = "English") -> Scene:
    """The scene that evidence lines tell; for English, without what is in another script."""
    duration = caption = summary = ""
    topics: list[str] = []
    moments: list[Moment] = []
    for line in evidence.split("\n"):
        if found := _LENGTH.match(line):
            duration = found[1]
        elif line.startswith("Caption: "):
            caption = _whole(line[9:], language)
        elif line.startswith("Summary: "):
            summary = _whole(line[9:], language)
        elif line.startswith("Tags: "):
            topics = [noun_phrase(tag) for raw in line[6:].split(" | ") if (tag := tidy(raw))]
            topics = [topic for topic in topics if not _foreign(topic, language)]
        elif timed := _TIMED.match(line):
            moments.extend(_moments(timed, language))
        elif line.strip() and not line.endswith(":"):
            moments.extend(_seen("", "", line, language))
    return Scene(duration, caption, summary, tuple(_told_once(moments)), tuple(topics))


def read_narrative(text: str) -> Scene:
    """The scene that a narrative tells, one moment a sentence."""
    moments = [
        moment
        for told in sentences(text)
        if not told.startswith("Overall")
        for moment in _seen("", "", _LEAD.sub("", told, count=1), "")
    ]
    return Scene(moments=tuple(_told_once(moments)))


def _moments(line: re.Match[str], language: str) -> Iterable[Moment]:
    start, end, mark, text = line.groups()
    end = end or start
    text, place = _without_box(text)
    if mark == "speech":
        return [Moment(start, end, "heard", _speech(text, language))]
    if mark == "objects":
        names = [noun_phrase(name) for raw in text.split(", ") if (name := tidy(raw))]
        if not names or _foreign(text, language):
            return []
        return [Moment(start, end, "objects", f"{listed(names[:5])} can be seen{place}")]
    return _seen(start, end, text, language, place)


def _seen(start: str, end: str, text: str, language: str, place: str = "") -> Iterable[Moment]:
    if language and _foreign(text, language):
        return
    for told in sentences(text):
        clause = to_clause(told)
        if any(map(str.isalpha, clause.text)):
            yield Moment(start, end, "seen", clause.text + place, clause.deed)


def _whole(text: str, language: str) -> str:
    """The first sentences of a text on the whole video as one clause, empty if it is foreign."""
    told = [to_clause(one) for one in sentences(text)]
    clauses = [clause.text for clause in told if clause.text]
    if not clauses or _foreign(text, language):
        return ""
    return ". ".join([clauses[0], *map(capital, clauses[1:3])])


def _without_box(text: str) -> tuple[str, str]:
    """The text, and where its box lies as words."""
    found = _BOX.search(text)
    if found is None:
        return text, ""
    edges = [float(edge) for edge in found[1].split(", ")]
    middle = (edges[0] + edges[2]) / 2
    side = "on the left" if middle < 0.4 else "on the right" if middle > 0.6 else "in the middle"
    return text[: found.start()], f" {side}"


def _speech(text: str, language: str) -> str:
    foreign = _foreign(text, language)
    if foreign:
        return f"someone speaks in {foreign}"
    words = tidy(text).replace('"', "").split()
    if not words:
        return "someone speaks"
    kept = " ".join(words[:_MOST_SPOKEN_WORDS])
    return f'someone says "{shorten(kept, 12) if len(words) > _MOST_SPOKEN_WORDS else kept}"'


def _foreign(text: str, language: str) -> str:
    """The name of the text's language where its script cannot be the answer's, empty otherwise."""
    if language != "English" or text.isascii():
        return ""
    for name, script in _SCRIPTS.items():
        if script.search(text):
            return name
    letters = [letter for letter in text if letter.isalpha()]
    return "another language" if sum(map("\u024f".__lt__, letters)) * 2 > len(letters) else ""


def _told_once(moments: Iterable[Moment]) -> Iterable[Moment]:
    """The moments with no clause twice, and pronouns at their start put into words."""
    told: set[str] = set()
    people: list[str] = []
    for moment in moments:
        clause = _name_people(moment.clause, people)
        people.extend(word for word in clause.split() if word in _PEOPLE)
        if clause.lower() not in told:
            told.add(clause.lower())
            yield moment._replace(clause=clause)


def _name_people(clause: str, people: list[str]) -> str:
    pronoun, _, rest = clause.partition(" ")
    known = _PRONOUN_FOR.get(pronoun)
    if known is None:
        return clause
    fallback = "the people" if pronoun == "they" else "the person"
    name = next((f"the {one}" for one in reversed(people) if one in known), fallback)
    return f"{name} {rest}"
