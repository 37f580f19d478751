"""Faults: how often they strike, and their effect on replies."""

import asyncio
import json
import math
import re
from collections import Counter
from collections.abc import Callable

import orjson
import pytest

from tests.support.simulated import KINDS, STEPS, TURNS, body_of, post, prompt, segments
from vcgen.data.clips import Clip
from vcgen.engine.chat import Completion, Failure, Message
from vcgen.errors import ConnectFailed, UsageError
from vcgen.sim import Faults, SimTransport, Simulator, parse_faults
from vcgen.tasks.evidence import fence

HELLO = [{"role": "user", "content": "Hello."}]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("418:0.1", "'418'"),
        ("500", "share of 500"),
        ("500:x", "'x'"),
        ("500:1.5", "'1.5'"),
        ("500:nan", "'nan'"),
        ("500:0.7,reset:0.4", "1.1"),
        ("500:0.1,500:0.2", "twice"),
        ("500:0.1@", "seconds of 500 are ''"),
        ("500:0.1@-1", "'-1'"),
        ("500:0.1+x", "'x'"),
        ("500:0.1@inf", "'inf'"),
    ],
)
def test_wrong_faults_are_named(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        parse_faults(text)


def test_faults_strike_their_share_and_the_same_requests_every_time() -> None:
    faults = parse_faults("429:0.05, 500:0.02,reset:0.01")
    drawn = [faults.draw(7, number) for number in range(20_000)]
    assert drawn == [faults.draw(7, number) for number in range(20_000)]
    assert drawn != [faults.draw(8, number) for number in range(20_000)]
    counts = Counter(drawn)
    for fault in faults.faults:
        assert math.isclose(counts[fault] / 20_000, fault.share, rel_tol=0.25)
    assert parse_faults("") == Faults()


def conversation_body() -> bytes:
    clip = Clip(id="a", duration=40, segments=segments(*STEPS[:6]))
    story = fence("narrative", "A story.")
    return body_of(prompt("converse", clip, kinds=KINDS, narrative=story), schema=TURNS)


def is_fenced(reply: Completion) -> bool:
    return reply.text.startswith("```json\n{") and reply.text.endswith("}\n```")


def has_trailing_comma(reply: Completion) -> bool:
    return reply.text.endswith(",}")


def lacks_an_answer(reply: Completion) -> bool:
    return "answer" not in json.loads(reply.text)["turns"][0]


def lacks_a_turn(reply: Completion) -> bool:
    return len(json.loads(reply.text)["turns"]) == len(KINDS) - 1


def is_cut_at_length(reply: Completion) -> bool:
    return reply.finish_reason == "length"


def is_refused(reply: Completion) -> bool:
    return bool(reply.refusal) and not reply.text


@pytest.mark.parametrize(
    ("kind", "shows"),
    [
        ("fence", is_fenced),
        ("comma", has_trailing_comma),
        ("badjson", lacks_an_answer),
        ("turns", lacks_a_turn),
        ("length", is_cut_at_length),
        ("refusal", is_refused),
    ],
)
def test_faults_in_the_reply_show_in_the_reply(
    kind: str, shows: Callable[[Completion], bool]
) -> None:
    simulator = Simulator(faults=parse_faults(f"{kind}:1"))
    reply = post(conversation_body(), simulator)
    assert isinstance(reply, Completion)
    assert shows(reply)
    assert simulator.faults_met == Counter({kind: 1})


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("429", 429, "rate_limit_exceeded"),
        ("500", 500, "server_error"),
        ("502", 502, ""),
        ("503", 503, "server_error"),
        ("529", 529, "overloaded_error"),
        ("quota", 429, "insufficient_quota"),
        ("key", 401, "invalid_api_key"),
        ("html", 200, ""),
        ("empty", 200, ""),
        ("cut", 200, ""),
    ],
)
def test_faults_instead_of_a_reply_are_failures(kind: str, status: int, code: str) -> None:
    reply = post(conversation_body(), Simulator(faults=parse_faults(f"{kind}:1")))
    assert isinstance(reply, Failure)
    assert (reply.status, reply.code) == (status, code)


def test_json_faults_leave_plain_text_alone() -> None:
    simulator = Simulator(faults=parse_faults("comma:1"))
    body = orjson.dumps({"model": "sim", "messages": HELLO})
    assert simulator.answer({}, body, 0.0).fault is None
    assert not simulator.faults_met


def test_a_fault_has_a_delay_and_a_hint_of_its_own() -> None:
    slow = Simulator(latency_s=5.0, faults=parse_faults("503:1@0.05+2"))
    answer = slow.answer({}, body_of([Message("user", "Hello.")]), 0.0)
    assert (answer.status, answer.delay_s, answer.headers["retry-after"]) == (503, 0.05, "2")
    plain = Simulator(latency_s=5.0, faults=parse_faults("503:1"))
    answer = plain.answer({}, body_of([Message("user", "Hello.")]), 0.0)
    assert (answer.delay_s, answer.headers.get("retry-after")) == (5.0, None)


@pytest.mark.parametrize("kind", ["refused", "handshake"])
def test_a_connection_that_fails_has_no_reply(kind: str) -> None:
    transport = SimTransport(Simulator(faults=parse_faults(f"{kind}:1")))
    with pytest.raises(ConnectFailed):
        asyncio.run(transport.post("http://a/v1", {}, body_of([Message("user", "Hello.")]), 1.0))
