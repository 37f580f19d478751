"""Coherence of a sample: questions asked twice, and turns that depend on earlier turns."""

import re
from collections.abc import Sequence

from vcgen.checks.codes import Problem, problem
from vcgen.checks.tokenize import TokenizedText, stems, word_set

# Words without content that turn a question into a different one.
_DISTINCTIVE = word_set("""what why how who whom whose where when which before after first last
    begin begins beginning start starts end ends next while during not long many much once lead left
    right""")
_FILLERS = word_set("""the a an in this that video clip please can could you tell me so and is are
    does do did of now happen happens happened happening occur occurs take takes taking place going
    on be seen see show shows shown""")
_FEW = 6  # words
_LONG = 5  # content words; one more word leaves the question the same

_WORDS_THAT_POINT = word_set("""and but so then also else again he she they him her them his their
    that this those these next same mentioned previous previously earlier above aforementioned about
    it such described""")
# Every match of `_POINTS_BACK` has one of these.
_WITHIN = word_set("""that this these those it next then afterward afterwards mentioned described
    said told stated previous aforementioned same else""")
_THIS = frozenset({"this"})
_BEGINS_BACK = re.compile(
    r"\A(?:(?:why|how|when|where|who|what|which one)\?|(?:and|but|so|also|then|what else"
    r"|who else|what about|how about|anything else)\b"
    r"|(?:\w++ ){0,3}?(?:do|does|did|is|are|was|were|has|have|will|would|can|could) (?:he|she|they"
    r"|him|these|those)\b"
    r"|(?:why|how|what|where|when|who|which)\b[^?]{0,40}? (?:his|her|their|him|them)\b)"
)
_POINTS_BACK = re.compile(
    r"\b(?:after|before|following|during|besides|despite|because of) (?:that|this|these|those|it)"
    r"(?=[?.,]|$)|\bdo(?:es)? (?:that|this)(?=[?.]| next| afterwards?| then)|\bwhy (?:is"
    r"|was) (?:that|this|it)\?"
    r"|\b(?:you|just|previously|already|earlier) (?:mentioned|described|said|told)\b"
    r"|\b(?:mentioned|described) (?:earlier|above|before|previously)\b"
    r"|\bprevious (?:question|answer)\b|\baforementioned\b|\bas (?:mentioned|described|stated)\b"
    r"|\bthe same (?:man|woman|person|one|thing)\b|\bdoes it (?:do|look|happen|mean)\b"
    r"|\bwhat (?:happens|happened|comes|came|follows)(?: right| just| directly)? (?:next|then"
    r"|afterwards?)\?|\b(?:anything|something) else\?"
)
_ANSWER_POINTS_BACK = re.compile(
    r"^\W*(?:as (?:\w+ )?(?:mentioned|described|stated|said|noted|explained)|again,|like i said"
    r"|as i (?:\w+ )?(?:mentioned|described|said)|the aforementioned|in addition to (?:that|this)"
    r"|besides (?:that|this)|also,|in addition to what (?:was|is|has))"
    r"|\b(?:previously|already|earlier) (?:mentioned|described)\b|\bmentioned (?:earlier"
    r"|above|before)\b"
    r"|\b(?:previous|last|earlier) (?:question|answer)\b|\bas (?:mentioned|explained above)\b"
    r"|\baforementioned\b"
)
_ANSWER_WORDS = word_set(
    "mentioned described stated noted explained aforementioned said again addition besides also "
    "question answer"
)
# A noun that a pronoun of the same question may refer to.
_ANTECEDENT = re.compile(
    r"\b(?:the|a|an|each|every|some|two|three|another|this|one of the) (?!video|clip|moment"
    r"|scene)\w+"
    r"|\b(?:people|men|women|children|someone|somebody)\b"
)
_PRONOUN = re.compile(r"\b(?:he|she|they|him|her|them|his|their|it|these|those)\b")


def find_duplicate_questions(questions: Sequence[TokenizedText]) -> list[Problem]:
    """Find questions that repeat an earlier one."""
    found = []
    asked: list[tuple[set[str], frozenset[str], frozenset[str]]] = []
    for number, question in enumerate(questions, 1):
        content, distinctive = _content(question), question.vocabulary & _DISTINCTIVE
        rest = question.vocabulary - _FILLERS
        for at, (earlier, earlier_distinctive, earlier_rest) in enumerate(asked, 1):
            if distinctive == earlier_distinctive and (
                rest == earlier_rest or (content and _alike(content, earlier))
            ):
                message = f"the question asks what that of turn {at} asks"
                found.append(
                    problem("duplicate-question", message, side="question")._replace(turn=number)
                )
                break
        asked.append((content, distinctive, rest))
    return found


def _content(question: TokenizedText) -> set[str]:
    return stems(question.vocabulary) | set(filter(str.isdigit, question.vocabulary))


def _alike(first: set[str], second: set[str]) -> bool:
    if first == second:
        return True
    fewer, more = sorted((first, second), key=len)
    further = more - fewer
    # A number more is another question: rope 7 of boat 10, rope 10 of boat 10.
    return (
        len(fewer) >= _LONG and fewer < more and len(further) == 1 and not further.pop().isdigit()
    )


def find_back_references(question: TokenizedText, answer: TokenizedText) -> list[Problem]:
    """Find references to other turns, which break where a trainer shuffles turns (VideoChat2)."""
    if _may_point(question):
        match = _BEGINS_BACK.match(question.plain)
        if match is None and not _WITHIN.isdisjoint(question.vocabulary):
            match = _POINTS_BACK.search(question.plain)
        if match and not _explained(question.plain, match):
            shown = match[0].strip()[:60]
            message = f"the question makes no sense by itself: {shown!r}"
            return [problem("refers-back", message, side="question", excerpt=shown)]
    if not _ANSWER_WORDS.isdisjoint(answer.vocabulary):
        match = _ANSWER_POINTS_BACK.search(answer.plain)
        if match:
            shown = match[0].strip()[:60]
            message = f"the answer refers to another turn: {shown!r}"
            return [problem("refers-back", message, side="answer", excerpt=shown)]
    return []


def _may_point(question: TokenizedText) -> bool:
    """Whether a word of the question may refer to another turn; `this video` does not."""
    pointing = _WORDS_THAT_POINT & question.vocabulary
    if pointing == _THIS and ("this video" in question.plain or "this clip" in question.plain):
        return False
    return bool(pointing) or len(question.words) < _FEW


def _explained(question: str, match: re.Match[str]) -> bool:
    """Whether the match ends in a pronoun whose noun precedes it in the question."""
    pronouns = list(_PRONOUN.finditer(match[0]))
    if not pronouns:
        return False
    return _ANTECEDENT.search(question[: match.start() + pronouns[-1].start()]) is not None
