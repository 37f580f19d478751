"""A sloppy model: at a known rate, its replies have one fault of a known kind.

Pure. The request's seed decides which fault a reply has; `plant` names it, the reply does not. Most
replies to a repair request have no fault.
"""

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from random import Random
from typing import Any, NamedTuple

import orjson

from benchmarks.quality.blunders import BLUNDERS, Place
from vcgen.sim import write

RATES: Mapping[str, float] = dict.fromkeys(BLUNDERS, 0.012)
"""The share of first replies that a fault is drawn for; a fault that does not fit is left out."""
MENDED = 0.8
"""The share of replies to a repair request that have no fault."""

_REPAIR = "reply cannot be used"
_ASK_ONE = re.compile(r"ask one (\w+) question\b")
_ANSWER = "answer that question"
_LANGUAGE = re.compile(r"^- Write in (?!English)", re.MULTILINE)
_OF_QUESTIONS = 0.3
_TOTALS = tuple(accumulate(RATES.values()))
_CODES = tuple(RATES)


class Planted(NamedTuple):
    """A reply and the code of its fault, None for most."""

    text: str
    code: str | None


def write_sloppily(request: Mapping[str, Any], seed: str) -> str:
    """The simulated model's reply, at times with a fault: for `Simulator(write=write_sloppily)`."""
    messages = [(message["role"], message["content"]) for message in request["messages"]]
    return plant(write(request, seed), messages, seed).text


def plant(reply: str, messages: Sequence[tuple[str, str]], seed: str) -> Planted:
    """The reply with at most one fault of `RATES`, and the code of that fault.

    Args:
        reply: of the plain model.
        messages: of the prompt, as roles and texts.
        seed: of the request.
    """
    random = Random(f"sloppy {seed}")  # noqa: S311 - repeatable draws
    drawn = random.random()
    if _REPAIR in messages[-1][1]:
        drawn = (drawn - MENDED) / (1 - MENDED) * _TOTALS[-1] if drawn >= MENDED else 1.0
    at = bisect_right(_TOTALS, drawn)
    if at == len(_CODES) or any(_LANGUAGE.search(text) for _, text in messages):
        return Planted(reply, None)
    code = _CODES[at]
    text = _spoilt(reply, messages, code, random)
    return Planted(reply, None) if text is None else Planted(text, code)


def _spoilt(
    reply: str, messages: Sequence[tuple[str, str]], code: str, random: Random
) -> str | None:
    """The reply with a fault, None if the fault does not fit."""
    prompt = "\n".join(text for role, text in messages if role == "user")
    if reply.startswith(("{", "[")):
        return _spoilt_turns(reply, prompt, code, random)
    questions = [text for role, text in messages if role == "assistant" and text.endswith("?")]
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
    except orjson.JSONDecodeError:  # prose that begins as JSON does
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
