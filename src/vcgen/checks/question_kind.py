"""What a question asks for: descriptive, temporal or causal. Pure, and total on any text.

An ordered list of rules in words. A rule belongs to the question words it is for, applies where one
of its cues is in the question (a word, or two that follow one another; `.` is the end), and names
the kinds such a question may be of, the likeliest first. The first rule that applies decides.
After the kinds of NExT-QA: causal is why and how, temporal what is done before, while and after,
descriptive where, how many, and all else.
"""

import re
from collections.abc import Iterable
from itertools import pairwise, product
from typing import Literal, NamedTuple, get_args

QuestionKind = Literal["descriptive", "temporal", "causal"]
KINDS: tuple[QuestionKind, ...] = get_args(QuestionKind)

Cue = str | tuple[str, ...]


class Rule(NamedTuple):
    """Which kinds a question with one of these cues may be of; without cues, any question."""

    name: str
    asked: frozenset[str]
    cues: frozenset[Cue]
    kinds: tuple[QuestionKind, ...]


def question_kind(question: str) -> QuestionKind:
    """The kind this question most likely is of; what nothing is known of is descriptive."""
    return possible_kinds(question)[0]


def possible_kinds(question: str) -> tuple[QuestionKind, ...]:
    """The kinds this question may be of, the likeliest first: what is not among them, it is not."""
    asked, seen = _parts(question)
    kinds = _decide(asked, seen).kinds
    # What is there may depend on when one looks.
    if kinds == ("descriptive",) and not seen.isdisjoint(_TIMES):
        return ("descriptive", "temporal")
    return kinds


def deciding_rule(question: str) -> Rule:
    """The rule behind the two above, to explain or to count."""
    return _decide(*_parts(question))


def _decide(asked: str, seen: set[Cue]) -> Rule:
    return RULES[min(map(_RANKS[asked].__getitem__, _CUES[asked] & seen))]


def _parts(question: str) -> tuple[str, set[Cue]]:
    """The question word, or none, and all cues there may be."""
    words = _WORD.findall(question[:_LONGEST].lower())
    return _asked(words), {_ANY, *words, *pairwise([*words, "."])}


def _asked(words: list[str]) -> str:
    """The word that asks, where others of its kind only join clauses: `when` is rarely it."""
    if words and words[0] in _OPENINGS:
        return words[0]
    for group in _ASKING:
        for word in words:
            if word in group:
                return word
    return "none"


def _words(text: str) -> list[Cue]:
    return list(text.split())


def _pairs(first: str, second: str) -> set[Cue]:
    """Every word of the first with every word of the second after it."""
    return set(product(first.split(), second.split()))


def _rule(name: str, asked: str, kinds: str, words: str = "", pairs: Iterable[Cue] = ()) -> Rule:
    """`kinds` are first letters, the likeliest kind first."""
    cues = frozenset({*_words(words), *pairs}) or frozenset({_ANY})
    named = {kind[0]: kind for kind in KINDS}
    return Rule(name, frozenset(asked.split()), cues, tuple(named[letter] for letter in kinds))


_WORD = re.compile("[a-z]+")
_LONGEST = 1000  # a question is one or two sentences; whatever comes later says nothing about it
_ANY = ""

_WHICH = "who whom whose which"
_OPENINGS = frozenset(f"how what where {_WHICH}".split())
_ASKING = tuple(frozenset(group.split()) for group in ("how what", f"where {_WHICH}", "when"))
_ALL = f"how what where {_WHICH} when none"

_AFTER = "after before then afterwards afterward later subsequently previously prior"
_NEXT = {*_pairs("do happen happens happened come comes the", "next"), ("next", ".")}
_WHILE = "while when during once until till meanwhile"
_CLAUSE = _pairs("as", "the he she they it his her their one both two another someone people")
_COURSE = {
    *_words("progress progresses unfold unfolds evolve evolves throughout sequence transitions"),
    *_words("chronological chronologically steps stages"),
    ("step", "by"),
    *_pairs(
        "video clip scene film story footage",
        "end ends begin begins start starts open opens close closes conclude concludes",
    ),
    *_pairs("order sequence course timeline chronology", "of"),
    *_pairs("what which the", "order"),
    *_pairs("over same", "time"),
}
_PLACES = "first last final finally eventually initially end ending beginning start middle"
_TIMES = frozenset({*_words(f"{_AFTER} {_WHILE} {_PLACES}"), *_CLAUSE, *_NEXT, *_COURSE})
_CHANGE = _pairs("change changes changed", ". over from during throughout as after when between in")
_REACTION = (
    "react reacts reacted reacting reaction respond responds responded responding response "
    "feel feels felt feeling"
)
_LOOK = {*_pairs("look looks", "like ."), ("like", ".")}

RULES = (
    _rule(
        "reason",
        _ALL,
        "c",
        "why reason reasons purpose cause causes caused causing motive motives motivates motivated "
        "motivation because rationale",
        _pairs("how", "come"),
    ),
    # How: a manner, which NExT-QA calls causal, unless it is a number, a state or a reaction.
    _rule(
        "how long",
        "how",
        "td",
        pairs={
            *_pairs("how", "long soon far fast early late"),
            *_pairs("many", "seconds minutes hours"),
        },
    ),
    _rule(
        "how many",
        "how",
        "d",
        pairs=_pairs(
            "how",
            "many much old big tall large small high wide deep heavy often crowded bright close",
        ),
    ),
    _rule("how it goes on", "how", "tcd", pairs={*_COURSE, *_CHANGE}),
    _rule("how one reacts", "how", "tdc", _REACTION),
    _rule(
        "how it looks",
        "how",
        "dc",
        "position positioned arranged dressed decorated furnished lit seated situated located "
        "related weather described characterize characterise mood atmosphere dress",
        {*_LOOK, ("you", "describe")},
    ),
    _rule("how", "how", "ctd"),
    # Intentions and effects, whatever else is in the question.
    _rule(
        "what is sought",
        "what",
        "dtc",
        pairs=_pairs("looking searching waiting reaching asking", "for"),
    ),
    _rule(
        "intention or effect",
        f"what {_WHICH} when none",
        "ctd",
        "prompted prompts triggered triggers intention intentions intend intends intended "
        "achieve accomplish result results consequence consequences outcome effect effects affect "
        "affects affected influence influences influenced impact impacts contribute contributes "
        "contributed significance importance trigger",
        {
            *_pairs(
                "what",
                "made makes led leads drives drove inspired inspires allows allowed enables "
                "enabled prevents prevented forces forced helps helped keeps kept convinced role",
            ),
            *_pairs("led leads lead leading order", "to"),
            *_pairs("what can could may might would", "explain explains"),
            *_pairs("goal aim point", "of"),
            *_pairs("the s", "aim"),
            *_pairs("would", "have happen"),
            *_pairs("what happen happens happened", "if"),
            *_pairs("what", "way manner"),
            ("for", "."),
        },
    ),
    _rule("explain", "when none", "ctd", "explain"),
    # What.
    _rule(
        "colour or relation",
        "what",
        "d",
        "relationship",
        _pairs("what the", "color colour colors colours"),
    ),
    _rule("what is used", "what", "dct", pairs=_pairs("use uses used using", "to")),
    _rule(
        "done for a purpose",
        "what",
        "ctd",
        pairs=_pairs("to", "make keep get prevent avoid ensure help show protect stop"),
    ),
    _rule(
        "done before or after",
        "what",
        "t",
        pairs=_pairs("do", "after before next right immediately just"),
    ),
    _rule(
        "what comes before or after",
        "what",
        "tdc",
        f"{_AFTER} first last final finally eventually follows",
        {
            *_COURSE,
            *_NEXT,
            ("following", "the"),
            *_pairs("what", "point moment time stage second"),
            ("place", "between"),
        },
    ),
    _rule("what is at the same time", "what", "tdc", _WHILE, _CLAUSE),
    _rule(
        "what kind of thing",
        "what",
        "d",
        pairs=_pairs(
            "what",
            "kind kinds type types sort sorts animal animals instrument instruments object objects "
            "material shape sport season",
        ),
    ),
    _rule(
        "what is done",
        "what",
        "tdc",
        f"doing happen happens happened occurs change changes {_REACTION}",
        {
            *_pairs(
                "do",
                ". to with at in on near for as upon by from again together twice every "
                "each around behind beside halfway under over between across along through",
            ),
            *_pairs("takes take took", "place"),
        },
    ),
    _rule(
        "how a thing is",
        "what when none",
        "d",
        "wearing wears worn location setting mood atmosphere appearance weather",
        _LOOK,
    ),
    _rule("what", "what", "dtc"),
    # Where, who and which ask for a thing, at times for the thing in an order.
    _rule("which comes before or after", f"where {_WHICH}", "td", _AFTER, _NEXT),
    _rule(
        "which is at the same time",
        _WHICH,
        "td",
        f"{_WHILE} happens happened occurs step steps event events",
        _CLAUSE,
    ),
    _rule("which is first", _WHICH, "dt", "first last"),
    _rule("where, who or which", f"where {_WHICH}", "d"),
    _rule("when", "when", "td", pairs=_pairs("when", "do does did is are was were will can has")),
    _rule("when it is so", "when", "tdc"),
    # Yes or no, or told to describe.
    _rule(
        "told in order", "none", "tdc", f"{_AFTER} {_WHILE} changes", {*_CLAUSE, *_COURSE, *_NEXT}
    ),
    _rule("none of these", "none", "dtc"),
)
# For each question word: cue to the first rule that has it.
_RANKS = {
    word: {
        cue: rank
        for rank, rule in reversed(list(enumerate(RULES)))
        if word in rule.asked
        for cue in rule.cues
    }
    for word in _ALL.split()
}
_CUES = {word: frozenset(ranks) for word, ranks in _RANKS.items()}
