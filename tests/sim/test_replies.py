"""The simulated endpoint: its refusals, limits, faults and the transport in memory."""

import json
import math
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import orjson
import pytest

from tests.support.simulated import KINDS, STEPS, TURNS, body_of, post, prompt, segments
from vcgen.data.clips import Clip
from vcgen.engine.chat import Completion, Failure
from vcgen.errors import ConnectionLost, TimedOut, UsageError
from vcgen.sim import Faults, ServerCapabilities, SimTransport, Simulator, parse_faults
from vcgen.tasks.evidence import fence


def test_same_request_and_seed_bring_the_same_bytes_and_another_seed_other_text() -> None:
    clip = Clip(id="a", duration=60, segments=segments(*STEPS))
    body = body_of(prompt("describe", clip, min_words=60, max_words=200))
    first, again, other = (
        Simulator(seed=seed).answer({}, body, now).body
        for seed, now in ((1, 0.0), (1, 9.0), (2, 0.0))
    )
    assert first == again
    assert first != other


def test_reply_is_labelled_counted_and_cut_at_the_token_limit() -> None:
    clip = Clip(id="a", duration=60, segments=segments(*STEPS))
    messages = prompt("describe", clip, min_words=60, max_words=200)
    body = body_of(messages, max_tokens=10)
    reply = orjson.loads(Simulator().answer({}, body, 0.0).body)
    assert reply["model"] == "sim"
    assert reply["object"] == "chat.completion"
    assert reply["choices"][0]["finish_reason"] == "length"
    assert reply["choices"][0]["message"]["refusal"] is None
    assert len(reply["choices"][0]["message"]["content"]) == 40
    usage = reply["usage"]
    assert usage["prompt_tokens"] == len(body) // 4
    assert usage["completion_tokens"] == 10
    assert usage["total_tokens"] == usage["prompt_tokens"] + 10
    assert usage["prompt_tokens_details"] == {"cached_tokens": 0}


HELLO = [{"role": "user", "content": "Hello."}]


@pytest.mark.parametrize(
    ("request_body", "status", "code", "words"),
    [
        (b"{", 400, "invalid_request_error", "could not parse the JSON"),
        (b"[]", 400, "invalid_request_error", "could not parse the JSON"),
        ({"messages": HELLO}, 400, "invalid_request_error", "model parameter"),
        ({"model": "sim"}, 400, "missing_required_parameter", "'messages'"),
        ({"model": "sim", "messages": "hi"}, 400, "invalid_type", "got a string"),
        ({"model": "sim", "messages": []}, 400, "empty_array", "empty array"),
        ({"model": "sim", "messages": [3]}, 400, "invalid_type", "messages[0]"),
        ({"model": "sim", "messages": [{"role": "x"}]}, 400, "invalid_value", "'x'"),
        ({"model": "sim", "messages": [{"role": "user"}]}, 400, "invalid_type", "got null"),
        ({"model": "sim", "messages": HELLO, "max_tokens": 0}, 400, "integer_below_min_value", "0"),
        ({"model": "sim", "messages": HELLO, "max_tokens": "9"}, 400, "invalid_type", "max_tokens"),
        ({"model": "sim", "messages": HELLO, "stream": True}, 400, "unsupported_value", "stream"),
        ({"model": "sim", "messages": HELLO, "n": [2]}, 400, "unsupported_value", "[2]"),
        (
            {"model": "sim", "messages": HELLO, "response_format": {"type": ["text"]}},
            400,
            "invalid_value",
            "text",
        ),
        (
            {"model": "sim", "messages": HELLO, "response_format": {"type": "json_object"}},
            400,
            "invalid_request_error",
            "'json'",
        ),
        ({"model": "gpt-4", "messages": HELLO}, 404, "model_not_found", "`gpt-4`"),
    ],
)
def test_bad_requests_are_refused_as_the_real_endpoint_does(
    request_body: Any, status: int, code: str, words: str
) -> None:
    raw = request_body if isinstance(request_body, bytes) else orjson.dumps(request_body)
    reply = post(raw)
    assert isinstance(reply, Failure)
    assert (reply.status, reply.code) == (status, code)
    assert words in reply.message


def test_any_name_that_starts_with_sim_is_the_model() -> None:
    assert isinstance(post(orjson.dumps({"model": "sim-large", "messages": HELLO})), Completion)


def test_a_stand_in_for_any_model_still_says_that_it_is_simulated() -> None:
    body = orjson.dumps({"model": "gpt-4o-mini", "messages": HELLO})
    reply = post(body, Simulator(behaviour=ServerCapabilities(model="")))
    assert isinstance(reply, Completion)
    assert reply.model == "sim"


@pytest.mark.parametrize("refused", ["json_schema", "json_object", "max_tokens"])
def test_behaviour_refuses_what_it_does_not_know(refused: str) -> None:
    simulator = Simulator(behaviour=ServerCapabilities(**{refused: False}))  # type: ignore[arg-type]
    kind = {"type": refused, "json_schema": {"name": "x", "schema": {"type": "object"}}}
    body: dict[str, Any] = {"model": "sim", "messages": [{"role": "user", "content": "json"}]}
    body |= {"max_tokens": 9} if refused == "max_tokens" else {"response_format": kind}
    reply = post(orjson.dumps(body), simulator)
    assert isinstance(reply, Failure)
    assert reply.status == 400
    assert refused in reply.message
    assert isinstance(post(orjson.dumps(body)), Completion)


def test_no_minute_holds_more_requests_than_the_limit() -> None:
    simulator = Simulator(rpm=10, log_arrivals=True)
    body = orjson.dumps({"model": "sim", "messages": HELLO})
    for tick in range(600):
        simulator.answer({}, body, tick * 0.5)
    assert simulator.arrivals is not None
    granted = [arrival.time_s for arrival in simulator.arrivals if arrival.status == 200]
    assert len(granted) == 50
    assert all(late - early >= 60 for early, late in zip(granted, granted[10:], strict=False))
    assert simulator.statuses == Counter({429: 550, 200: 50})


def test_a_request_over_the_limit_is_told_when_to_come_back() -> None:
    simulator = Simulator(rpm=2, tpm=10_000)
    body = orjson.dumps({"model": "sim", "messages": HELLO})
    first = simulator.answer({}, body, 0.0)
    simulator.answer({}, body, 12.5)
    refused = simulator.answer({}, body, 20.25)
    assert first.headers["x-ratelimit-remaining-requests"] == "1"
    assert first.headers["x-ratelimit-reset-requests"] == "1m0s"
    assert first.headers["x-ratelimit-limit-tokens"] == "10000"
    assert (refused.status, refused.headers["retry-after"]) == (429, "40")
    assert orjson.loads(refused.body)["error"]["code"] == "rate_limit_exceeded"
    assert refused.headers["x-ratelimit-reset-requests"] == "52.25s"
    assert simulator.answer({}, body, 60.0).status == 200


def test_no_minute_holds_more_tokens_than_the_limit() -> None:
    body = orjson.dumps({"model": "sim", "messages": HELLO})
    tokens = orjson.loads(Simulator().answer({}, body, 0.0).body)["usage"]["total_tokens"]
    simulator = Simulator(tpm=3 * tokens + 1)
    assert [simulator.answer({}, body, now).status for now in (0, 1, 2, 3, 60, 60)] == [
        *(200, 200, 200, 429),
        *(200, 429),
    ]
    too_large = Simulator(tpm=tokens - 1).answer({}, body, 0.0)
    assert too_large.status == 429
    assert "retry-after" not in too_large.headers
    assert "too large" in orjson.loads(too_large.body)["error"]["message"]


def test_only_the_right_key_is_let_in() -> None:
    simulator = Simulator(key="right")
    body = orjson.dumps({"model": "sim", "messages": HELLO})
    wrong = simulator.answer({"Authorization": "Bearer wrong"}, body, 0.0)
    assert wrong.status == 401
    assert orjson.loads(wrong.body)["error"]["code"] == "invalid_api_key"
    assert b"wrong" not in wrong.body
    assert simulator.answer({"Authorization": "Bearer right"}, body, 0.0).status == 200


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
    for kind, share in zip(faults.kinds, faults.shares, strict=True):
        assert math.isclose(counts[kind] / 20_000, share, rel_tol=0.25)
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
        ("html", 200, "invalid_response"),
        ("empty", 200, "invalid_response"),
        ("cut", 200, "invalid_response"),
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


@pytest.mark.parametrize(
    ("kind", "error"), [("reset", ConnectionLost), ("close", ConnectionLost), ("hang", TimedOut)]
)
def test_transport_raises_the_faults_of_the_connection(kind: str, error: type[Exception]) -> None:
    async def send() -> None:
        transport = SimTransport(Simulator(faults=parse_faults(f"{kind}:1")))
        await transport.post("http://sim/v1/chat/completions", {}, conversation_body(), 0.01)

    with pytest.raises(error):
        anyio.run(send)


def test_transport_yields_once_even_without_latency() -> None:
    async def main() -> list[str]:
        order: list[str] = []

        async def call() -> None:
            reply = await SimTransport().post("http://sim", {}, conversation_body(), 1.0)
            order.append(str(reply.status))

        async with anyio.create_task_group() as group:
            group.start_soon(call)
            group.start_soon(call)
            await anyio.lowlevel.checkpoint()
            order.append("between")
        return order

    assert anyio.run(main) == ["between", "200", "200"]


def test_transport_times_out_when_the_latency_is_longer() -> None:
    async def send() -> None:
        transport = SimTransport(Simulator(latency_s=60))
        await transport.post("http://sim", {}, conversation_body(), 0.01)

    with pytest.raises(TimedOut):
        anyio.run(send)


@pytest.mark.parametrize(
    "wrong", [{"rpm": 0}, {"tpm": -1}, {"latency_s": -0.1}, {"latency_s": math.nan}]
)
def test_impossible_simulators_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong)).removesuffix("_s")):
        Simulator(**wrong)
