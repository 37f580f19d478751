"""The nature of the simulated endpoint: limits as told, latency, outages, capacity, slots."""

import math
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import accumulate
from statistics import median
from typing import Any

import anyio
import orjson
import pytest
from hypothesis import given, strategies as st

from tests.support.common import generate, make_clips, run
from vcgen.errors import ConnectFailed, TimedOut, UsageError
from vcgen.sim import (
    Arrival,
    Capacity,
    Latency,
    Outage,
    Scenario,
    ServerLimits,
    SimReply,
    SimTransport,
    Simulator,
    parse_faults,
)
from vcgen.sim.latency import Slots
from vcgen.sim.prefix_cache import Prefixes, block_keys

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


def test_plain_arguments_stand_for_those_of_the_conditions() -> None:
    conditions = Scenario(limits=ServerLimits(rpm=5, kind="strict"), latency=Latency(9.0))
    simulator = Simulator(conditions, rpm=60, latency_s=1.0)
    assert statuses(simulator, 0, 0.5, 1) == [200, 429, 200]
    assert simulator.answer({}, BODY, 2.0).delay_s == 1.0


def test_latency_has_the_median_the_spread_and_the_stragglers_asked_for() -> None:
    latency = Latency(2.0, sigma=0.5, straggler_share=0.01)
    drawn = [latency.draw(1, number) for number in range(20_000)]
    assert median(drawn) == pytest.approx(2.0, rel=0.03)
    logs = [math.log(seconds / 2) for seconds in drawn if seconds < 15]
    assert math.sqrt(sum(log * log for log in logs) / len(logs)) == pytest.approx(0.5, rel=0.03)
    stragglers = [seconds for seconds in drawn if seconds >= 15]
    assert len(stragglers) == pytest.approx(200, rel=0.2)
    assert median(stragglers) == pytest.approx(40, rel=0.1)


def test_a_repeated_run_takes_as_long_and_a_copy_of_a_request_draws_anew() -> None:
    conditions = Scenario(latency=Latency(1.0, sigma=1.0))
    first, again, other = (
        answers(Simulator(conditions, seed=seed), *range(50)) for seed in (1, 1, 2)
    )
    assert first == again
    assert len({answer.delay_s for answer in first}) == 50
    assert len({answer.body for answer in first}) == 1
    assert not {answer.delay_s for answer in first} & {answer.delay_s for answer in other}


@pytest.mark.parametrize(
    ("kind", "error", "took_s"), [("refused", ConnectFailed, 0.05), ("hang", TimedOut, 5.0)]
)
def test_an_outage_breaks_connections_from_its_beginning_to_its_end(
    kind: Any, error: type[Exception], took_s: float
) -> None:
    transport = SimTransport(Simulator(Scenario(outages=(Outage(60, 180, kind),))))

    async def post() -> int:
        return (await transport.post("http://sim", {}, BODY, 5.0)).status

    async def main() -> None:
        assert await post() == 200
        await anyio.sleep(60)
        for _ in range(2):
            sent_at = anyio.current_time()
            with pytest.raises(error):
                await post()
            assert anyio.current_time() - sent_at == pytest.approx(took_s, abs=1e-3)
            await anyio.sleep(110)
        assert anyio.current_time() > 180
        assert await post() == 200

    run(main)


def test_an_outage_of_503s_says_nothing_of_limits_and_takes_none_of_them() -> None:
    conditions = Scenario(limits=ServerLimits(rpm=1), outages=[Outage(0, 5, "503")])
    simulator = Simulator(conditions, log_arrivals=True)
    out, *later = answers(simulator, 4.9, 5, 6)
    assert out.status == 503
    assert set(out.headers) == {"content-type", "x-request-id"}
    assert [answer.status for answer in later] == [200, 429]
    assert simulator.faults_met == {"503": 1}
    assert simulator.arrivals is not None
    assert simulator.arrivals[0] == (4.9, 0, 503)


@pytest.mark.parametrize("kind", ["sliding", "fixed", "bucket", "strict"])
def test_capacity_changes_every_limit_by_the_clock(kind: Any) -> None:
    limits = ServerLimits(rpm=60, tpm=100_000, kind=kind, burst_s=1.0)
    changes = [Capacity(660, 2.0), Capacity(300, 0.5), Capacity(480, 1.0)]
    simulator = Simulator(Scenario(limits=limits, capacity=changes))
    granted, told = [], {}
    for tick in range(900 * 4):
        answer = simulator.answer({}, BODY, tick / 4)
        granted += [tick / 4] if answer.status == 200 else []
        told[tick / 4] = answer.headers["x-ratelimit-limit-tokens"]
    for began, ended, per_minute in [
        (60, 300, 60),
        (360, 480, 30),
        (540, 660, 60),
        (720, 900, 120),
    ]:
        count = sum(began <= now < ended for now in granted)
        assert count == pytest.approx(per_minute * (ended - began) / 60, abs=1)
    assert (told[299], told[300], told[480], told[660]) == ("100000", "50000", "100000", "200000")


ARRIVALS = st.lists(
    st.tuples(st.integers(0, 640), st.integers(1, 640)), min_size=1, max_size=100
).map(
    lambda pairs: list(
        zip(
            accumulate(gap / 64 for gap, _ in pairs),
            (service / 64 for _, service in pairs),
            strict=True,
        )
    )
)


@given(st.integers(1, 8), ARRIVALS)
def test_a_server_works_on_as_many_requests_as_it_has_slots_and_idles_for_none(
    count: int, arrivals: list[tuple[float, float]]
) -> None:
    slots = Slots(count)
    served: list[tuple[float, float]] = []
    for now, service_s in arrivals:
        done_at = now + slots.serve(service_s, now)
        started_at = done_at - service_s
        busy = [done for started, done in served if started <= started_at < done]
        assert len(busy) < count
        if started_at > now:
            just_before = started_at - 1 / 128
            assert sum(begun <= just_before < done for begun, done in served) == count
        served.append((started_at, done_at))


def test_the_same_seed_brings_the_same_run_byte_for_byte() -> None:
    conditions = Scenario(
        limits=ServerLimits(rpm=120, tpm=200_000, kind="bucket", burst_s=1.0, retry_after=False),
        latency=Latency(2.0, sigma=0.7, straggler_share=0.05),
        slots=3,
        prefix_blocks=1000,
        outages=[Outage(10, 20), Outage(30, 40, "503")],
        capacity=[Capacity(50, 0.5)],
    )

    def run_of(seed: int) -> tuple[list[Any], list[Arrival] | None]:
        faults = parse_faults("500:0.05,429:0.05,badjson:0.05")
        simulator = Simulator(conditions, seed=seed, faults=faults, log_arrivals=True)
        result = generate(make_clips(40), transport=SimTransport(simulator))
        # The one thing that is of the real clock.
        metas = [{**record.meta, "time": None} for record in result.records]
        told = zip(result.records, metas, strict=True)
        return [replace(record, meta=meta) for record, meta in told], simulator.arrivals

    first, again, other = map(run_of, (1, 1, 2))
    assert first == again
    assert first != other


def test_throughput_saturates_and_latency_grows_with_what_is_in_flight() -> None:
    conditions = Scenario(slots=4, latency=Latency(2.0))
    delays = [answer.delay_s for answer in answers(Simulator(conditions), *[0.0] * 12)]
    assert delays == [2.0] * 4 + [4.0] * 4 + [6.0] * 4


def test_slots_that_go_finish_their_work_and_come_back_empty() -> None:
    conditions = Scenario(
        slots=4, latency=Latency(10.0), capacity=[Capacity(5, 0.5), Capacity(100, 1.0)]
    )
    simulator = Simulator(conditions)
    started = answers(simulator, 0, 1, 2, 3, 6, 6, 100, 100, 100, 100, 100)
    waits = [answer.delay_s - 10 for answer in started]
    assert waits == [0, 0, 0, 0, 6, 7, 0, 0, 0, 0, 10]


def words_body(*messages: str) -> bytes:
    said = [{"role": "user", "content": text} for text in messages]
    return orjson.dumps({"model": "sim", "messages": said})


def cached(simulator: Simulator, *messages: str) -> int:
    reply = orjson.loads(simulator.answer({}, words_body(*messages), 0.0).body)
    count: int = reply["usage"]["prompt_tokens_details"]["cached_tokens"]
    return count


A, B, C = ("".join(f"{letter}{number:05}" for number in range(1000)) for letter in "abc")


def test_a_prompt_is_cached_as_far_as_it_begins_as_an_earlier_one() -> None:
    simulator = Simulator(Scenario(prefix_blocks=10_000))
    whole = len(f"user\n{A}\nuser\n{B}\n") // 256 * 64
    assert cached(simulator, A, B) == 0
    assert cached(simulator, A, B) == whole
    assert cached(simulator, A, C) == len(f"user\n{A}\nuser\n") // 256 * 64
    assert cached(simulator, B, A) == 0
    assert cached(simulator, A[:100]) == 0
    prompts = [(A, B), (A, B), (A, C), (B, A), (A[:100],)]
    assert simulator.prompt_tokens == sum(len(words_body(*said)) // 4 for said in prompts)
    assert simulator.cached_tokens == whole + len(f"user\n{A}\nuser\n") // 256 * 64


def test_without_a_prefix_cache_nothing_is_cached() -> None:
    simulator = Simulator()
    assert [cached(simulator, A), cached(simulator, A)] == [0, 0]


def test_prompts_used_longest_ago_leave_the_cache_first_from_their_ends() -> None:
    blocks = len(f"user\n{A}\n") // 256
    simulator = Simulator(Scenario(prefix_blocks=2 * blocks + 5))
    for text in (A, B, A, C):
        cached(simulator, text)
    assert cached(simulator, A) == blocks * 64
    assert cached(simulator, B) == 5 * 64


def test_cached_tokens_do_not_count_against_the_limit_of_prompts() -> None:
    body = words_body(A)
    limit = len(body) // 4
    limits = ServerLimits(tpm=100 * limit, input_tpm=limit + limit // 2, headers="anthropic")
    simulator = Simulator(Scenario(limits=limits, prefix_blocks=1000))
    assert [simulator.answer({}, body, 0.0).status for _ in range(5)] == [200] * 5
    assert simulator.answer({}, words_body(B), 0.0).status == 429
    assert cached(simulator, A) > 0
    assert simulator.answer({}, words_body(B), 60.0).status == 200


def common_length(one: str, other: str) -> int:
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), max_size=30), st.integers(1, 40))
def test_no_more_is_cached_than_the_longest_common_beginning(
    prompts: list[tuple[int, int]], most_blocks: int
) -> None:
    prefixes, before = Prefixes(most_blocks), [""]
    for topic, length in prompts:
        text = f"{topic:>400}" + "x" * 200 * length
        told = f"user\n{text}\n"
        keys = block_keys([{"role": "user", "content": text}])
        common = max(common_length(told, other) for other in before)
        assert prefixes.known_tokens(keys) <= min(common // 256, most_blocks) * 64
        prefixes.keep(keys)
        assert prefixes.known_tokens(keys) == min(len(keys), most_blocks) * 64
        before.append(told)


WRONG: list[tuple[Callable[[], object], str]] = [
    (lambda: ServerLimits(input_tpm=0), "input_tpm is 0"),
    (lambda: ServerLimits(burst_s=-1), "burst_s is -1"),
    (lambda: ServerLimits(refusal_s=math.nan), "refusal_s is nan"),
    (lambda: Latency(1, sigma=-1), "sigma is -1"),
    (lambda: Latency(1, straggler_share=2), "straggler_share is 2"),
    (lambda: Latency(1, straggler_times=math.inf), "straggler_times is inf"),
    (lambda: Capacity(0, 0), "capacity is 0"),
    (lambda: Scenario(slots=0), "slots is 0"),
    (lambda: Scenario(prefix_blocks=0), "prefix_blocks is 0"),
    (lambda: ServerLimits(kind="leaky"), "kind is 'leaky'"),  # type: ignore[arg-type]
    (lambda: ServerLimits(headers="azure"), "headers is 'azure'"),  # type: ignore[arg-type]
    (lambda: Outage(0, 1, "flood"), "outage is 'flood'"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("make", "words"), WRONG, ids=[words for _, words in WRONG])
def test_impossible_conditions_are_named(make: Callable[[], object], words: str) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        make()
