"""The limits of the simulated endpoint: each kind by its own rule, and their headers."""

from typing import Any

import orjson
import pytest

from vcgen.sim import (
    Scenario,
    ServerLimits,
    SimReply,
    Simulator,
    parse_faults,
)

BODY = orjson.dumps({"model": "sim", "messages": [{"role": "user", "content": "Hello."}]})
USAGE = orjson.loads(Simulator().answer({}, BODY, 0.0).body)["usage"]


def limited(**limits: Any) -> Simulator:
    return Simulator(Scenario(limits=ServerLimits(**limits)))


def answers(simulator: Simulator, *times: float) -> list[SimReply]:
    return [simulator.answer({}, BODY, now) for now in times]


def statuses(simulator: Simulator, *times: float) -> list[int]:
    return [answer.status for answer in answers(simulator, *times)]


@pytest.mark.parametrize(
    ("kind", "granted"),
    [
        ("sliding", [50, 55, 110, 115]),
        ("fixed", [50, 55, 60, 60.5]),
        ("bucket", [50, 55, 80, 110]),
        ("strict", [50, 80, 110]),
    ],
)
def test_each_kind_of_limit_grants_by_its_own_rule(kind: str, granted: list[float]) -> None:
    simulator = limited(rpm=2, kind=kind)
    times = [50.0, 55.0, *(half / 2 for half in range(112, 234))]
    came = zip(times, statuses(simulator, *times), strict=True)
    assert [now for now, status in came if status == 200] == granted


@pytest.mark.parametrize("name", ["input_tpm", "output_tpm"])
def test_tokens_of_prompts_and_of_replies_are_limited_apart(name: str) -> None:
    tokens = USAGE["prompt_tokens" if name == "input_tpm" else "completion_tokens"]
    assert statuses(limited(**{name: 2 * tokens}), 0, 1, 2, 60) == [200, 200, 429, 200]


def test_a_limit_counts_the_tokens_that_the_reply_tells() -> None:
    body = orjson.dumps(orjson.loads(BODY) | {"max_tokens": 1})
    prompt_tokens = len(body) // 4
    simulator = Simulator(tpm=2 * (prompt_tokens + 1), log_arrivals=True)
    assert [simulator.answer({}, body, 0.0).status for _ in range(3)] == [200, 200, 429]
    assert simulator.arrivals is not None
    assert simulator.arrivals[0].tokens == prompt_tokens + 1


def test_anthropic_headers_tell_each_limit_and_when_it_is_whole_again() -> None:
    limits: dict[str, Any] = {"rpm": 60, "tpm": 6000, "input_tpm": 3000, "output_tpm": 600}
    (answer,) = answers(limited(**limits, kind="bucket", headers="anthropic"), 90.25)
    assert not [name for name in answer.headers if name.startswith("x-ratelimit")]
    told = {
        name.removeprefix("anthropic-ratelimit-"): value
        for name, value in answer.headers.items()
        if name.startswith("anthropic-ratelimit-")
    }
    assert told == {
        "requests-limit": "60",
        "requests-remaining": "59",
        "requests-reset": "2026-01-01T00:01:32Z",
        "tokens-limit": "6000",
        "tokens-remaining": str(6000 - USAGE["total_tokens"]),
        "tokens-reset": "2026-01-01T00:01:31Z",
        "input-tokens-limit": "3000",
        "input-tokens-remaining": str(3000 - USAGE["prompt_tokens"]),
        "input-tokens-reset": "2026-01-01T00:01:31Z",
        "output-tokens-limit": "600",
        "output-tokens-remaining": str(600 - USAGE["completion_tokens"]),
        "output-tokens-reset": "2026-01-01T00:01:31Z",
    }


def test_an_endpoint_may_say_nothing_of_its_limits() -> None:
    simulator = limited(rpm=1, headers="none", retry_after=False, refusal_s=2.0)
    granted, refused = answers(simulator, 0, 1)
    assert (granted.status, refused.status) == (200, 429)
    for answer in (granted, refused):
        assert set(answer.headers) == {"content-type", "x-request-id"}
    assert b"try again" not in refused.body
    assert refused.delay_s == 2.0


def test_a_429_takes_its_own_time_whether_it_is_of_a_limit_or_drawn() -> None:
    limits = ServerLimits(rpm=1, refusal_s=0.25, retry_after=False)
    simulator = Simulator(Scenario(limits=limits), latency_s=3.0)
    assert [answer.delay_s for answer in answers(simulator, 0, 1)] == [3.0, 0.25]
    drawn = Simulator(Scenario(limits=limits), latency_s=3.0, faults=parse_faults("429:1"))
    (struck,) = answers(drawn, 0)
    assert (struck.status, struck.delay_s) == (429, 0.25)
    assert "retry-after" not in struck.headers
