"""The prefix cache of the simulated endpoint."""

import orjson
from hypothesis import given, strategies as st

from vcgen.sim import (
    Scenario,
    ServerLimits,
    Simulator,
)
from vcgen.sim.prefix_cache import PrefixCache, block_keys


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
    prefixes, before = PrefixCache(most_blocks), [""]
    for topic, length in prompts:
        text = f"{topic:>400}" + "x" * 200 * length
        told = f"user\n{text}\n"
        keys = block_keys([{"role": "user", "content": text}])
        common = max(common_length(told, other) for other in before)
        assert prefixes.known_tokens(keys) <= min(common // 256, most_blocks) * 64
        prefixes.keep(keys)
        assert prefixes.known_tokens(keys) == min(len(keys), most_blocks) * 64
        before.append(told)
