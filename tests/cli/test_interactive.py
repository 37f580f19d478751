"""What signals do to a run, and what it looks like on a terminal: real processes and sockets."""

import os
import re
import signal
from pathlib import Path

import orjson
import pytest

from tests.support.common import CLIPS, Command, Serving, lines_of, start_vcgen, wait_until
from vcgen.cli.signals import ENDING
from vcgen.pipeline.runner import GRACE_S
from vcgen.sim import Simulator

SECOND_SIGNAL_S = GRACE_S - 2.0  # sooner than the grace period alone would have ended it


UNDER_NOHUP = pytest.mark.skipif(signal.SIGHUP not in ENDING, reason="SIGHUP is ignored here")


def generate(base_url: str, run: Path) -> tuple[object, ...]:
    options = ("--model", "sim", "--base-url", base_url, "--concurrency", 2)
    return ("generate", CLIPS, *options, "-o", run)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        pytest.param(signal.SIGINT, 130, id="SIGINT"),
        pytest.param(signal.SIGTERM, 143, id="SIGTERM"),
        pytest.param(signal.SIGHUP, 129, id="SIGHUP", marks=UNDER_NOHUP),
    ],
)
def test_the_first_signal_stops_sending_and_keeps_what_arrives(
    command: Command, serving: Serving, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    simulator = Simulator(latency_s=0.1)
    run = tmp_path / "run"
    arguments = generate(serving(simulator), run)
    with start_vcgen(*arguments) as process:
        wait_until(lambda: lines_of(run / "records.jsonl"))
        process.send_signal(number)
        out, err = process.communicate(timeout=20)

    told, end = err.splitlines()
    assert process.returncode == code
    assert out == ""
    assert re.fullmatch(
        r"stopping: waiting up to 10 s for requests in flight \(\d\); "
        r"press Ctrl-C again to stop at once",
        told,
    )
    records = len(lines_of(run / "records.jsonl"))
    assert 0 < records < 12
    assert end == (
        f"vcgen: interrupted; records so far: {records}, in {run}; the same command continues"
    )

    sent = simulator.requests
    assert sent < 18
    assert command(*arguments).code == 0
    assert len(lines_of(run / "records.jsonl")) == 12
    assert simulator.requests == 18  # no answered request was sent again


def test_the_second_signal_ends_it_at_once(
    command: Command, serving: Serving, tmp_path: Path
) -> None:
    simulator = Simulator(latency_s=3600)
    with start_vcgen(*generate(serving(simulator), tmp_path / "run")) as process:
        assert process.stderr is not None
        wait_until(lambda: simulator.requests == 2)
        process.send_signal(signal.SIGINT)
        assert process.stderr.readline().endswith("(2); press Ctrl-C again to stop at once\n")
        process.send_signal(signal.SIGINT)
        assert process.wait(SECOND_SIGNAL_S) == 130
        end = process.stderr.read()

    assert end.startswith("vcgen: interrupted; records so far: 0, in ")
    assert simulator.requests == 2


def test_an_interrupted_run_prints_its_json_too(serving: Serving, tmp_path: Path) -> None:
    simulator = Simulator(latency_s=0.1)
    run = tmp_path / "run"
    with start_vcgen(*generate(serving(simulator), run), "--json") as process:
        wait_until(lambda: lines_of(run / "records.jsonl"))
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=20)

    assert process.returncode == 130
    assert orjson.loads(out)["records"] == len(lines_of(run / "records.jsonl"))


@pytest.mark.parametrize("columns", [80, 40])
def test_on_a_terminal_the_display_gives_way_to_the_summary(
    serving: Serving, tmp_path: Path, columns: int
) -> None:
    master, slave = os.openpty()
    run = tmp_path / "run"
    environment = {"COLUMNS": str(columns), "LINES": "24", "TERM": "xterm"}
    arguments = generate(serving(Simulator(latency_s=0.1)), run)
    with start_vcgen(*arguments, stderr=slave, env=environment) as process:
        os.close(slave)
        shown = read_all(master)
        assert process.wait(20) == 0

    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown).replace("\r", "\n")
    assert re.search(r"in flight\s+[12] of 2\b", plain)
    assert re.search(r"samples\s+\d+ of ~12\b", plain)
    summary = plain[plain.rindex("samples") :]
    assert summary.split()[-2:] == ["output", str(run)]
    assert "in flight" not in summary
    displayed = [line.rstrip() for line in plain.removesuffix(summary).split("\n")]
    assert max(map(len, displayed)) <= columns


def read_all(terminal: int) -> str:
    """What was written to a pseudo-terminal until its last writer closed it."""
    parts = []
    try:
        while part := os.read(terminal, 65_536):
            parts.append(part)
    except OSError:  # how Linux says that nobody writes any more
        pass
    finally:
        os.close(terminal)
    return b"".join(parts).decode()


def test_a_run_goes_on_when_nobody_reads_its_progress(
    command: Command, serving: Serving, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    reading, writing = os.pipe()
    with start_vcgen(
        *generate(serving(Simulator(latency_s=0.1)), run), "--json", stderr=writing
    ) as process:
        os.close(writing)
        os.close(reading)
        wait_until(lambda: lines_of(run / "records.jsonl"))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)

    assert process.returncode == 130
    assert command(*generate(serving(Simulator()), run)).code == 0
    assert len(lines_of(run / "records.jsonl")) == 12
