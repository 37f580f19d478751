"""Timing: times must lie within the video, and the order of events must be that of the evidence."""

import re
from collections.abc import Iterable, Iterator
from math import inf

from vcgen.checks.codes import Problem, Side, problem
from vcgen.checks.evidence_index import EvidenceIndex
from vcgen.checks.tokenize import TokenizedText, stems, tokenize, word_set, words_of
from vcgen.data.clips import format_seconds

_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_N = r"([0-9]+(?:\.[0-9]+)?)"
# A bare `s` needs a preposition: `a man in his 30s` is not a time.
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
    r"(?<![0-9])([0-9]++(?:\.[0-9]++)?) ?(?:s|secs?|seconds?)? ?(?:to|and|[-\u2013\u2014])"
    r" ?[0-9.]++[- ]?(?:s|secs?|seconds?)\b"
)
_LASTING = re.compile(
    rf"\b(?:lasts?|lasting|for|over|takes?|taking|within)(?: about| around| roughly)? {_N}[- ]?"
    r"(?:s|secs?|seconds?|minutes?)\b"
)
# Near these, a time is a time of day, a score or the like.
_OTHER_CLOCKS = re.compile(
    r"clock|\bwatch\b|\bscor|\balarm|\btimer|\bdisplay|\bdigital|\bwins?\b|\bwon\b|\bnoon|midnight"
    r"|\btrain|\bbus\b|\bdepart|\barrive|\btime (?:is|of day)\b|\bsign\b|\breads\b"
)
_NEAR = 40
# Evidence has tenths of a second, which models round up to whole seconds.
_TOLERANCE_S = 0.55

_ORDERED = re.compile(
    r"^\W*(?:and )?(?:then|next|finally|lastly|later|afterwards?|subsequently|after (?:that|this)"
    r"|following (?:this|that)|from there|in the end|at the end|eventually)\b"
)
_ORDER_WORDS = word_set("""then next finally lastly later afterwards afterward subsequently after
    following there end eventually""")
_ASIDE = word_set("before earlier previously while meanwhile overall throughout again had as until")
_SENTENCE_END = re.compile(r"[.!?] +")
_RELATIONS = word_set("after once following before prior")
# For questions that begin with `what`; searched for after the last comma.
_WHAT = re.compile(r"\Awhat\b")
_RELATION = re.compile(
    r"\b(?:(?P<after>after|once|following)|before|prior to) (?P<anchor>.{8,})", re.DOTALL
)


def find_late_times(side: Side, reading: TokenizedText, evidence: EvidenceIndex) -> list[Problem]:
    """Find times after the end of the video, unless the evidence has them too."""
    duration = evidence.clip.duration
    if duration is None:
        return []
    latest = duration + _TOLERANCE_S
    # Quick test first: nearly all numbers are below the duration.
    plain = reading.plain
    bound = _bound(reading)
    if bound <= latest and not (bound and ("minute" in plain or ":" in plain)):
        return []
    return [
        problem(
            "time-past-end",
            f"the {side} names {shown}, but the video ends at {format_seconds(duration)}",
            side=side,
            excerpt=number,
        )
        for seconds, shown, number in _named(reading, bound, latest)
        # The evidence may give a duration, but not a moment after the end.
        if seconds > latest and (number not in evidence.words or f"at {number}" in plain)
    ]


def extract_times(text: str) -> list[float]:
    """Return the times in a text, in seconds, each once and in order, without durations."""
    plain = _LASTING.sub(" ", text.lower())
    first = (float(match[1]) for match in _FIRST_OF_TWO.finditer(plain))
    return sorted({*first, *(seconds for seconds, _, _ in _named(tokenize(plain), inf, -1))})


def _bound(reading: TokenizedText) -> float:
    """Return the highest number in a text, or 0."""
    if not reading.markers:
        return 0
    return max(map(float, _NUMBER.findall(reading.plain)), default=0)


def _named(reading: TokenizedText, bound: float, latest: float) -> Iterator[tuple[float, str, str]]:
    """Yield each time above `latest`: in seconds, as shown in messages, and as written."""
    plain = reading.plain
    seen = set()
    # The pattern is slow, and a unit stands beside its number.
    for start, end in _windows(plain, latest):
        for match in _SECONDS.finditer(plain, start, end):
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


def _windows(plain: str, latest: float) -> Iterator[tuple[int, int]]:
    """Yield the ranges around numbers above `latest`, overlapping ones as one."""
    begin = end = 0
    for found in _NUMBER.finditer(plain):
        if float(found[0]) > latest:
            start = max(0, found.start() - _NEAR)
            if start > end:
                if end:
                    yield begin, end
                begin = start
            end = found.end() + _NEAR
    if end:
        yield begin, end


def find_wrong_order(
    question: TokenizedText, answer: TokenizedText, content: Iterable[str], evidence: EvidenceIndex
) -> list[Problem]:
    """Find events in another order than in the evidence.

    Args:
        question, answer: of the turn.
        content: the answer's content words in the order of their first use.
        evidence: of the clip.
    """
    if len(evidence.clip.segments) < 2:
        return []
    if not (_ORDER_WORDS.isdisjoint(answer.vocabulary) or _is_in_order(content, evidence)):
        found = _find_reversed(answer, evidence)
        if found:
            return found
    if _RELATIONS.isdisjoint(question.vocabulary):
        return []
    plain = question.plain
    relation = _WHAT.match(plain) and _RELATION.search(plain, plain.rfind(",") + 1)
    if relation:
        anchor_words = tokenize(relation["anchor"]).words
        anchor = evidence.best_segment(anchor_words)
        described = evidence.best_segment(answer.words, without=stems(anchor_words))
        if anchor is not None and described is not None:
            pair = (described, anchor) if relation["after"] else (anchor, described)
            if evidence.ends_before(*pair):
                where = "before" if relation["after"] else "after"
                message = f"the answer describes an event {where} the one in the question"
                return [problem("order", message, side="answer")]
    return []


def _is_in_order(content: Iterable[str], evidence: EvidenceIndex) -> bool:
    """Whether words that occur in one segment only are first used in the order of the segments."""
    places = evidence.single_segments(content)
    return places == sorted(places)


def _find_reversed(answer: TokenizedText, evidence: EvidenceIndex) -> list[Problem]:
    before: int | None = None
    sentences = _SENTENCE_END.split(answer.plain)
    for sentence, words in zip(sentences, words_of(sentences), strict=True):
        moment = evidence.best_segment(words) if _ASIDE.isdisjoint(words) else None
        if moment is None:
            continue
        if before is not None and evidence.ends_before(moment, before) and _ORDERED.match(sentence):
            at = format_seconds(evidence.clip.segments[moment].start)
            return [
                problem(
                    "order",
                    f"the answer puts the event at {at} seconds too late: {sentence[:60]!r}",
                    side="answer",
                    excerpt=sentence[:60],
                )
            ]
        before = moment
    return []
