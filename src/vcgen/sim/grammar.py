"""A modest grammar: the words of captions become clauses that can stand in any sentence.

Captions come as sentences ("A man is seen speaking."), as orders ("pick the ends off"), without a
subject ("cuts lettuce"), and as noun phrases ("Young woman walking on the beach").
A clause starts in lower case and has no final stop: "someone picks the ends off".
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from vcgen.sim.wording import tidy
from vcgen.sim.words import (
    AMBIGUOUS,
    COMMON,
    DETERMINERS,
    FINITE,
    NOT_COUNTED,
    NOT_DOING,
    PLURAL,
    PREPOSITIONS,
    PRONOUNS,
    THINGS_AFTER_ING,
    VERBS,
    word_set,
)

PERSON = "someone"

_SUBORDINATE = frozenset({"as", "once", "when", "after", "while", "if", "using"})
_SUBJECTS = frozenset({"he", "she", "they", "we"})
_CONTINUING = frozenset({"continue", "keep", "start", "stop", "begin", "finish", "practice"})
_ENDS_HEAD = PREPOSITIONS | FINITE | {"and"}
_NO_ARTICLE = DETERMINERS | PRONOUNS | PREPOSITIONS
_NOT_AFTER_VERB = FINITE | {"of", ""}
_NO_SUBJECT = FINITE | _SUBJECTS
_NOT_BEFORE_ORDER = DETERMINERS | PREPOSITIONS | (VERBS - AMBIGUOUS) | (PRONOUNS - {"it"})
_NOT_BEFORE_TELLING = PREPOSITIONS | DETERMINERS
_ENDS_SUBJECT = (PREPOSITIONS - {"of", "in", "on", "with"}) | {"who", "that"}

_ORDER_WORDS = re.compile(
    r"^(?:(?:and|then|next|finally|lastly|now|first|afterwards?|after (?:that|this)|also|again"
    r"|in the (?:beginning|end)|at (?:first|last))\b,? *|(?:after|suddenly|once done), *)+(?=\w)",
    re.IGNORECASE,
)
_WE_SEE = re.compile(
    r"^we (?:then |now |also |again |can )*(?:see|watch)\b(?: that)? *", re.IGNORECASE
)
_COMPOUND = re.compile(r"([Ss]tir|[Dd]eep|[Pp]ressure|[Cc]lose) (?=fry\b|cook\b|up of\b)")


class Clause(NamedTuple):
    """A clause, and where it tells what somebody does, that deed as an order: `add salt`."""

    text: str
    deed: str = ""


def to_clause(text: str, shows: str = "the camera shows") -> Clause:
    """The clause that a caption stands for; a noun phrase is what the camera `shows`."""
    plain = _ORDER_WORDS.sub("", tidy(text))
    if " fry" in plain or " cook" in plain or " up of" in plain:
        plain = _COMPOUND.sub(r"\1-", plain)
    if seen := _WE_SEE.match(plain):
        return Clause(f"{shows} {noun_phrase(plain[seen.end() :])}")
    words = plain.split()
    if not words:
        return Clause("")
    if (at := _order_at(words)) is not None:
        return _from_order(words, at)
    first = words[0].lower()
    following = words[1].lower() if len(words) > 1 else ""
    if _third_person_base(first) and following not in _NOT_AFTER_VERB:
        return Clause(f"{PERSON} {_lower(plain)}")
    if _is_doing(first, following) and _NO_SUBJECT.isdisjoint(words):
        return Clause(f"{PERSON} is {_lower(plain)}")
    return _from_phrase(words, shows)


def noun_phrase(text: str) -> str:
    """The phrase in lower case, with an article where it needs one."""
    words = text.split()
    first = words[0].lower() if words else ""
    if not first or first == "how" or _stands_alone(first):
        return _lower(text)
    head = first
    for at, word in enumerate(words[1:], 1):
        lower = word.lower()
        if lower in _ENDS_HEAD or _is_doing(word, "") or head.endswith(","):
            break
        if _third_person_base(lower.rstrip(",")) or _is_verb(words, at):
            break
        head = lower
    if _is_plural(head.strip(",")) or head.strip(",") in NOT_COUNTED:
        return _lower(text)
    return f"{'an' if first[0] in 'aeiou' else 'a'} {_lower(text)}"


def _stands_alone(first: str) -> bool:
    """Whether a phrase that begins with this word takes no article."""
    return (
        first.partition("'")[0] in _NO_ARTICLE
        or first[0].isdigit()
        or first.rstrip(",").endswith("ly")
        or _is_doing(first, "")
    )


def is_naming(word: str) -> bool:
    """Whether a lower-case word is likely to name a thing worth coming back to."""
    return not (word in _NOT_NAMING or word.endswith(("ing", "ed", "ly")))


def third_person(verb: str) -> str:
    """`add` -> `adds`, `mix` -> `mixes`, `fry` -> `fries`."""
    if verb.endswith(("s", "x", "z", "ch", "sh", "o")):
        return verb + "es"
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb[:-1] + "ies"
    return verb + "s"


_THIRD_PERSON = {third_person(verb): verb for verb in VERBS}


_NOT_NAMING = COMMON | VERBS | FINITE | PREPOSITIONS | _THIRD_PERSON.keys()


def _third_person_base(word: str) -> str:
    return _THIRD_PERSON.get(word, "")


def _lower(text: str) -> str:
    first, _, rest = text.partition(" ")
    is_name = first == "I" or first[1:] != first[1:].lower() or rest[:1].isupper()
    return text if is_name else text[:1].lower() + text[1:]


def _is_doing(word: str, following: str) -> bool:
    lower = word.lower().rstrip(",")
    return (
        lower.endswith("ing")
        and len(lower) > 4
        and lower not in NOT_DOING
        and following.lower().rstrip(",") not in THINGS_AFTER_ING
    )


def _is_plural(word: str) -> bool:
    return word in PLURAL or (word.endswith("s") and not word.endswith(("ss", "us", "is")))


def _order_at(words: Sequence[str]) -> int | None:
    """Where the verb of an order stands: at the start, after an adverb, or after a side clause."""
    first = words[0].lower()
    if first in _SUBORDINATE:
        return _order_after_side_clause(words)
    at = 1 if first.endswith("ly") and len(words) > 1 else 0
    verb = words[at].lower().rstrip(",")
    if verb not in VERBS or any(word.lower() in FINITE for word in words[at + 1 : at + 3]):
        return None
    following = words[at + 1].lower() if len(words) > at + 1 else ""
    if following == "of" or _third_person_base(following):
        return None
    return None if _is_doing(following, "") and verb not in _CONTINUING else at


def _order_after_side_clause(words: Sequence[str]) -> int | None:
    """The order's verb in "once the oil is hot add the garlic": after the comma if there is one."""
    has_comma = any(word.endswith(",") for word in words)
    if not has_comma and not words[0].islower():
        return None
    for at in range(3, len(words)):
        if _starts_order(words, at) and (not has_comma or words[at - 1].endswith(",")):
            return at
    return None


def _starts_order(words: Sequence[str], at: int) -> bool:
    """Whether a verb inside begins one more order: "add oil stir and cook"."""
    word = words[at].lower().rstrip(",")
    if word not in VERBS:
        return False
    before = words[at - 1].lower()
    if before.endswith("ly") and at > 1:
        before = words[at - 2].lower()
    following = words[at + 1].lower() if at + 1 < len(words) else ""
    if before in {"and", "then"} or before.endswith(","):
        ends = not following and word not in NOT_COUNTED
        is_verb = following in _AFTER_VERB or following.endswith("ly")
        return word not in AMBIGUOUS or is_verb or ends
    return (
        (word not in AMBIGUOUS or following in _OBJECT_STARTS)
        and before not in _NOT_BEFORE_ORDER
        and (following != "" or words[at - 2].lower() not in {"a", "an"})
        and not before.endswith(("n't", "not"))
    )


_OBJECT_STARTS = frozenset({"the", "a", "an", "it", "them", "some"})
_AFTER_VERB = word_set(
    "the a an it them some with in on into onto over to for each all aside together until again up"
)


def _from_order(words: Sequence[str], at: int) -> Clause:
    told, deed = [PERSON] if at == 0 or words[0].endswith("ly") else [], list(words)
    for index, word in enumerate(words):
        if index != at and not (index > at and _starts_order(words, index)):
            told.append(_lower(word) if index == 0 else word)
            continue
        glue = index and words[index - 1].lower()
        back = 2 if index > at and str(glue).endswith("ly") else 1
        if index > at and told[-back] not in {"and", "then"} and not told[-back].endswith(","):
            told[-back] += ","
            deed[index - back] += ","
        if index == at and told[0] != PERSON:
            told[-1] = told[-1].rstrip(",") + ","
            told.append(PERSON)
        verb = word.rstrip(",")
        told.append(third_person(verb.lower()) + word[len(verb) :])
    deed[0] = _lower(deed[0])
    return Clause(" ".join(told), " ".join(deed) if told[0] == PERSON else "")


def _from_phrase(words: Sequence[str], shows: str) -> Clause:
    text = " ".join(words)
    first = words[0].lower()
    if first.rstrip(",") in _SUBORDINATE or (_stands_alone(first) and first not in DETERMINERS):
        return Clause(_lower(text))
    doing = None
    for at, word in enumerate(words[1:], 1):
        lower = word.lower()
        if lower in FINITE or _is_verb(words, at):
            return Clause(noun_phrase(text))
        if _is_doing(word, words[at + 1] if at + 1 < len(words) else ""):
            doing = at
            break
        if lower in _ENDS_SUBJECT:
            break
    if any(_is_told(words, at) for at in range((doing or 0) + 1, len(words))):
        return Clause(noun_phrase(text))
    if doing is None or not PREPOSITIONS.isdisjoint(words[:doing]) or words[doing - 1] == "and":
        return Clause(f"{shows} {noun_phrase(text)}")
    if DETERMINERS.issuperset(word.lower() for word in words[:doing]):
        return Clause(f"{shows} {noun_phrase(text)}")
    subject = noun_phrase(" ".join(words[:doing])).rstrip(",")
    is_many = "and" in words[:doing] or first in PLURAL or _is_plural(words[doing - 1].lower())
    return Clause(f"{subject} {'are' if is_many else 'is'} {' '.join(words[doing:])}")


def _is_told(words: Sequence[str], at: int) -> bool:
    """Whether a verb that needs no helper stands here, however far from its subject."""
    word, before = words[at].lower().rstrip(","), words[at - 1].lower()
    if word in FINITE:
        return True
    if word.endswith("ed"):
        return at + 1 < len(words) and words[at + 1].lower() in _AFTER_PAST
    return before not in _NOT_BEFORE_TELLING and bool(_third_person_base(word))


_AFTER_PAST = frozenset({"the", "a", "an", "it", "them", "his", "her", "up", "off", "out"})


def _is_verb(words: Sequence[str], at: int) -> bool:
    """Whether this word is the verb of a sentence whose subject is all before it."""
    word, before = words[at].lower().rstrip(","), words[at - 1].lower()
    if before in {"then", "also", "both", "all"} and at > 2:
        before = words[at - 2].lower()
    if before in PREPOSITIONS or before in DETERMINERS - {"someone", "one", "another"}:
        return False
    if _third_person_base(word):
        return True
    if _is_plural(before):
        return word in VERBS
    is_single = words[0].lower() in {"a", "an", "the", "one", "another", "someone", "this"}
    follows_noun = before not in {"young", "old", "small", "large", "little", "big", "other"}
    ends_as_verb = word.endswith("s") and not word.endswith(("ss", "us"))
    return is_single and follows_noun and ends_as_verb and at + 1 < len(words)
