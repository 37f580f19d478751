"""Classify questions as descriptive, temporal or causal. Pure functions that accept any text.

An ordered list of rules. A rule is for some question words, applies if the question has one of its
cues (a word, or two adjacent words; `.` is the end), and lists the kinds of such a question, the
likeliest first. The first rule that applies decides.
The kinds are those of NExT-QA: causal asks why and how; temporal asks before, during and after;
descriptive asks where, how many, and the rest.
"""

import re
from collections.abc import Iterator
from itertools import pairwise, product
from typing import Literal, NamedTuple, get_args

QuestionKind = Literal["descriptive", "temporal", "causal"]
QUESTION_KINDS: tuple[QuestionKind, ...] = get_args(QuestionKind)

Cue = str | tuple[str, ...]


class Rule(NamedTuple):
    """The kinds of a question with one of these cues; a rule without cues matches any question."""

    name: str
    asked: frozenset[str]
    cues: frozenset[Cue]
    kinds: tuple[QuestionKind, ...]


def question_kind(question: str) -> QuestionKind:
    """Return the likeliest kind of a question; `descriptive` where no rule knows it."""
    return possible_kinds(question)[0]


def possible_kinds(question: str) -> tuple[QuestionKind, ...]:
    """Return all kinds a question may be of, the likeliest first."""
    asked, seen = _parts(question)
    kinds = _decide(asked, seen).kinds
    # A state may depend on the time.
    if kinds == ("descriptive",) and not seen.isdisjoint(_TIMES):
        return ("descriptive", "temporal")
    return kinds


def deciding_rule(question: str) -> Rule:
    return _decide(*_parts(question))


def _decide(asked: str, seen: set[Cue]) -> Rule:
    return RULES[min(map(_RANKS[asked].__getitem__, _CUES[asked] & seen))]


def _parts(question: str) -> tuple[str, set[Cue]]:
    """Return the question word, or `none`, and all possible cues."""
    words = _WORD.findall(question[:_LONGEST].lower())
    return _asked(words), {_ANY, *words, *pairwise([*words, "."])}


def _asked(words: list[str]) -> str:
    """Return the word that asks; others, most often `when`, only join clauses."""
    if words and words[0] in _OPENINGS:
        return words[0]
    for group in _ASKING:
        for word in words:
            if word in group:
                return word
    return "none"


def _cues(text: str) -> frozenset[Cue]:
    """Parse cues: words, and `a b + c d` for every pair of a word before and a word after `+`."""
    cues = set[Cue]()
    for part in text.split(","):
        first, plus, second = part.partition("+")
        cues.update(product(first.split(), second.split()) if plus else first.split())
    return frozenset(cues)


def _rules(table: str) -> Iterator[Rule]:
    """Parse rules; `kinds` are first letters, the likeliest kind first."""
    named = {kind[0]: kind for kind in QUESTION_KINDS}
    for row in table.strip().removesuffix(";").split(";"):
        name, asked, kinds, cues = map(str.strip, row.split("|"))
        of_kinds = tuple(named[letter] for letter in kinds)
        yield Rule(name, frozenset(asked.split()), _cues(cues) or frozenset({_ANY}), of_kinds)


_WORD = re.compile("[a-z]+")
_LONGEST = 1000  # characters; the kind of a question shows in its first sentences
_ANY = ""

_WHICH = "who whom whose which"
_OPENINGS = frozenset(f"how what where {_WHICH}".split())
_ASKING = tuple(frozenset(group.split()) for group in ("how what", f"where {_WHICH}", "when"))
_ALL = f"how what where {_WHICH} when none"

_AFTER = "after before then afterwards afterward later subsequently previously prior"
_NEXT = "do happen happens happened come comes the + next, next + ."
_WHILE = "while when during once until till meanwhile"
_CLAUSE = "as + the he she they it his her their one both two another someone people"
_COURSE = """progress progresses unfold unfolds evolve evolves throughout sequence transitions
    chronological chronologically steps stages, step + by, what which the + order, over same + time,
    order sequence course timeline chronology + of, video clip scene film story footage +
    end ends begin begins start starts open opens close closes conclude concludes"""
_PLACES = "first last final finally eventually initially end ending beginning start middle"
_TIMES = _cues(f"{_AFTER} {_WHILE} {_PLACES}, {_CLAUSE}, {_NEXT}, {_COURSE}")
_CHANGE = "change changes changed + . over from during throughout as after when between in"
_REACTION = """react reacts reacted reacting reaction respond responds responded responding response
    feel feels felt feeling"""
_LOOK = "look looks + like ., like + ."

# Name | question words | kinds | cues. How: a manner, which NExT-QA calls causal, unless it is a
# number, a state or a reaction. Intentions and effects come before the other rules for `what`.
# Where, who and which ask for a thing, at times for the thing in an order. The last rules are for
# yes-no questions and requests.
RULES = tuple(
    _rules(f"""
reason | {_ALL} | c | why reason reasons purpose cause causes caused causing motive motives
    motivates motivated motivation because rationale, how + come;

how long | how | td | how + long soon far fast early late, many + seconds minutes hours;
how many | how | d | how + many much old big tall large small high wide deep heavy often crowded
    bright close;
how it goes on | how | tcd | {_COURSE}, {_CHANGE};
how one reacts | how | tdc | {_REACTION};
how it looks | how | dc | position positioned arranged dressed decorated furnished lit seated
    situated located related weather described characterize characterise mood atmosphere dress,
    {_LOOK}, you + describe;
how | how | ctd | ;

what is sought | what | dtc | looking searching waiting reaching asking + for;
intention or effect | what {_WHICH} when none | ctd | prompted prompts triggered triggers intention
    intentions intend intends intended achieve accomplish result results consequence consequences
    outcome effect effects affect affects affected influence influences influenced impact impacts
    contribute contributes contributed significance importance trigger,
    what + made makes led leads drives drove inspired inspires allows allowed enables enabled
        prevents prevented forces forced helps helped keeps kept convinced role,
    led leads lead leading order + to, what can could may might would + explain explains,
    goal aim point + of, the s + aim, would + have happen, what happen happens happened + if,
    what + way manner, for + .;
explain | when none | ctd | explain;
colour or relation | what | d | relationship, what the + color colour colors colours;
what is used | what | dct | use uses used using + to;
done for a purpose | what | ctd | to + make keep get prevent avoid ensure help show protect stop;
done before or after | what | t | do + after before next right immediately just;
what comes before or after | what | tdc | {_AFTER} first last final finally eventually follows,
    {_COURSE}, {_NEXT}, following + the, what + point moment time stage second, place + between;
what is at the same time | what | tdc | {_WHILE}, {_CLAUSE};
what kind of thing | what | d | what + kind kinds type types sort sorts animal animals instrument
    instruments object objects material shape sport season;
what is done | what | tdc | doing happen happens happened occurs change changes {_REACTION},
    do + . to with at in on near for as upon by from again together twice every each around behind
        beside halfway under over between across along through, takes take took + place;
how a thing is | what when none | d | wearing wears worn location setting mood atmosphere
    appearance weather, {_LOOK};
what | what | dtc | ;

which comes before or after | where {_WHICH} | td | {_AFTER}, {_NEXT};
which is at the same time | {_WHICH} | td | {_WHILE} happens happened occurs step steps event
    events, {_CLAUSE};
which is first | {_WHICH} | dt | first last;
where, who or which | where {_WHICH} | d | ;
when | when | td | when + do does did is are was were will can has;
when it is so | when | tdc | ;

told in order | none | tdc | {_AFTER} {_WHILE} changes, {_CLAUSE}, {_COURSE}, {_NEXT};
none of these | none | dtc | ;
""")
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
