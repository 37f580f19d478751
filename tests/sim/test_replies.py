"""Replies of the simulated endpoint: completions and refusals."""

import math
from collections import Counter
from typing import Any

import orjson
import pytest

from tests.support.simulated import STEPS, body_of, prompt, segments
from vcgen.data.clips import Clip
from vcgen.errors import UsageError
from vcgen.sim import Simulator


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
    "wrong", [{"rpm": 0}, {"tpm": -1}, {"latency_s": -0.1}, {"latency_s": math.nan}]
)
def test_impossible_simulators_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong)).removesuffix("_s")):
        Simulator(**wrong)
