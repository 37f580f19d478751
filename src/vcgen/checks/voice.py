"""Voice: a text must speak as a person who watched the video, and of the video alone.

Quoted and reported speech belongs to the scene and is skipped. A pattern is tried only if the text
has one of its words.
"""

import re
from typing import NamedTuple

import vcgen.checks.voice_patterns as patterns
from vcgen.checks.codes import Problem, Side, problem
from vcgen.checks.tokenize import TokenizedText, tokenize


class _Pattern(NamedTuple):
    """A pattern and the code of its matches."""

    code: str
    words: frozenset[str]  # every match has one of these
    pattern: re.Pattern[str]


def _pattern(code: str, words: str, pattern: str) -> _Pattern:
    return _Pattern(code, frozenset(words.split()), re.compile(pattern))


def _at_words(pattern: str) -> str:
    """Test for the word boundary once for all alternatives, which takes a third of the time."""
    return rf"\b(?:{pattern})"


_MESSAGES = {
    "evidence-mention": "the {side} speaks of a given text or frames ({found!r}): speak as a "
    "person who watched the video",
    "assistant-talk": "the {side} talks to the reader ({found!r}): write the text alone",
    "refusal": "the {side} refuses ({found!r}): write of what the video shows",
    "hedge": "the {side} states that something is unknown ({found!r}): write of known things only",
    "aside": "the {side} has a remark in the first person ({found!r}): leave it out",
}
_OPENS = _pattern(
    "assistant-talk",
    "sure certainly of absolutely definitely great good excellent interesting nice okay ok gladly "
    "no understood got yes with alright very will hello hi hey greetings noted gotcha sounds "
    "you're you here here's below below's i i'm happy glad delighted thank thanks my that's let's "
    "dear",
    patterns.OPENING,
)
"""For the beginning of a text: its first word is one of these."""
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
        _at_words(patterns.EVIDENCE),
    ),
    _pattern(
        "evidence-mention",
        "frame frames keyframe keyframes bounding bbox bboxes images stills snapshots screenshots",
        _at_words(patterns.FRAMES),
    ),
    _pattern(
        "assistant-talk",
        "hope let feel hesitate you you're you've you'd your me questions clarification happy ai "
        "artificial language assistant requested instructed asked i i've i'll i'd i'm cleaned "
        "revised corrected rewritten refined updated improved changes thank thanks hopefully "
        "please just",
        _at_words(patterns.ASSISTANT),
    ),
    _pattern(
        "assistant-talk",
        "here here's enjoy hope description account answer summary breakdown overview narrative "
        "version response reply regard instructed asked requested text",
        patterns.ASSISTANT_SENTENCE,
    ),
    _pattern(
        "refusal",
        "i i'm sorry apologies apologize apologise unfortunately unable able my can't cannot i'd "
        "regrettably sadly me unanswerable impossible provided uploaded shared accessible "
        "accessed viewed processed without please upload attach enough insufficient sufficient "
        "language ai artificial chatbot scope",
        _at_words(patterns.REFUSAL),
    ),
    _pattern(
        "refusal",
        "no me us regret appropriate ethical fair responsible possible impossible feasible "
        "advisable go",
        _at_words(patterns.REFUSAL_OF_OTHERS),
    ),
    _pattern(
        "hedge",
        "no nothing not without enough insufficient lack lacks limited isn't aren't wasn't doesn't "
        "don't didn't any known",
        _at_words(patterns.HEDGE_NONE),
    ),
    _pattern(
        "hedge",
        "not never nowhere nor isn't aren't wasn't weren't doesn't don't didn't cannot can't "
        "couldn't hard difficult impossible tricky tough challenging",
        _at_words(patterns.HEDGE_NOT),
    ),
    _pattern(
        "hedge",
        "unclear unknown unspecified undisclosed unstated unsaid unexplained unanswered "
        "unmentioned undetermined unresolved ambiguous unconfirmed unnamed uncertain unsure "
        "debatable doubtful questionable mystery anyone's interpretation question debate "
        "imagination guess guessed speculate speculated speculation speculative guesswork assume "
        "assumed imagine wonder remains remain whether learn silent vague fails omits neglects "
        "anywhere anything anyone anybody missing lacking absent unavailable scarce sparse",
        _at_words(patterns.HEDGE_OPEN),
    ),
    _pattern(
        "aside",
        "i i'd i'm i've i'll my me let let's note wait guess think worth myself sorry remark "
        "disclaimer caveat edit reminder clarification correction comment assume infer conclude "
        "deduce suppose presume speculate imagine surmise",
        _at_words(patterns.ASIDE),
    ),
    _pattern(
        "aside",
        "personally honestly frankly admittedly honest fair frank hmm hmmm um umm uh wow oh oops "
        "ah well okay ok anyway truth honesty mind",
        patterns.ASIDE_SENTENCE,
    ),
)
_ALL_WORDS = frozenset().union(*[each.words for each in _PATTERNS])
# The same in Chinese, the other language that evidence comes in.
_CHINESE = (
    (
        "evidence-mention",
        re.compile(r"(?:根据|按照|依据)[^。\uff0c]{0,6}(?:字幕|描述|文本|标签|信息)"),
        "the {side} speaks of a given text ({found!r})",
    ),
    (
        "refusal",
        re.compile(r"^(?:很|非常)?(?:抱歉|对不起)|作为(?:一个|一名)?(?:ai|人工智能|语言模型)"),
        "the {side} refuses ({found!r})",
    ),
    (
        "hedge",
        re.compile(r"(?:没有|未|并未)(?:明确)?(?:提到|提及|说明)|无法(?:确定|判断|得知)"),
        "the {side} states that something is unknown ({found!r})",
    ),
)  # fmt: skip

# For text with straight quotes. Begins with a set of characters, which is fast to find.
_QUOTED = re.compile(
    r"""["'\u300c](?:(?<=")[^"]*"|(?<=\u300c)[^\u300d]*\u300d"""
    r"""|(?<=')(?<!\w')(?:[^']|(?<=\w)'(?=\w))*'(?!\w))"""
)
# Every match of `_REPORTED` has one; that pattern takes ten times as long.
_SPEAKER = re.compile(r" (?:i|let|my|sorry)\b")
_REPORTED = re.compile(
    r"\b(?:says?|said|saying|asks?|asked|repl(?:y|ies|ied)|shouts?|yells?|sings?|singing|tells? \w+"
    r"|told \w+|reads?|reading|writes?|explains?|exclaims?)(?: that)?[,:]? (?:i|i'm|let|my|sorry)\b"
    r"[^.!?]*"
)


def find_wrong_voice(side: Side, reading: TokenizedText) -> list[Problem]:
    """Find talk to the reader, refusals, hedges, asides and mentions of the evidence."""
    vocabulary = reading.vocabulary
    suspects = _suspects(vocabulary)
    opens = not _OPENS.words.isdisjoint(reading.words[:1])
    if not suspects and not opens and reading.text.isascii():
        return []
    own = _without_speech(reading.plain)
    if suspects and own is not reading.plain:
        suspects = _suspects(tokenize(own).vocabulary)
    opening = _OPENS.pattern.match(own) if opens else None
    matches = [(_OPENS, opening)] + [(each, each.pattern.search(own)) for each in suspects]
    found = {
        each.code: _of_match(each.code, _MESSAGES[each.code], side, match)
        for each, match in matches
        if match
    }
    if not reading.text.isascii():
        found |= {
            code: _of_match(code, message, side, match)
            for code, pattern, message in _CHINESE
            if (match := pattern.search(own))
        }
    return list(found.values())


def _suspects(vocabulary: frozenset[str]) -> list[_Pattern]:
    """Return the patterns that the words of a text leave possible."""
    words = vocabulary & _ALL_WORDS
    return [each for each in _PATTERNS if not each.words.isdisjoint(words)] if words else []


def _of_match(code: str, message: str, side: Side, match: re.Match[str]) -> Problem:
    shown = match[0].strip(" .!?")[:60]
    return problem(code, message.format(side=side, found=shown), side=side, excerpt=shown)


def _without_speech(plain: str) -> str:
    """Return a text without quoted and reported speech, or all of it if nothing else is left."""
    own = plain
    if '"' in plain or "'" in plain or not plain.isascii():
        own = _QUOTED.sub(" '' ", own)
    if _SPEAKER.search(own):
        own = _REPORTED.sub(" ", own)
    if own is plain:
        return plain
    return own if any(map(str.isalpha, own)) else plain
