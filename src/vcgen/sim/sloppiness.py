"""A careless model: now and then, at a known rate, it makes one fault of a known kind.

Pure. Which fault a reply has is drawn from the request's seed and can be told afterwards by `plant`
alone; the reply carries no mark of it. Asked again with what was wrong, it mostly does better.
"""

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from random import Random
from typing import Any, NamedTuple

import orjson

from vcgen.sim.blunders import BLUNDERS, Place

RATES: Mapping[str, float] = dict.fromkeys(BLUNDERS, 0.012)
"""The share of first replies that a fault is drawn for; it is left out where it has no place."""
MENDED = 0.8
"""The share of replies without any fault, of those to a request to write it again."""

_REPAIR = "reply cannot be used"
_ASK_ONE = re.compile(r"ask one (\w+) question\b")
_ANSWER = "answer that question"
_LANGUAGE = re.compile(r"^- Write in (?!English)", re.MULTILINE)
_OF_QUESTIONS = 0.3
_TOTALS = tuple(accumulate(RATES.values()))
_CODES = tuple(RATES)


class Planted(NamedTuple):
    """A reply, and the code of the fault it was given, None for most."""

    text: str
    code: str | None


def be_sloppy(reply: str, said: Sequence[tuple[str, str]], seed: str) -> str:
    """The plain model's reply, at times with a fault; arguments as of `plant`."""
    return plant(reply, said, seed).text


def plant(reply: str, said: Sequence[tuple[str, str]], seed: str) -> Planted:
    """The reply with at most one fault of `RATES`, and which it is.

    Args:
        reply: of the plain model.
        said: roles and texts of the prompt's messages.
        seed: of the request.
    """
    random = Random(f"sloppy {seed}")
    drawn = random.random()
    if _REPAIR in said[-1][1]:
        drawn = (drawn - MENDED) / (1 - MENDED) * _TOTALS[-1] if drawn >= MENDED else 1.0
    at = bisect_right(_TOTALS, drawn)
    if at == len(_CODES) or any(_LANGUAGE.search(text) for _, text in said):
        return Planted(reply, None)
    code = _CODES[at]
    text = _spoilt(reply, said, code, random)
    return Planted(reply, None) if text is None else Planted(text, code)


def _spoilt(reply: str, said: Sequence[tuple[str, str]], code: str, random: Random) -> str | None:
    """The reply with a fault, None if there is no place for it."""
    prompt = "\n".join(text for role, text in said if role == "user")
    if reply.startswith(("{", "[")):
        return _spoilt_turns(reply, prompt, code, random)
    questions = [text for role, text in said if role == "assistant" and text.endswith("?")]
    asked = _ASK_ONE.findall(prompt)
    if not asked:
        place = Place(reply, "answer", "description", prompt)
    elif prompt.rfind(_ANSWER) > prompt.rfind("ask one "):
        place = Place(reply, "answer", asked[-1], prompt, tuple(questions[:-1]))
    else:
        place = Place(reply, "question", asked[-1], prompt, tuple(questions))
    return BLUNDERS[code](place, random)


def _spoilt_turns(reply: str, prompt: str, code: str, random: Random) -> str | None:
    try:
        value: Any = orjson.loads(reply)
    except orjson.JSONDecodeError:  # an answer that begins as JSON does, of evidence that does
        return None
    turns = value.get("turns") if isinstance(value, dict) else None
    if not turns or not {"kind", "question", "answer"} <= turns[0].keys():
        return None
    first = "question" if random.random() < _OF_QUESTIONS else "answer"
    order = random.sample(range(len(turns)), len(turns))
    for side in (first, "answer" if first == "question" else "question"):
        for at in order:
            earlier = tuple(turn["question"] for turn in turns[:at])
            place = Place(turns[at][side], side, turns[at]["kind"], prompt, earlier)
            text = BLUNDERS[code](place, random)
            if text is not None:
                turns[at][side] = text
                return orjson.dumps(value).decode()
    return None
