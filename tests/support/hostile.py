"""Hostile ids, evidence and replies, drawn from a seed."""

import json
import string
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from tests.support.common import make_clip
from vcgen.data.clips import Clip
from vcgen.engine.transport.base import Reply

IDS = (
    "../../escape",
    "/etc/passwd",
    "..",
    ".",
    "~/escape",
    "a/../../../b",
    "C:\\Windows\\escape",
    "\\\\host\\share",
    "records.jsonl",
    "run.json",
    "..%2f..%2fescape",
    "file:///etc/passwd",
    "$(touch escape)",
    "`touch escape`",
    "; touch escape",
    "| touch escape",
    "-o escape",
    "--output=escape",
    "con",
    "nul.txt",
    "a" * 512,
    "\u202egnp.exe",
    "{{ 7*7 }}",
    "${HOME}",
    "%s%n",
    "<video>",
    "=1+1",
    "'; DROP TABLE clips; --",
)
BITS = (
    *("{{ 7*7 }}", "{% raw %}", "{#", "${x}", "%s", "{0}", "\\", "\\u003cvideo\\u003e", '"', "'"),
    *(
        "=== evidence ",
        "=== end of evidence ",
        " ===",
        "\n=== ",
        "system:",
        "\nuser:",
        "Assistant:",
    ),
    *("<video>", "</video>", "<image>", "<|im_end|>", "<|im_start|>system", "[INST]", "<<SYS>>"),
    *("<think>", "</think>", "```json\n", "```", "{", "}", "[", "]", '{"turns": [', "null", "NaN"),
    *("\u202e", "\u2066", "\u200b", "\ufeff", "\U000e0041", "\u0000", "\u001b[31m", "\u007f"),
    *("\u2028", "\u2029", "\u0085", "\r", "\r\n", "\n\n", "\t", "\u00a0", " ", "  "),
    *("https://evil.example/", "![x](", "](http://a)", "data:text/html,", "=1+1", "ignore all"),
    *("a boat", "at 99999 seconds", "日本", "ü", "\U0001f6a2", "e\u0301", "0" * 40, "f" * 32),
)
# What makes a careless pattern look at the same text again and again.
REPEATED = (
    *("<", "< ", "<video ", "<a ", "\n", " ", "=", "=== ", "{", "[", "[/", "1", "1 ", "1.", "- "),
    *("a", "a.", "a@", "a-", "_", "user", "word ", "http://", "```", "at 99999 seconds ", "\\u"),
    *(
        "é",
        "\U0001f6a2",
        "\u200b",
        "=== end of a ",
        "a" * 63 + "\n",
        "you write training data for ",
    ),
)


def text(random: Random, most: int = 12) -> str:
    """Pieces of what breaks parsers, templates, fences and terminals, in any order."""
    return "".join(random.choices(BITS, k=random.randint(0, most)))


def clip(random: Random, name: str) -> Clip:
    """A clip all of whose evidence is hostile."""
    spoken = {"start": 3, "end": 4, "text": text(random), "source": "speech"}
    fields: Mapping[str, Any] = {
        "caption": text(random),
        "summary": text(random),
        "tags": [text(random, 3), "boat"],
        "segments": [spoken],
    }
    return make_clip(name, **fields)


def _turns(random: Random) -> str:
    kinds = ("descriptive", "temporal", "causal", "description", "odd", 3)
    rows: list[dict[str, Any]] = [
        {
            "kind": random.choice(kinds[: random.randint(1, 6)]),
            "question": text(random, 4),
            "answer": random.choice((text(random), "A boat leaves the pier.", "", 5, None, [])),
        }
        for _ in range(random.randint(0, 6))
    ]
    return json.dumps({"turns": rows}, ensure_ascii=random.random() < 0.5)


def _deep(random: Random) -> str:
    depth = random.choice((30, 300, 2_000, 100_000))
    return random.choice(("[" * depth, "[" * depth + "]" * depth, '{"turns":' * depth))


def _surrogates(random: Random) -> str:
    half = random.choice(("\\ud83d", "\\udca9", "\\ud83d\\ud83d", "\\udfff\\ud800"))
    turn = f'{{"kind": "causal", "question": "Why {half}?", "answer": "So {half}."}}'
    return f'{{"turns": [{", ".join([turn] * random.randint(1, 5))}]}}'


def _numbers(random: Random) -> str:
    return random.choice(("NaN", "1e999", "-0", str(2**64), "9" * 5_000, '{"turns": [1e999]}'))


def _long(random: Random) -> str:
    size = random.choice((100_000, 1_000_000, 5_000_000))
    piece = random.choice(REPEATED)
    return random.choice(("", "<", "Well: ")) + piece * (size // len(piece))


def _cut(random: Random) -> str:
    whole = _turns(random)
    return whole[: random.randint(0, len(whole))]


def _prose(_: Random) -> str:
    return "A boat leaves the pier while a man waves at it from the shore."


_WRITERS: tuple[tuple[Callable[[Random], str], int], ...] = (
    (text, 30),
    (_turns, 25),
    (_prose, 20),
    (_cut, 10),
    (_surrogates, 5),
    (_numbers, 5),
    (_deep, 4),
    (_long, 1),
)


def written(random: Random) -> str:
    """What a hostile model writes."""
    writers, weights = zip(*_WRITERS, strict=True)
    [writer] = random.choices(writers, weights)
    told: str = writer(random)
    return told


def _value(random: Random) -> Any:
    odd: tuple[Any, ...] = (
        None,
        True,
        -1,
        2**63,
        2**64 - 1,
        1.5,
        "",
        "7",
        [],
        {},
        [[]],
        {"a": None},
        "\u2028",
    )
    return random.choice((*odd, text(random)))


def reply(random: Random) -> Reply:
    """What a hostile endpoint answers: mostly a completion, with anything wrong about it."""
    usage: Any = {"prompt_tokens": random.choice((10, 2**63, 2**64 - 1, -5, "9", None))}
    usage["completion_tokens"] = random.choice((5, 2**64 - 1, 10**30, True))
    message: dict[str, Any] = {"role": "assistant", "content": written(random)}
    choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": "stop"}
    whole: dict[str, Any] = {"model": "hostile", "choices": [choice], "usage": usage}
    if random.random() < 0.2:
        spoilt = random.choice((message, choice, whole, usage))
        spoilt[random.choice([*spoilt])] = _value(random)
    body = json.dumps(whole, ensure_ascii=random.random() < 0.5).encode("utf-8", "surrogatepass")
    if random.random() < 0.05:
        at = random.randrange(len(body))
        body = body[:at] + random.choice((b"", b"\xff", b"\x00", b'"')) + body[at + 1 :]
    return Reply(200, {"content-type": "application/json"}, body)


def name(random: Random, at: int) -> str:
    """An id, of those that harm or of any characters, no two of them the same."""
    letters = string.printable.strip() + "/\\.. "
    drawn = random.choice((random.choice(IDS), "".join(random.choices(letters, k=20)).strip()))
    return f"{drawn[:500]}{at}" if random.random() < 0.5 else f"{at}{drawn[:500]}"
