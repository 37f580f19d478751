"""Signals at 100 random moments of a run, and how long the second one takes."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.common import CLIPS, Serving, start_vcgen, wait_until
from tests.support.interrupts import STRICT, Interrupting
from vcgen.pipeline.runner import GRACE_S
from vcgen.sim import Simulator

LANES = 4  # runs at a time


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("signals", "options"), [(21, ()), (4, ("--workers", 2))])
def test_signals_at_random_moments_lose_and_leave_nothing(
    tmp_path: Path, signals: int, options: tuple[object, ...]
) -> None:
    lanes = [Interrupting(tmp_path / str(at), *options, seed=at) for at in range(LANES)]
    with ThreadPoolExecutor(LANES) as pool:
        list(pool.map(lambda lane: lane.meet(signals), lanes))
    met = [ended for lane in lanes for ended in lane.met]
    codes = {code: sum(ended.code == code for ended in met) for code in {e.code for e in met}}
    working = sum(ended.outcomes > 0 for ended in met)
    print(
        f"\n{' '.join(map(str, options)) or 'one process'}: {len(met)} signals met a run, {working}"
        f" after its first outcome; {sum(lane.finished for lane in lanes)} runs finished all the "
        f"same, nothing asked twice; exit codes {codes}; {max(e.took_s for e in met):.2f} s at most"
    )
    assert len(met) == signals * LANES
    assert max(ended.took_s for ended in met) < GRACE_S


@pytest.mark.parametrize("workers", [1, 2])
def test_the_second_signal_ends_a_run_at_once(
    serving: Serving, tmp_path: Path, workers: int
) -> None:
    base_url, took = serving(simulator := Simulator(latency_s=3600)), []
    known = ("--model", "sim", "--base-url", base_url, "--concurrency", 2, "--workers", workers)
    for at in range(4):
        arguments = ("generate", CLIPS, *known, "-o", tmp_path / str(at))
        simulator.requests = 0
        with start_vcgen(*arguments, env=STRICT) as process:
            wait_until(lambda: simulator.requests == 2)
            assert process.stderr is not None
            process.send_signal(signal.SIGTERM)
            while not process.stderr.readline().startswith("stopping: "):
                pass
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(GRACE_S) == 128 + signal.SIGTERM
            took.append(time.monotonic() - began)
    print(f"\nworkers {workers}: the second signal took {max(took):.2f} s at most")
    assert max(took) < GRACE_S - 2
