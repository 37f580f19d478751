"""Kills of a run's workers, and of the process that started them."""

import os
import signal
from functools import partial
from pathlib import Path
from random import Random
from subprocess import DEVNULL

import orjson
import pytest

from tests.support.common import ROOT, Serving, children_of, is_running, start_vcgen, wait_until
from tests.support.crashes import CONCURRENCY, Evidence, Sized, assert_nothing_lost, row_of
from tests.support.story import STEPS


def all_ended(processes: list[int]) -> bool:
    return not any(map(is_running, processes))


@pytest.mark.timeout(300)
def test_kills_of_workers_and_of_who_started_them_lose_nothing(
    serving: Serving, tmp_path: Path
) -> None:
    kills, clips, run = 8, 200, tmp_path / "run"
    random, evidence, simulator = Random(1), Evidence(run), Sized({})  # noqa: S311 - repeatable
    rows = tmp_path / "clips.jsonl"
    rows.write_bytes(b"".join(orjson.dumps(row_of(at)) + b"\n" for at in range(clips)))
    task = f"{ROOT / 'tests/support/story.py'}:story"
    options = ("--model", "scripted", "--base-url", serving(simulator), "--tasks", task)
    limits = ("--workers", 2, "--concurrency", CONCURRENCY)
    command = ("generate", rows, *options, *limits, "-o", run)
    for life in range(1, kills + 1):
        simulator.await_request(random.randint(1, 30))
        with start_vcgen(*command, stdout=DEVNULL, stderr=DEVNULL) as process:
            assert simulator.reached.wait(20)
            workers = children_of(process)
            os.kill(random.choice(workers) if life % 2 else process.pid, signal.SIGKILL)
        wait_until(partial(all_ended, workers))
        evidence.take(life)
    simulator.await_request(0)
    with start_vcgen(*command, stdout=DEVNULL, stderr=DEVNULL) as process:
        assert process.wait(60) == 0
    assert_nothing_lost(simulator, evidence, run, clips=clips, kills=kills)
    print(
        f"\n{kills} kills of one of two workers or of their parent: 0 lost, 0 doubled; "
        f"{simulator.requests - clips * STEPS} of {simulator.requests:,} requests again"
    )
