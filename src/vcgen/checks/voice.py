"""Voice: does the text speak as somebody who watched the video, and of nothing but the video?

What is quoted or reported is the scene's own speech and may say anything. A pattern is tried only
where one of its words occurs.
"""

import re
from typing import NamedTuple

from vcgen.checks.codes import Problem, problem
from vcgen.checks.tokenize import TokenizedText, read
from vcgen.checks.voice_patterns import (
    ASIDE,
    ASIDE_SENTENCE,
    ASSISTANT,
    ASSISTANT_SENTENCE,
    EVIDENCE,
    FRAMES,
    HEDGE_NONE,
    HEDGE_NOT,
    HEDGE_OPEN,
    OPENING,
    REFUSAL,
    REFUSAL_OF_OTHERS,
)


class _Pattern(NamedTuple):
    """A code and what gives it away.

    Attributes:
        words: one of these is in every match.
    """

    code: str
    words: frozenset[str]
    pattern: re.Pattern[str]
    message: str


def _pattern(code: str, words: str, pattern: str, message: str) -> _Pattern:
    return _Pattern(code, frozenset(words.split()), re.compile(pattern), message)


def _at_words(pattern: str) -> str:
    """Each alternative begins with a word; asked once, that takes a third of the time."""
    return rf"\b(?:{pattern})"


_ALONE = "the {side} talks to the reader ({found!r}): write the text alone"
_WATCHED = (
    "the {side} speaks of a text or frames it was given ({found!r}): speak as somebody who "
    "watched the video"
)
_REFUSED = "the {side} refuses ({found!r}): write of what the video shows"
_REMARK = "the {side} has a remark in the first person ({found!r}): leave it out"
_KNOWN = "the {side} says what is not known ({found!r}): write only of what is"
_OPENS = _pattern(
    "assistant-talk",
    "sure certainly of absolutely definitely great good excellent interesting nice okay ok gladly "
    "no understood got yes with alright very will hello hi hey greetings noted gotcha sounds "
    "you're you here here's below below's i i'm happy glad delighted thank thanks my that's let's "
    "dear",
    OPENING,
    _ALONE,
)
"""Only how a text begins: its first word is one of these."""
_PATTERNS = (
    _pattern(
        "evidence-mention",
        "caption captions description descriptions transcript transcripts transcription annotation "
        "transcriptions annotations metadata narrative narratives evidence tags subtitles summary "
        "text information context details data material segment segments input frames bounding "
        "described captioned tagged annotated titled labelled labeled given provided timeline "
        "label labels notes log timestamp timestamps captioning speech available supplied asr ocr "
        "detection detections detected keywords prompt passage excerpt listed marked boxed "
        "assigned coordinates confidence gave shared",
        _at_words(EVIDENCE),
        _WATCHED,
    ),
    _pattern(
        "evidence-mention",
        "frame frames keyframe keyframes bounding bbox bboxes images stills snapshots screenshots",
        _at_words(FRAMES),
        _WATCHED,
    ),
    _pattern(
        "assistant-talk",
        "hope let feel hesitate you you're you've you'd your me questions clarification happy ai "
        "artificial language assistant requested instructed asked i i've i'll i'd i'm cleaned "
        "revised corrected rewritten refined updated improved changes thank thanks hopefully "
        "please just",
        _at_words(ASSISTANT),
        _ALONE,
    ),
    _pattern(
        "assistant-talk",
        "here here's enjoy hope description account answer summary breakdown overview narrative "
        "version response reply regard instructed asked requested text",
        ASSISTANT_SENTENCE,
        _ALONE,
    ),
    _pattern(
        "refusal",
        "i i'm sorry apologies apologize apologise unfortunately unable able my can't cannot i'd "
        "regrettably sadly me unanswerable impossible provided uploaded shared accessible "
        "accessed viewed processed without please upload attach enough insufficient sufficient "
        "language ai artificial chatbot scope",
        _at_words(REFUSAL),
        _REFUSED,
    ),
    _pattern(
        "refusal",
        "no me us regret appropriate ethical fair responsible possible impossible feasible "
        "advisable go",
        _at_words(REFUSAL_OF_OTHERS),
        _REFUSED,
    ),
    _pattern(
        "hedge",
        "no nothing not without enough insufficient lack lacks limited isn't aren't wasn't doesn't "
        "don't didn't any known",
        _at_words(HEDGE_NONE),
        _KNOWN,
    ),
    _pattern(
        "hedge",
        "not never nowhere nor isn't aren't wasn't weren't doesn't don't didn't cannot can't "
        "couldn't hard difficult impossible tricky tough challenging",
        _at_words(HEDGE_NOT),
        _KNOWN,
    ),
    _pattern(
        "hedge",
        "unclear unknown unspecified undisclosed unstated unsaid unexplained unanswered "
        "unmentioned undetermined unresolved ambiguous unconfirmed unnamed uncertain unsure "
        "debatable doubtful questionable mystery anyone's interpretation question debate "
        "imagination guess guessed speculate speculated speculation speculative guesswork assume "
        "assumed imagine wonder remains remain whether learn silent vague fails omits neglects "
        "anywhere anything anyone anybody missing lacking absent unavailable scarce sparse",
        _at_words(HEDGE_OPEN),
        _KNOWN,
    ),
    _pattern(
        "aside",
        "i i'd i'm i've i'll my me let let's note wait guess think worth myself sorry remark "
        "disclaimer caveat edit reminder clarification correction comment assume infer conclude "
        "deduce suppose presume speculate imagine surmise",
        _at_words(ASIDE),
        _REMARK,
    ),
    _pattern(
        "aside",
        "personally honestly frankly admittedly honest fair frank hmm hmmm um umm uh wow oh oops "
        "ah well okay ok anyway truth honesty mind",
        ASIDE_SENTENCE,
        _REMARK,
    ),
)
_ALL_WORDS = frozenset().union(*[each.words for each in _PATTERNS])
# The same in Chinese, the other language that evidence comes in.
_CHINESE = (
    (
        "evidence-mention",
        re.compile(r"(?:根据|按照|依据)[^。\uff0c]{0,6}(?:字幕|描述|文本|标签|信息)"),
        "the {side} speaks of a text it was given ({found!r})",
    ),
    (
        "refusal",
        re.compile(r"^(?:很|非常)?(?:抱歉|对不起)|作为(?:一个|一名)?(?:ai|人工智能|语言模型)"),
        "the {side} refuses ({found!r})",
    ),
    (
        "hedge",
        re.compile(r"(?:没有|未|并未)(?:明确)?(?:提到|提及|说明)|无法(?:确定|判断|得知)"),
        "the {side} says what is not known ({found!r})",
    ),
)  # fmt: skip

# Of text in which quotes are straight. What it begins with is one of a few, which is fast to find.
_QUOTED = re.compile(
    r"""["'\u300c](?:(?<=")[^"]*"|(?<=\u300c)[^\u300d]*\u300d"""
    r"""|(?<=')(?<!\w')(?:[^']|(?<=\w)'(?=\w))*'(?!\w))"""
)
# Stands in all that is reported; to look for that takes ten times as long.
_SPEAKER = re.compile(r" (?:i|let|my|sorry)\b")
_REPORTED = re.compile(
    r"\b(?:says?|said|saying|asks?|asked|repl(?:y|ies|ied)|shouts?|yells?|sings?|singing|tells? \w+"
    r"|told \w+|reads?|reading|writes?|explains?|exclaims?)(?: that)?[,:]? (?:i|i'm|let|my|sorry)\b"
    r"[^.!?]*"
)


def voice(side: str, reading: TokenizedText) -> list[Problem]:
    """What a person who watched the video would not say."""
    known = reading.known
    suspects = _suspects(known)
    opens = not _OPENS.words.isdisjoint(reading.words[:1])
    if not suspects and not opens and reading.text.isascii():
        return []
    said = _own_words(reading.plain)
    if suspects and said is not reading.plain:
        suspects = _suspects(read(said).known)
    opening = _OPENS.pattern.match(said) if opens else None
    matches = [(_OPENS, opening)] + [(each, each.pattern.search(said)) for each in suspects]
    found = {
        each.code: problem(each.code, each.message.format(side=side, found=_shown(match)))
        for each, match in matches
        if match
    }
    if not reading.text.isascii():
        found |= {
            code: problem(code, message.format(side=side, found=_shown(match)))
            for code, pattern, message in _CHINESE
            if (match := pattern.search(said))
        }
    return list(found.values())


def _suspects(known: frozenset[str]) -> list[_Pattern]:
    telling = known & _ALL_WORDS
    return [each for each in _PATTERNS if not each.words.isdisjoint(telling)] if telling else []


def _shown(match: re.Match[str]) -> str:
    return match[0].strip(" .!?")[:60]


def _own_words(plain: str) -> str:
    """A text without what is quoted and reported in it, unless that is all of it."""
    own = plain
    if '"' in plain or "'" in plain or not plain.isascii():
        own = _QUOTED.sub(" '' ", own)
    if _SPEAKER.search(own):
        own = _REPORTED.sub(" ", own)
    if own is plain:
        return plain
    return own if any(map(str.isalpha, own)) else plain
