"""The faults of a sloppy model in one text, each a function by the code of the check that finds it.

A blunder takes the text and its place in the sample, and returns the text with the fault, or None
where the fault does not fit: a contradiction, for example, needs evidence to contradict.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random
from typing import Literal, NamedTuple

import orjson

from benchmarks.quality.contradictions import (
    deny,
    name_late_time,
    other_colour,
    other_number,
    other_order,
)
from benchmarks.quality.evidence import sentences
from benchmarks.quality.wordings import ANSWERS, DULL, ELSEWHERE, OTHER_KINDS, QUESTIONS

Side = Literal["question", "answer"]


class Place(NamedTuple):
    """A text and its place in a sample.

    Attributes:
        kind: of the turn, `description` for a description.
        prompt: all texts of the user.
        earlier: the questions of the turns before.
    """

    text: str
    side: str
    kind: str
    prompt: str
    earlier: tuple[str, ...] = ()

    @property
    def is_answer(self) -> bool:
        """Whether it is an answer or a description."""
        return self.side == "answer"


Blunder = Callable[[Place, Random], str | None]

_FENCE_LINE = re.compile(r"^=== \w+ \w{16,64} ===$|^=== end of \w+ \w{16,64} ===$", re.MULTILINE)
_LONG = 30  # characters; shorter sentences may well come twice


def _slip(code: str, place: Place, random: Random) -> str | None:
    """Words of a table around the text."""
    wordings = (ANSWERS if place.is_answer else QUESTIONS).get(code)
    if wordings is None:
        return None
    return random.choice(wordings).replace("@", place.text)


def _in_json(place: Place, random: Random) -> str | None:
    if not place.is_answer:
        return None
    escaped = orjson.dumps(place.text).decode()[1:-1]
    return random.choice(ANSWERS["json-left"]).replace("@", escaped)


def _fence(place: Place, random: Random) -> str | None:
    lines = _FENCE_LINE.findall(place.prompt)
    if not lines:
        return None
    text, line = place.text, random.choice(lines)
    forms = (
        f"{text}\n{lines[-1]}",
        f"{lines[0]}\n{text}",
        f"{lines[0]}\n{text}\n{lines[-1]}",
        f"{text} {line}",
        f"{line} {text}",
    )
    return random.choice(forms)


def _nothing(_: Place, random: Random) -> str | None:
    return random.choice(("", " ", "\n", "\n\n", "\t", "\u00a0"))


def _short(place: Place, random: Random) -> str | None:
    if place.is_answer and place.kind == "causal":
        return random.choice(ANSWERS["too-short"])
    if place.kind != "description":
        return None
    head = " ".join(place.text.split()[: random.randint(4, 8)]).rstrip(".,;:")
    brief = ("A short video.", "Someone does something.", "It shows a scene.", "A person moves.")
    return random.choice((*brief, f"{head}.", f"{head}."))


def _long(place: Place, random: Random) -> str | None:
    if not place.is_answer:
        return None
    nouns = re.findall(r"[a-z]{4,}", place.text) or ["scene"]
    form = random.choice(DULL)
    count = 40 if place.kind == "description" else 15
    told = [form.format(n=at, noun=random.choice(nouns)) for at in range(2, count)]
    return " ".join([place.text, *told])


def _broken_off(place: Place, random: Random) -> str | None:
    words = place.text.split()
    if not place.is_answer or len(words) < 6:
        return None
    least = 14 if place.kind == "description" else 4
    at = random.randint(min(least, len(words) - 2), len(words) - 2)
    kept = " ".join(words[:at]).rstrip(".!?,;:\"'")
    whole = place.text.rstrip(".!?\"'")
    forms = (kept, f"{kept},", f"{kept} and", f"{kept}:", f"{whole} \u2014", whole, f"{kept}-")
    return random.choice(forms)


def _again(place: Place, random: Random) -> str | None:
    told = [each.strip() for each in sentences(place.text)]
    long = [at for at, each in enumerate(told) if len(each) > _LONG and '"' not in each]
    if not place.is_answer or not long:
        return None
    at = random.choice(long)
    clause = told[at].rstrip(".!?")
    forms = (
        [*told[: at + 1], told[at], *told[at + 1 :]],
        [*told, told[at]],
        [*told, *told],
        [*told[:at], f"{', '.join([clause, *[clause[:1].lower() + clause[1:]] * 3])}."],
        [*told, " ".join(["and so it goes on"] * 6) + "."],
        [*told, *[told[at]] * 3],
    )
    return " ".join(random.choice(forms))


def _ask_again(place: Place, random: Random) -> str | None:
    if place.is_answer or not place.earlier:
        return None
    asked = random.choice(place.earlier)
    small = asked[:1].lower() + asked[1:]
    forms = (
        asked,
        f"In this video, {small}",
        f"Can you tell me {small}",
        f"So, {small}",
        f"{asked.rstrip('?')} in the clip?",
        f"Please tell me: {small}",
    )
    return random.choice(forms)


def _other_kind(place: Place, random: Random) -> str | None:
    questions = OTHER_KINDS.get(place.kind)
    return None if place.is_answer or questions is None else random.choice(questions)


def _refer_back(place: Place, random: Random) -> str | None:
    return _slip("refers-back", place, random) if place.earlier else None


def _elsewhere(place: Place, random: Random) -> str | None:
    if not place.is_answer:
        return None
    count = 4 if place.kind == "description" else 1
    known = place.prompt.lower()
    strange = [each for each in ELSEWHERE if not _shares_words(each, known)]
    return " ".join(random.sample(strange, count)) if len(strange) >= count else None


def _shares_words(sentence: str, known: str) -> bool:
    """Whether the prompt has several of the long words of a sentence."""
    words: Sequence[str] = re.findall(r"[a-z]{5,}", sentence.lower())
    return sum(word[:5] in known for word in words) > 1


def _against(
    contradict: Callable[[str, str, Random], str | None], place: Place, random: Random
) -> str | None:
    return contradict(place.text, place.prompt, random) if place.is_answer else None


_SLIPS = (
    "media-tag", "chat-template", "prompt-fragment", "markup", "code-fence", "markdown",
    "evidence-mention",
    "assistant-talk", "refusal", "hedge", "aside", "wrong-language",
)  # fmt: skip
BLUNDERS: Mapping[str, Blunder] = {
    **{code: partial(_slip, code) for code in _SLIPS},
    "fence-leak": _fence,
    "empty": _nothing,
    "json-left": _in_json,
    "too-short": _short,
    "too-long": _long,
    "no-sentence-end": _broken_off,
    "repetition": _again,
    "duplicate-question": _ask_again,
    "wrong-kind": _other_kind,
    "refers-back": _refer_back,
    "ungrounded": _elsewhere,
    "order": partial(_against, other_order),
    "time-past-end": partial(_against, name_late_time),
    "number-contradicted": partial(_against, other_number),
    "colour-contradicted": partial(_against, other_colour),
    "negation-contradicted": partial(_against, deny),
}
"""A function for each code that a reply can show."""
