"""Turn captions into English clauses: lower case, no final stop, fit for any sentence pattern.

| a caption like | becomes |
|---|---|
| once it is hot, add the peas | once it is hot, someone is seen to add the peas |
| polishing a boot | someone is seen polishing a boot |
| add salt | someone is seen to add salt |
| cuts lettuce | someone cuts lettuce |
| woman rows a boat | a woman rows a boat |
| Young man in a boat | the camera shows a young man in a boat |
"""

import re
from collections.abc import Sequence
from itertools import pairwise, takewhile


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_DETERMINERS = _words("""
    a all an another both each every few five four her his many my one our several six some someone
    that the their these this those three two your
""")
_PREPOSITIONS = _words("""
    above across after against along among around as at before behind below beside between by down
    during for from in inside into near of off on onto out outside over past through to toward under
    until up while with without
""")
_FINITE = _words("are began came can did do does got had has have is ran stood took was went were")
_SUBORDINATE = _words("after as if once when while")
_SIDE_CLAUSE = _SUBORDINATE | _words("so that till until which who")
_OPENERS = _SUBORDINATE | _words("he i it she there they we who you")
_OBJECTS = _DETERMINERS | {"it", "them"}
_NOT_DOING = _words(
    "bring building ceiling clothing during evening fling morning painting string swing thing"
)
_PLURAL = _words("children hands kids men people women")
_NOT_BEFORE_VERB = _DETERMINERS | _PREPOSITIONS
_UNCOUNTED = _words("fire fog food footage how music nature rain smoke snow traffic water")
_NO_ARTICLE = _DETERMINERS | _PREPOSITIONS | _OPENERS | _PLURAL | _UNCOUNTED
PEOPLE = {
    "he": ("man", "boy", "guy", "fisherman"),
    "she": ("woman", "girl", "lady"),
    "they": ("men", "women", "boys", "girls", "people", "children"),
}
_SUBJECTS = (
    _DETERMINERS | _PLURAL | {*PEOPLE["he"], *PEOPLE["she"]} | _words("person child dog cat")
)
_NO_VERB = _SUBJECTS | _NO_ARTICLE
_MARKUP = re.compile(r"<[^<>]*>|[`*_#]{2,}")
_ORDER_WORDS = re.compile(
    r"^(?:(?:and|then|next|finally|lastly|now|first|also|again|afterwards?|(?:after|following) this"
    r"|after that|at (?:first|last)|in the (?:beginning|end)|meanwhile)\b,? *)+(?=\w)",
    re.IGNORECASE,
)
_VIEW = re.compile(r"\b(in|into|out of) (?:the )?frame\b", re.IGNORECASE)
# A viewer of the video would not name the text about it.
_TEXT = re.compile(
    r"\b(?:caption|description|evidence|frame(?=s)|tag|transcript)(s?)\b", re.IGNORECASE
)
_SENTENCE_END = re.compile(
    r"(?<=[.!?])\s+|(?<=[.!?][\"'\u201d\u2019)])\s+|(?<=[\u3002\uff01\uff1f])"
)


def sentences(text: str) -> list[str]:
    """The sentences of a text."""
    return [part for part in map(str.strip, _SENTENCE_END.split(text)) if part]


def sentence(clause: str) -> str:
    """The clause with a capital and a stop."""
    return clause[:1].upper() + clause[1:] + ("" if clause.endswith((".", "!", "?")) else ".")


def listed(items: Sequence[str]) -> str:
    """`a, b and c`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def is_foreign(text: str) -> bool:
    """Whether most letters belong to another script than English."""
    letters = [letter for letter in text if letter.isalpha()]
    return not text.isascii() and 2 * sum(letter > "\u024f" for letter in letters) > len(letters)


def tidy(text: str) -> str:
    """A caption without markup, doubled words and outer punctuation."""
    words = _MARKUP.sub(" ", text).split()
    words = words[:1] + [word for before, word in pairwise(words) if word != before]
    plain = _VIEW.sub(r"\1 view", " ".join(words))
    return _TEXT.sub(r"sign\1", plain).strip(" .,;:!?-")


def noun_phrase(text: str) -> str:
    """The phrase in lower case, with an article where it needs one."""
    first, _, rest = text.partition(" ")
    is_name = first == "I" or first[1:] != first[1:].lower() or rest[:1].isupper()
    lower = text if is_name else text[:1].lower() + text[1:]
    words = text.lower().replace(",", "").split()
    ends = (at for at, word in enumerate(words) if word in _PREPOSITIONS or _is_doing(word))
    head = words[max(0, next(ends, len(words)) - 1)]
    takes_none = any(word in _NO_ARTICLE or _is_plural(word) for word in (words[0], head))
    if takes_none or not lower[0].isalpha() or first.endswith(("ing", "ly")):
        return lower
    return f"{'an' if lower[0] in 'aeiouAEIOU' else 'a'} {lower}"


def clause(text: str) -> str:
    """The clause of one sentence of a caption; empty if it has no words."""
    plain = _ORDER_WORDS.sub("", tidy(text))
    words = plain.lower().replace(",", "").split()
    if not words:
        return ""
    lower, first, second = plain[:1].lower() + plain[1:], words[0], words[1] if words[1:] else ""
    if first in _OPENERS:
        side, _, main = lower.partition(", ")
        is_order = first in _SUBORDINATE and main and main.partition(" ")[0] not in _NO_VERB
        return f"{side}, {_as_deed(main)}" if is_order else lower
    if _is_doing(first):
        return f"someone is seen {lower}"
    before_side_clause = takewhile(lambda word: word not in _SIDE_CLAUSE, words)
    is_finite = not _FINITE.isdisjoint(before_side_clause) or text.rstrip().endswith(".")
    if first not in _NO_VERB and (second in _OBJECTS or (plain[0].islower() and not is_finite)):
        return _as_deed(lower)
    is_sentence = is_finite or (first in _SUBJECTS and _has_verb(words))
    return noun_phrase(plain) if is_sentence else f"the camera shows {noun_phrase(plain)}"


def _as_deed(order: str) -> str:
    """The clause of a phrase that begins with a verb: an order, or one that lacks its subject."""
    first = order.partition(" ")[0]
    return f"someone {order}" if _is_plural(first) else f"someone is seen to {order}"


def _has_verb(words: Sequence[str]) -> bool:
    """Whether a word looks like the third person of a verb, at the end only of short ones."""
    pairs = pairwise(words if _PREPOSITIONS.isdisjoint(words) else words[:-1])
    return any(_is_plural(word) and before not in _NOT_BEFORE_VERB for before, word in pairs)


def _is_plural(word: str) -> bool:
    """Whether it is a plural, or looks like one, as the third person of a verb does."""
    return word in _PLURAL or (word.endswith("s") and not word.endswith(("ss", "us", "is")))


def _is_doing(word: str) -> bool:
    return word.endswith("ing") and len(word) > 4 and word not in _NOT_DOING
