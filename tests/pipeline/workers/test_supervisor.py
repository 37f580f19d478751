"""A run by several processes: the same outcomes as by one, under the same limits, whatever ends."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, strategies as st

from tests.support.common import (
    CLIPS,
    Command,
    Dying,
    Serving,
    children_of,
    is_running,
    lines_of,
    outcome_ids,
    start_vcgen,
    wait_until,
)
from vcgen.engine.budget import Budget
from vcgen.engine.config import Limits
from vcgen.pipeline.store.manifest import Manifest
from vcgen.pipeline.store.read import read_records, read_rejects
from vcgen.pipeline.workers.supervisor import REASSIGN_S, divide_limits, most_workers
from vcgen.pipeline.workers.worker import worker_of
from vcgen.sim import Latency, Simulator

LIMIT = st.none() | st.integers(8, 10**7)
LIMITS = st.lists(
    st.builds(Limits, rpm=LIMIT, tpm=LIMIT, concurrency=LIMIT), min_size=1, max_size=4
)
ENDED_S = st.lists(st.none() | st.floats(0, 200), min_size=1, max_size=8)


def write_clips(path: Path, names: Sequence[str]) -> Path:
    rows = [
        {"id": name, "video": f"{name}.mp4", "duration": 9, "caption": f"Boat {name} leaves."}
        for name in names
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def names_of(worker: int, workers: int, count: int) -> list[str]:
    """Ids that all fall to one worker."""
    found = (f"clip-{at}" for at in range(10_000))
    mine = [name for name in found if worker_of({"id": name}, workers) == worker]
    return mine[:count]


def options(base_url: str, run: Path, workers: int = 2) -> tuple[object, ...]:
    return ("--model", "sim", "--base-url", base_url, "-o", run, "--workers", workers)


def comparable(run: Path) -> tuple[list[Any], list[Any]]:
    def known(row: Any) -> tuple[Any, ...]:
        meta = {name: value for name, value in row.meta.items() if name != "time"}
        return row.id, getattr(row, "turns", None) or row.message, meta

    records = sorted(map(known, read_records(run)), key=lambda row: str(row[0]))
    return records, sorted(map(known, read_rejects(run)), key=lambda row: str(row[0]))


def test_two_workers_make_what_one_process_makes(command: Command, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    again = CLIPS.read_bytes()
    rows.write_bytes(
        again + b'{"id": "nothing"}\n{"id": \n{"id": 7, "caption": "A cat."}\n' + again
    )

    summaries = []
    for workers in (1, 2):
        run = tmp_path / str(workers)
        arguments = ("generate", rows, "--model", "sim", "-o", run, "--workers", workers)
        finished = command(*arguments, "--json")
        assert (finished.code, finished.err) == (0, "")
        summaries.append(orjson.loads(finished.out))

    assert comparable(tmp_path / "1") == comparable(tmp_path / "2")
    differs = {"seconds", "records_per_second", "limited_by", "output"}
    one, two = ({k: v for k, v in each.items() if k not in differs} for each in summaries)
    assert one == two
    assert two["rejects_by_reason"] == {"duplicate_clip": 6, "invalid_clip": 2}
    assert lines_of(tmp_path / "2" / "records.jsonl")
    assert lines_of(tmp_path / "2" / "records-2.jsonl")
    counts = Manifest.read(tmp_path / "2").counts
    assert counts == Manifest.read(tmp_path / "1").counts
    assert counts["rejects"] == {"duplicate_clip": 6, "invalid_clip": 2}
    assert counts["usage"] == two["usage"]


def test_any_number_of_workers_continues_what_any_other_began(
    command: Command, serving: Serving, tmp_path: Path
) -> None:
    names = [f"clip-{at}" for at in range(12)]
    run, simulator = tmp_path / "run", Simulator()
    base_url = serving(simulator)
    for workers, count in ((2, 3), (1, 6), (3, 9), (2, 12)):
        clips = write_clips(tmp_path / "clips.jsonl", names[:count])
        finished = command("generate", clips, *options(base_url, run, workers))
        assert finished.code == 0
        assert re.search(rf"^records +{2 * count}$", finished.err, re.MULTILINE)
    assert simulator.requests == 12 * 3
    ids = outcome_ids(run)
    assert len(ids) == len({*ids}) == 24

    before = {path.name: path.read_bytes() for path in run.iterdir()}
    assert "done before  24" in command("generate", clips, *options(base_url, run, 3)).err
    assert simulator.requests == 12 * 3
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before
    assert command("show", run, "--max-shown", 99).out.count("   video ") == 24


def test_a_killed_worker_stops_a_run_that_resumes(
    command: Command, serving: Serving, tmp_path: Path
) -> None:
    run, simulator = tmp_path / "run", Simulator(latency_s=0.1)
    clips = write_clips(tmp_path / "clips.jsonl", [f"clip-{at}" for at in range(8)])
    arguments = ("generate", clips, *options(serving(simulator), run), "--concurrency", 2)
    with start_vcgen(*arguments) as process:
        wait_until(lambda: lines_of(run / "records.jsonl") and lines_of(run / "records-2.jsonl"))
        workers = children_of(process)
        os.kill(workers[0], signal.SIGKILL)
        out, err = process.communicate(timeout=20)

    records = len(list(read_records(run)))
    end = f"records so far: {records}, in {run}; the same command continues"
    assert (process.returncode, out) == (1, "")
    assert re.fullmatch(rf"vcgen: worker [12] of 2 died: Killed; {re.escape(end)}\n", err)
    assert 0 < records < 16
    assert not any(map(is_running, workers))

    assert command(*arguments).code == 0
    ids = outcome_ids(run)
    assert len(ids) == len({*ids}) == 16
    assert simulator.requests <= 24 + 1  # the one that was in flight


@pytest.mark.parametrize("whom", ["terminal", "all"])  # all: as a batch system ends a job
def test_ctrl_c_reaches_the_workers_by_their_parent(
    command: Command, serving: Serving, tmp_path: Path, whom: str
) -> None:
    run, simulator = tmp_path / "run", Simulator(latency_s=0.1)
    arguments = ("generate", CLIPS, *options(serving(simulator), run), "--concurrency", 2)
    with start_vcgen(*arguments, "--json", start_new_session=True) as process:
        # Both: a worker ignores signals once its interpreter has started.
        wait_until(lambda: lines_of(run / "records.jsonl") and lines_of(run / "records-2.jsonl"))
        workers = children_of(process)
        for worker in workers if whom == "all" else []:
            os.kill(worker, signal.SIGINT)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        out, err = process.communicate(timeout=20)

    assert process.returncode == 130
    told, end = err.splitlines()
    assert told.startswith("stopping: waiting up to 10 s for requests in flight (")
    records = len(list(read_records(run)))
    assert end.startswith(f"vcgen: interrupted; records so far: {records}, in ")
    assert orjson.loads(out)["records"] == records < 12
    assert not any(map(is_running, workers))

    assert command(*arguments).code == 0
    assert len(outcome_ids(run)) == 12
    assert simulator.requests == 18  # no answered request was sent again


def test_the_second_ctrl_c_ends_the_workers_at_once(serving: Serving, tmp_path: Path) -> None:
    simulator = Simulator(latency_s=3600)
    arguments = ("generate", CLIPS, *options(serving(simulator), tmp_path / "run"))
    with start_vcgen(*arguments, "--concurrency", 2) as process:
        assert process.stderr is not None
        wait_until(lambda: simulator.requests == 2)
        workers = children_of(process)
        process.send_signal(signal.SIGINT)
        assert process.stderr.readline().startswith("stopping: ")
        process.send_signal(signal.SIGINT)
        assert process.wait(8) == 130
    assert not any(map(is_running, workers))


def test_workers_of_a_killed_parent_lock_until_they_end(
    command: Command, serving: Serving, tmp_path: Path
) -> None:
    run, simulator = tmp_path / "run", Simulator(latency_s=1.5)
    clips = write_clips(tmp_path / "clips.jsonl", names_of(1, 2, 4) + names_of(2, 2, 4))
    known = ("--concurrency", 2, "--no-refine", "--tasks", "description")
    arguments = ("generate", clips, *options(serving(simulator), run), *known)
    with start_vcgen(*arguments, stderr=subprocess.DEVNULL) as process:
        wait_until(lambda: simulator.requests == 2)
        workers = children_of(process)
        process.kill()
    refused = command(*arguments)
    assert refused.code == 2
    assert "another process is writing this run" in refused.err
    wait_until(lambda: not any(map(is_running, workers)))
    assert simulator.requests == 2  # they waited for these and sent no more

    simulator._latency = Latency()
    finished = command(*arguments)
    assert finished.code == 0
    assert re.search(r"^done before +2$", finished.err, re.MULTILINE)
    assert simulator.requests == 8


def test_workers_of_a_stopped_parent_send_nothing_until_it_goes_on(
    serving: Serving, tmp_path: Path
) -> None:
    """As Ctrl-Z stops it; the signal does not reach workers, which have sessions of their own."""
    run, simulator = tmp_path / "run", Simulator(latency_s=0.1)
    clips = write_clips(tmp_path / "clips.jsonl", [f"clip-{at}" for at in range(80)])
    arguments = ("generate", clips, *options(serving(simulator), run), "--concurrency", 4)
    with start_vcgen(*arguments, "--json") as process:
        wait_until(lambda: lines_of(run / "records.jsonl") and lines_of(run / "records-2.jsonl"))
        process.send_signal(signal.SIGSTOP)
        try:
            wait_until(lambda: not requests_within(0.5, simulator))
            sent = simulator.requests
            assert not requests_within(1.5, simulator)
        finally:
            process.send_signal(signal.SIGCONT)
        try:
            out, _ = process.communicate(timeout=40)
        finally:
            process.kill()  # workers that stay paused would keep it from ending

    assert process.returncode == 0
    assert orjson.loads(out)["records"] == 160
    ids = outcome_ids(run)
    assert len(ids) == len({*ids}) == 160
    assert sent < simulator.requests == 240


def requests_within(seconds: float, simulator: Simulator) -> int:
    """How many arrive in the next seconds; in flight there are requests all the time."""
    before = simulator.requests
    time.sleep(seconds)
    return simulator.requests - before


def test_workers_stop_a_run_with_the_message_of_one_process(
    command: Command, serving: Serving, tmp_path: Path
) -> None:
    base_url = serving(Dying(0))
    (tmp_path / "describe.jinja").write_text(
        '{% extends "base.jinja" %}{% block task %}{{ absent }}{% endblock %}'
    )
    for wrong, code in (((), 1), (("--templates", tmp_path), 2)):
        one, two = (
            command("generate", CLIPS, *options(base_url, tmp_path / f"{code}", workers), *wrong)
            for workers in (1, 2)
        )
        assert one.code == two.code == code
        assert one.err == two.err
        assert one.err.count("\n") == 1


def test_tasks_of_a_file_work_in_workers_and_may_print(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import vcgen\n"
        "@vcgen.task\n"
        "async def mine(clip, ask):\n"
        "    print('printed', clip.id)\n"
        "    return [vcgen.Turn('descriptive', 'What is it?', 'A boat leaves the pier.')]\n"
        "other = vcgen.Task('other', mine.function)\n"
    )
    clips = write_clips(tmp_path / "clips.jsonl", names_of(1, 2, 2) + names_of(2, 2, 2))
    tasks = "mine.py:mine,mine:other"  # as a file, and as a module of the parent's path
    arguments = (clips, "--model", "sim", "-o", "run", "--tasks", tasks, "--json")
    with start_vcgen("generate", *arguments, "--workers", 2, cwd=tmp_path) as process:
        out, err = process.communicate(timeout=20)
    assert process.returncode == 0
    assert orjson.loads(out)["records"] == 8
    printed = [f"printed {name}" for name in names_of(1, 2, 2) + names_of(2, 2, 2)]
    assert sorted(err.splitlines()) == sorted(printed * 2)


def test_a_file_named_like_a_module_is_not_run_by_workers(tmp_path: Path) -> None:
    (tmp_path / "uvloop.py").write_text("raise SystemExit('this is not uvloop')")
    program = (
        "import os, sys; os.chdir(sys.argv.pop()); from vcgen.cli.main import main\n"
        f"main(['generate', {str(CLIPS)!r}, '--model', 'sim', '-o', 'run', '--workers', '2'])"
    )
    started = [sys.executable, "-P", "-c", program, str(tmp_path)]
    done = subprocess.run(started, capture_output=True, text=True, check=False)
    assert (done.returncode, len(outcome_ids(tmp_path / "run"))) == (0, 12), done.stderr


def test_no_more_workers_than_requests_in_flight(command: Command, tmp_path: Path) -> None:
    arguments = ("generate", CLIPS, "--model", "sim", "-o", tmp_path, "--concurrency", 1)
    assert command(*arguments, "--workers", 4).code == 0
    assert not (tmp_path / "records-2.jsonl").exists()
    assert most_workers([Limits(rpm=3)], Budget()) == 3
    assert most_workers([Limits(rpm=30), Limits(tpm=5, concurrency=9)], Budget()) == 5


def test_workers_together_keep_the_limit(
    command: Command, serving: Serving, tmp_path: Path
) -> None:
    simulator = Simulator(rpm=120, log_arrivals=True)
    clips = write_clips(tmp_path / "clips.jsonl", names_of(1, 2, 3) + names_of(2, 2, 3))
    arguments = ("generate", clips, *options(serving(simulator), tmp_path / "run"))
    finished = command(*arguments, "--rpm", 120, "--tasks", "description", "--no-refine")
    assert finished.code == 0
    assert simulator.statuses == {200: 6}
    assert simulator.arrivals is not None
    first, *_, last = [arrival.time_s for arrival in simulator.arrivals]
    assert last - first > 1.5  # two after each worker's first, one a second


def test_concurrency_of_an_ended_worker_goes_to_the_others(
    command: Command, serving: Serving, tmp_path: Path
) -> None:
    latency_s = 0.5
    simulator = Simulator(latency_s=latency_s, log_arrivals=True)
    clips = write_clips(tmp_path / "clips.jsonl", names_of(2, 2, 15))
    arguments = ("generate", clips, *options(serving(simulator), tmp_path / "run"))
    limits = ("--concurrency", 6, "--tasks", "description", "--no-refine")
    finished = command(*arguments, *limits, "--json")
    assert finished.code == 0
    assert orjson.loads(finished.out)["limited_by"]["concurrency"] > 0
    assert simulator.arrivals is not None
    times = [arrival.time_s for arrival in simulator.arrivals]
    together = [sum(0 <= at - since < latency_s for at in times) for since in times]
    assert 3 < max(together) <= 6


@given(LIMITS, ENDED_S)
def test_parts_of_each_endpoint_add_up_to_its_limits(
    limits: list[Limits], ended_s: list[float | None]
) -> None:
    given = divide_limits(limits, ended_s)
    assert [*given] == [at for at, seconds in enumerate(ended_s) if seconds is None]
    is_handed_on = all(seconds is None or seconds >= REASSIGN_S for seconds in ended_s)
    for each, parts in zip(limits, zip(*given.values(), strict=True), strict=False):
        in_flight = [part.in_flight for part in parts]
        if each.in_flight is None:
            assert {*in_flight} == {None}
        else:
            assert sum(part or 0 for part in in_flight) == each.in_flight
        for name in ("rpm", "tpm"):
            whole, rates = getattr(each, name), [getattr(part, name) for part in parts]
            if whole is None:
                assert {*rates} == {None}
            else:
                assert sum(rates) == whole if is_handed_on else sum(rates) <= whole


@given(LIMITS, st.none() | st.integers(1, 20))
def test_every_worker_has_a_part_of_every_limit(limits: list[Limits], requests: int | None) -> None:
    workers = most_workers(limits, Budget(requests=requests))
    given = divide_limits(limits, [None] * min(workers, 50))  # `Limits` of 0 are refused
    assert all(len(parts) == len(limits) for parts in given.values())


@given(LIMITS, ENDED_S, st.integers(0, 7), st.floats(0, 200))
def test_no_part_shrinks_as_workers_end(
    limits: list[Limits], ended_s: list[float | None], at: int, passed_s: float
) -> None:
    later = [None if seconds is None else seconds + passed_s for seconds in ended_s]
    if at < len(later) and later[at] is None:
        later[at] = 0.0
    before, after = divide_limits(limits, ended_s), divide_limits(limits, later)
    for number, parts in after.items():
        for was, now in zip(before[number], parts, strict=True):
            assert (now.in_flight or 0) >= (was.in_flight or 0)
            assert (now.rpm or 0) >= (was.rpm or 0)
