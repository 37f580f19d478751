"""Read the evidence of a prompt: the events with their times, some written as orders."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

_EVIDENCE = re.compile(r"(?ms)^=== evidence (\w+) ===\n(.*?)\n=== end of evidence \1 ===$")
_DURATION = re.compile(r"^Length of the video: ([\d.]+) seconds$", re.MULTILINE)
_EVENT = re.compile(r"^\[([\d.]+)(?:-([\d.]+))?\] (?!\()(.+?)[ .,;:!?-]*$", re.MULTILINE)
_SENTENCE = re.compile(r"\S.*?(?:[.!?]+[\"'\u201d\u2019)\]]*(?=\s|$)|$)\s*", re.DOTALL)
_ORDERS = frozenset(
    """
    add attach bake beat blend boil break bring brush chop close coat combine cook cover crack crush
    cut dice dip drain drop dry fill flip fold fry grate grill heat hold knead lift marinate mash
    melt microwave mix open peel place pour press pull push put remove rinse roast roll rub season
    serve shake sift simmer slice soak spread sprinkle squeeze steam stir strain stretch take tie
    toast toss turn wash whisk wipe wrap
    """.split()  # noqa: SIM905 - a list to be read
)


class Event(NamedTuple):
    """A line of the evidence on something seen.

    Attributes:
        start, end: in seconds.
        text: in lower case at its start, without a final stop.
        order: the text where it is an order such as "melt the butter", else empty.
    """

    start: float
    end: float
    text: str
    order: str


class Evidence(NamedTuple):
    """Attributes: the duration in seconds as written, all lines, and the events in their order."""

    duration: str
    text: str
    events: Sequence[Event]


@lru_cache(maxsize=64)
def read(prompt: str) -> Evidence:
    """The evidence between the fence lines of a prompt, empty without any."""
    fenced = _EVIDENCE.search(prompt)
    text = fenced[2] if fenced else ""
    duration = _DURATION.search(text)
    events = [_event(*match.groups()) for match in _EVENT.finditer(text)]
    return Evidence(duration[1] if duration else "", text, events)


def _event(start: str, end: str | None, text: str) -> Event:
    text = text[:1].lower() + text[1:]
    words = text.split()
    is_order = len(words) > 1 and words[0] in _ORDERS
    return Event(float(start), float(end or start), text, text if is_order else "")


def sentences(text: str) -> list[str]:
    """The sentences of a text, each with the white space that follows it."""
    return _SENTENCE.findall(text)


def sentence(clause: str) -> str:
    """The clause with a capital and a stop."""
    return clause[:1].upper() + clause[1:] + ("" if clause.endswith((".", "!", "?")) else ".")
