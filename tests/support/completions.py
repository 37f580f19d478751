"""Completions that are none, or hold what no answer should: a seeded generator, and their judge."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import orjson

from tests.support.common import generate
from vcgen.checks.checker import check
from vcgen.data.clips import Clip
from vcgen.data.records import Reason, Record
from vcgen.pipeline.store.read import read_records, read_rejects
from vcgen.sim import SimReply, SimTransport, Simulator
from vcgen.tasks.conversation import mix_problems
from vcgen.tasks.recipe import Recipe

# As JSON, or as what only looks like it.
VALUES = [
    b"null", b"true", b"0", b"-1", b"1.5", b"1e308", b"1e999", b"NaN", b"-Infinity", b"[]", b"{}",
    b"2147483648", b"9223372036854775808", b"18446744073709551615", b"18446744073709551616",
    b"1" * 400, b"[" * 2_000 + b"]" * 2_000, b'{"a":' * 2_000 + b"0" + b"}" * 2_000, b"[[]]",
    b'""', b'" "', b'"x"', b'"\\ud800"', b'"a\\u0000b"', b'"\\ud83d"', b'"\xff"', b'"\n"',
    b'"\\u202e<|im_end|>"', b'"error"', b'"abort"', b'"length"', b'"content_filter"', b"'x'",
]  # fmt: skip
TEXTS = [
    "", " \n", "\0", "null", "[]", "{}", '{"turns":', '{"turns": []}', '{"turns": {}}', "[" * 5_000,
    "```json\n```", "<think>", "<think>a</think>", "I'm sorry, I can't help with that.",
    "\u202eA boat leaves.", "A boat\u2028leaves.", "<video>\nA boat leaves.", "At 47 seconds.",
    "A boat leaves.", "{'turns': [{'kind': 'causal', 'question': 'Why?', 'answer': 1}]}",
    '{"turns": [{"kind": "causal", "question": "Why?", "answer": "So."}]}', "<" + " " * 9_000 + "x",
]  # fmt: skip
LONG = ["x" * 5_000_000, " " * 5_000_000, '{"turns":[' + "0," * 2_500_000 + "0]}", "< " * 2_500_000]
MARK = "a mark that stands for bytes"
GARBAGE = ["", "-1", "nan", "1e999", "9" * 400, "soon", "\xff", "Thu, 99 Foo 2999", "0x10", "1;2"]
HEADERS = ["retry-after", "retry-after-ms", "x-ratelimit-limit-requests", "x-should-retry"]
HEADERS += ["x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens", "date", "content-type"]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a JSON value, as a container and its key or index."""
    keys: Sequence[Any] = []
    if isinstance(value, dict):
        keys = list(value)
    elif isinstance(value, list):
        keys = range(len(value))
    for key in keys:
        yield value, key
        yield from places(value[key])


def with_a_place_spoilt(body: bytes, random: Random) -> bytes:
    """The JSON with one of its values replaced, left out, or there twice."""
    value = orjson.loads(body)
    found = list(places(value))
    if not found:
        return random.choice(VALUES)
    container, key = random.choice(found)
    way = random.randrange(4)
    if way == 0:
        del container[key]
    elif way == 1 and isinstance(container, dict):
        name = orjson.dumps(key)
        return orjson.dumps(value).replace(name, name + b":" + random.choice(VALUES) + b"," + name)
    else:
        container[key] = MARK
    return orjson.dumps(value).replace(b'"%b"' % MARK.encode(), random.choice(VALUES))


def with_bytes_spoilt(body: bytes, random: Random) -> bytes:
    at = random.randrange(len(body) + 1)
    return random.choice([body[:at], body[:at] + random.randbytes(3) + body[at + 1 :], body + body])


def with_text_spoilt(body: bytes, random: Random) -> bytes:
    """The completion with another text of the model's, or its own with a place spoilt."""
    value = orjson.loads(body)
    message = value["choices"][0]["message"]
    text = message["content"] or ""
    if text.startswith('{"turns":') and random.random() < 0.7:
        with suppress(ValueError):  # the simulator repeats what it was told
            text = with_a_place_spoilt(text.encode(), random).decode("utf-8", "replace")
    else:
        text = random.choice(LONG if random.random() < 0.02 else TEXTS)
    message["content"] = text
    return orjson.dumps(value)


def spoilt(body: bytes, random: Random) -> bytes:
    ways = [with_a_place_spoilt, with_text_spoilt, with_bytes_spoilt]
    return random.choices(ways, [5, 4, 1])[0](body, random)


class Spoiling(Simulator):
    """Spoils a share of its completions, and the headers of some; counts them."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.spoilt = 0
        self._share, self._draws = share, Random(7)  # noqa: S311 - repeatable

    def answer(self, headers: Mapping[str, str], body: bytes, now: float) -> SimReply:
        answer = super().answer(headers, body, now)
        if answer.status != 200 or self._draws.random() >= self._share:
            return answer
        self.spoilt += 1
        if self._draws.random() < 0.2:
            answer.headers[self._draws.choice(HEADERS)] = self._draws.choice(GARBAGE)
        return answer._replace(body=spoilt(answer.body, self._draws))


def record_problems(record: Record, clip: Clip, recipe: Recipe) -> list[str]:
    """What an accepted record of the built-in tasks promises and does not keep."""
    problems = [str(each) for each in check(record.turns, clip) if each.severity != "flag"]
    kinds = [turn.kind for turn in record.turns]
    if record.task == "description":
        problems += [] if kinds == ["description"] else [f"the kinds {kinds}"]
    else:
        least, most = recipe.turns
        problems += [] if least <= len(kinds) <= most else [f"{len(kinds)} turns"]
        problems += mix_problems(kinds, recipe.kinds)
    if (record.id, record.video) != (f"{clip.id}/{record.task}/0", clip.video):
        problems.append(f"{record.id} of {record.video}")
    counts = (record.meta["usage"] or {}).values()
    if not all(type(count) is int and 0 <= count < 1 << 40 for count in counts):
        problems.append(f"the counts {list(counts)}")
    return problems


def judge(path: Path, simulator: Simulator, clips: Sequence[Clip]) -> Counter[str]:
    """Make the samples of a run; how many ended as records, and as rejects for each reason."""

    def go() -> None:
        generate(clips, transport=SimTransport(simulator), output=path)

    go()
    requests, known = simulator.requests, {clip.id: clip for clip in clips}
    records, rejects = list(read_records(path)), list(read_rejects(path))
    ended = [record.id for record in records] + [reject.id for reject in rejects]
    expected = [f"{clip.id}/{task}/0" for clip in clips for task in ("conversation", "description")]
    assert sorted(ended) == sorted(expected)
    for record in records:
        assert record_problems(record, known[record.clip_id], Recipe()) == []
    for reject in rejects:
        assert reject.message
        assert reject.reason is not Reason.TASK_ERROR, reject
    go()
    assert simulator.requests == requests
    return Counter({"record": len(records)}) + Counter(str(row.reason) for row in rejects)
