"""Time: every moment named lies within the video, and words of order agree with the evidence."""

import re
from collections.abc import Iterable, Iterator
from math import inf

from vcgen.checks.codes import Problem, problem
from vcgen.checks.evidence_index import EvidenceIndex
from vcgen.checks.tokenize import TokenizedText, read, stems, word_set, words_of
from vcgen.data.clips import format_seconds

_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_N = r"([0-9]+(?:\.[0-9]+)?)"
# A bare `s` needs its preposition: a man in his 30s is no time in the video.
_SECONDS = re.compile(
    rf"(?<![\d.:]){_N}[- ]?(?:secs?|seconds?)\b|\bsecond {_N}\b(?! (?:time|place))"
    rf"|\b(?:at|after|until|by|from|to|between|and)(?: about| around)? {_N} ?s\b(?! (?:music"
    rf"|style))"
    rf"|[(\[~]\s?{_N} ?s\b|(?<![\d.]){_N} ?s? ?[-\u2013\u2014] ?{_N} ?s\b"
    rf"|(?<![\d.]){_N} ?[-\u2013\u2014] ?{_N}[- ]?(?:secs?|seconds?)\b"
)
_MINUTES = re.compile(
    rf"\b(?:(?:at|until|by)(?: about| around| roughly| the)? {_N}[- ]minutes?\b(?! (?:walk|drive"
    rf"|from))"
    rf"|{_N}[- ]minute mark\b|{_N} minutes?(?: and \d+ seconds?)? into the (?:video|clip)\b"
    rf"|minute {_N}\b)"
)
_CLOCK = re.compile(
    r"(?:\b(?:at|from|to|until|till|around|about|between|and|after|before|time|timestamp)"
    r"(?: about| around| the)? |[(\[]\s?"
    r"|[-\u2013\u2014] ?)(?:([0-9]{1,2}):)?([0-9]{1,2}):([0-5][0-9])"
    r"(?![\d:]| ?(?:[ap]\.?m\b|o'clock|hours|in the (?:morning|afternoon|evening)))"
)
_FIRST_OF_TWO = re.compile(
    rf"{_N} ?(?:s|secs?|seconds?)? ?(?:to|and|[-\u2013\u2014]) ?[0-9.]+[- ]?(?:s|secs?|seconds?)\b"
)
_LASTING = re.compile(
    rf"\b(?:lasts?|lasting|for|over|takes?|taking|within)(?: about| around| roughly)? {_N}[- ]?"
    r"(?:s|secs?|seconds?|minutes?)\b"
)
# A time of day, or no time at all, where these are near.
_OTHER_CLOCKS = re.compile(
    r"clock|\bwatch\b|\bscor|\balarm|\btimer|\bdisplay|\bdigital|\bwins?\b|\bwon\b|\bnoon|midnight"
    r"|\btrain|\bbus\b|\bdepart|\barrive|\btime (?:is|of day)\b|\bsign\b|\breads\b"
)
_NEAR = 40
# Times are given to a tenth, and models round those up to whole seconds.
_TOLERANCE_S = 0.55

_ORDERED = re.compile(
    r"^\W*(?:and )?(?:then|next|finally|lastly|later|afterwards?|subsequently|after (?:that|this)"
    r"|following (?:this|that)|from there|in the end|at the end|eventually)\b"
)
_ORDER_WORDS = word_set(
    """
    then next finally lastly later afterwards afterward subsequently after following there end
    eventually
    """
)
_ASIDE = word_set("before earlier previously while meanwhile overall throughout again had as until")
_SENTENCE_END = re.compile(r"[.!?] +")
_RELATIONS = word_set("after once following before prior")
_RELATION = re.compile(
    r"what\b.*?\b(?:(?P<after>after|once|following)|before|prior to) (?P<anchor>[^,]{8,})$"
)


def past_the_end(side: str, reading: TokenizedText, facts: EvidenceIndex) -> list[Problem]:
    """Times named that lie past the end of the video, unless the evidence names them too."""
    duration = facts.clip.duration
    if duration is None:
        return []
    latest = duration + _TOLERANCE_S
    # Nearly all numbers are too small to be too late, which their words tell at once.
    plain = reading.plain
    bound = _bound(reading)
    if bound <= latest and not (bound and ("minute" in plain or ":" in plain)):
        return []
    return [
        problem(
            "time-past-end",
            f"the {side} names {shown}, but the video ends at {format_seconds(duration)}",
        )
        for seconds, shown, number in _named(reading, bound, latest)
        # The evidence may name how long something takes, but no moment that the video has not.
        if seconds > latest and (number not in facts.words or f"at {number}" in plain)
    ]


def extract_times(text: str) -> list[float]:
    """The times that a text names, in seconds, each once and in order; not how long things take."""
    plain = _LASTING.sub(" ", text.lower())
    first = (float(match[1]) for match in _FIRST_OF_TWO.finditer(plain))
    return sorted({*first, *(seconds for seconds, _, _ in _named(read(plain), inf, -1))})


def _bound(reading: TokenizedText) -> float:
    """The highest number in a text, 0 if there is none."""
    if not reading.marks:
        return 0
    return max(map(float, _NUMBER.findall(reading.plain)), default=0)


def _named(reading: TokenizedText, bound: float, latest: float) -> Iterator[tuple[float, str, str]]:
    """Each time named that may be late: in seconds, as it is to be shown, its number as written."""
    plain = reading.plain
    seen = set()
    late = [each for each in _NUMBER.finditer(plain) if float(each[0]) > latest]
    # The pattern is slow, and what makes a number a time stands beside it.
    for each in late:
        for match in _SECONDS.finditer(plain, max(0, each.start() - _NEAR), each.end() + _NEAR):
            for number in filter(None, match.groups()):
                if number not in seen:
                    seen.add(number)
                    yield float(number), f"{float(number):g} seconds", number
    if "minute" in plain and bound * 60 > latest:
        for match in _MINUTES.finditer(plain):
            number = match[match.lastindex or 0]
            yield float(number) * 60, f"{number} minutes", number
    if ":" in plain:
        for match in _CLOCK.finditer(plain):
            if _OTHER_CLOCKS.search(plain, max(0, match.start() - _NEAR), match.end() + _NEAR):
                continue
            hours, minutes, seconds = match.groups("0")
            total = int(hours) * 3600 + int(minutes) * 60 + int(seconds)
            yield total, match[0].lstrip("([-\u2013\u2014 "), match[0]


def order(
    question: TokenizedText, answer: TokenizedText, content: Iterable[str], facts: EvidenceIndex
) -> list[Problem]:
    """Whether events are told in another order than the evidence has them, where it can be told.

    Args:
        question, answer: of the turn.
        content: the answer's words of content in the order of their first use.
        facts: of the clip.
    """
    if len(facts.clip.segments) < 2:
        return []
    if not (_ORDER_WORDS.isdisjoint(answer.known) or _is_in_order(content, facts)):
        found = _told_backwards(answer, facts)
        if found:
            return found
    if _RELATIONS.isdisjoint(question.known):
        return []
    if relation := _RELATION.match(question.plain):
        anchor_words = read(relation["anchor"]).words
        anchor = facts.moment(anchor_words)
        told = facts.moment(answer.words, without=stems(anchor_words))
        if anchor is not None and told is not None:
            pair = (told, anchor) if relation["after"] else (anchor, told)
            if facts.ends_before(*pair):
                side = "before" if relation["after"] else "after"
                return [
                    problem("order", f"the answer tells what comes {side} the event asked about")
                ]
    return []


def _is_in_order(content: Iterable[str], facts: EvidenceIndex) -> bool:
    """Whether words that belong to one segment each are first used in the segments' order."""
    places = facts.places(content)
    return places == sorted(places)


def _told_backwards(answer: TokenizedText, facts: EvidenceIndex) -> list[Problem]:
    before: int | None = None
    sentences = _SENTENCE_END.split(answer.plain)
    for sentence, words in zip(sentences, words_of(sentences), strict=True):
        moment = facts.moment(words) if _ASIDE.isdisjoint(words) else None
        if moment is None:
            continue
        if before is not None and facts.ends_before(moment, before) and _ORDERED.match(sentence):
            at = format_seconds(facts.clip.segments[moment].start)
            return [
                problem(
                    "order",
                    f"the answer puts what happens at {at} seconds too late: {sentence[:60]!r}",
                )
            ]
        before = moment
    return []
