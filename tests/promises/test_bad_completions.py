"""Whatever a completion holds: it is decoded or refused, and a run ends each sample once."""

from pathlib import Path
from random import Random

from tests.support.common import completion, make_clips
from tests.support.completions import GARBAGE, HEADERS, Spoiling, judge, spoilt
from vcgen.engine.chat import Completion, Failure
from vcgen.engine.rate_headers import announced_limits
from vcgen.engine.wire.completions import decode

TURNS = '{"turns": [{"kind": "causal", "question": "Why?", "answer": "It floats."}]}'


def test_bad_completion_is_decoded_or_a_failure_with_a_reason() -> None:
    random = Random(0)  # noqa: S311 - repeatable
    whole = [completion("A boat leaves.").body, completion(TURNS).body]
    kinds = set()
    for _ in range(2_000):
        headers = {random.choice(HEADERS): random.choice(GARBAGE)}
        announced_limits(headers)
        found = decode(200, headers, spoilt(random.choice(whole), random))
        kinds.add(type(found))
        if isinstance(found, Failure):
            assert found.message
            continue
        assert found.finish_reason
        found.text.encode()
        for count in (found.usage.prompt_tokens, found.usage.completion_tokens):
            assert type(count) is int
            assert 0 <= count <= 1 << 24
    assert kinds == {Completion, Failure}


def test_bad_completions_end_as_whole_records_or_rejects(
    tmp_path: Path,
) -> None:
    simulator = Spoiling(share=0.6)
    ended = judge(tmp_path / "run", simulator, make_clips(80))
    assert simulator.spoilt > 150
    assert ended.keys() > {"record", "invalid_reply"}
