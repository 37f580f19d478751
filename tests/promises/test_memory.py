"""Many clips and many requests in flight, small; tests/soak has them large."""

from pathlib import Path

import pytest
import uvloop

from tests.support.common import Serving
from tests.support.heavy import growth, load
from vcgen.sim import Simulator

RECORD_BYTES = 700  # of the shortest


@pytest.mark.holds_loop("its transport answers without waiting: a turn lasts 1,000 clips")
def test_nothing_of_a_clip_stays_in_memory_but_its_id(tmp_path: Path) -> None:
    grown = uvloop.run(growth(6000, 2000, tmp_path / "run"))
    assert grown.bytes_each < RECORD_BYTES / 2


def test_hundreds_in_flight_fail_nowhere_and_leave_nothing(serving: Serving) -> None:
    loaded = uvloop.run(load(serving(Simulator(latency_s=0.3)), in_flight=200, seconds=1.5))
    summary = loaded.result.summary
    assert summary.retries == summary.rejects == 0
    assert summary.records == summary.requests > 200
    assert loaded.after == loaded.before
