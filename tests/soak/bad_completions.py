"""2,000 bad completions on their way through a whole run."""

import time
from pathlib import Path

from tests.support.common import make_clips
from tests.support.completions import Spoiling, judge


def test_2000_bad_completions_end_as_whole_records_or_rejects_with_a_reason(tmp_path: Path) -> None:
    simulator = Spoiling(share=0.8)
    began = time.process_time()
    ended = judge(tmp_path / "run", simulator, make_clips(550))
    print(
        f"\n{simulator.spoilt:,} bad completions among {simulator.requests:,} replies: "
        f"{dict(ended)}; {time.process_time() - began:.0f} s of computing"
    )
    assert simulator.spoilt >= 2_000
    assert ended.keys() >= {"record", "invalid_reply", "failed_checks"}
