"""No terminal and no pipe holds a run: standard streams that block on purpose, real processes."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.blocked import blocked, read_until
from tests.support.common import CLIPS, Serving, lines_of, start_vcgen, wait_until
from vcgen.cli.main import main
from vcgen.pipeline.runner import GRACE_S
from vcgen.sim import Simulator

SECOND_SIGNAL_S = GRACE_S - 2.0  # sooner than the grace period alone would have ended it


def generate(base_url: str, run: Path, *options: object) -> tuple[object, ...]:
    known = ("--model", "sim", "--base-url", base_url, "--concurrency", 2)
    return ("generate", CLIPS, *known, "-o", run, *options)


@contextmanager
def started(*arguments: object, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """The command as a process, killed at the end: one that is held would never end."""
    with start_vcgen(*arguments, **options) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def standard_error(kind: str) -> Iterator[tuple[int, dict[str, str]]]:
    """A descriptor that takes nothing, and the environment that goes with it."""
    with ExitStack() as stack:
        if kind == "full disk":
            full = os.open("/dev/full", os.O_WRONLY)
            stack.callback(os.close, full)
        else:
            full = stack.enter_context(blocked(is_terminal=kind != "pipe")).write_end
        yield full, {"TERM": "dumb" if kind == "dumb terminal" else "xterm"}


@pytest.mark.parametrize("kind", ["terminal", "dumb terminal", "pipe", "full disk"])
def test_a_run_ends_though_standard_error_takes_nothing(
    serving: Serving, tmp_path: Path, kind: str
) -> None:
    run = tmp_path / "run"
    arguments = generate(serving(Simulator(latency_s=0.05)), run, "--json")
    with (
        standard_error(kind) as (full, environment),
        started(*arguments, stderr=full, env=environment) as process,
    ):
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert orjson.loads(out)["records"] == len(lines_of(run / "records.jsonl")) == 12


@pytest.mark.parametrize("closed", ["2>&-", ">&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_ends_with_standard_streams_closed(tmp_path: Path, closed: str, workers: int) -> None:
    run = tmp_path / "run"
    arguments = ("generate", CLIPS, "--model", "sim", "-o", run, "--workers", workers, "--json")
    command = [sys.executable, "-m", "vcgen", *map(str, arguments)]
    script = f'exec "$@" {closed}'
    done = subprocess.run(
        ["/bin/sh", "-c", script, "sh", *command], capture_output=True, check=False, timeout=30
    )
    assert (done.returncode, done.stderr) == (0, b"")
    files = [path for path in run.iterdir() if path.name.startswith("records")]
    assert sum(len(lines_of(path)) for path in files) == 12
    if closed == "2>&-":
        assert orjson.loads(done.stdout)["records"] == 12


def test_a_signal_stops_a_run_whose_terminal_is_stopped(serving: Serving, tmp_path: Path) -> None:
    simulator, run = Simulator(latency_s=0.1), tmp_path / "run"
    with (
        blocked(is_terminal=True) as terminal,
        started(*generate(serving(simulator), run), stderr=terminal.write_end) as process,
    ):
        wait_until(lambda: lines_of(run / "records.jsonl"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 143
    assert 0 < len(lines_of(run / "records.jsonl")) < 12


def test_the_second_signal_ends_a_run_whose_terminal_is_stopped(
    serving: Serving, tmp_path: Path
) -> None:
    simulator = Simulator(latency_s=3600)
    arguments = generate(serving(simulator), tmp_path / "run")
    with (
        blocked(is_terminal=True) as terminal,
        started(*arguments, stderr=terminal.write_end) as process,
    ):
        wait_until(lambda: simulator.requests == 2)
        process.send_signal(signal.SIGINT)
        wait_until(lambda: signal_is_taken(process))
        process.send_signal(signal.SIGINT)
        assert process.wait(SECOND_SIGNAL_S) == 130


def signal_is_taken(process: subprocess.Popen[str]) -> bool:
    """Whether no SIGINT is pending: two at once would count as one."""
    status = Path(f"/proc/{process.pid}/status").read_text("ascii")
    pending = int(status.partition("ShdPnd:")[2].split()[0], 16)
    return not pending >> (signal.SIGINT - 1) & 1


def test_a_terminal_that_goes_on_shows_the_run(serving: Serving, tmp_path: Path) -> None:
    simulator, run = Simulator(latency_s=0.2), tmp_path / "run"
    with (
        blocked(is_terminal=True) as terminal,
        started(
            *generate(serving(simulator), run), stderr=terminal.write_end, env={"TERM": "xterm"}
        ) as process,
    ):
        wait_until(lambda: len(lines_of(run / "records.jsonl")) >= 4)
        shown = read_until(terminal.read_end, rf"{re.escape(str(run))}\r\n")
        assert process.wait(20) == 0
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown)
    assert re.search(r"samples +\d+ of ~12", plain)
    assert plain.rindex("in flight") < plain.rindex("18, 0 repeated")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_command_whose_output_nobody_reads(
    tmp_path: Path, number: signal.Signals
) -> None:
    run = tmp_path / "run"
    arguments = ("generate", CLIPS, "--model", "sim", "-o", run, "--json")
    with blocked() as pipe, started(*arguments, stdout=pipe.write_end) as process:
        wait_until(lambda: is_writing(process, 1))
        process.send_signal(number)
        assert process.wait(20) == 128 + number
    assert len(lines_of(run / "records.jsonl")) == 12


def is_writing(process: subprocess.Popen[str], descriptor: int) -> bool:
    """Whether the main thread waits in a write to a descriptor."""
    call = Path(f"/proc/{process.pid}/syscall").read_text("ascii").split()
    return call[:2] == ["1", hex(descriptor)]


def test_requests_go_on_while_standard_error_blocks(
    serving: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this process, so that any blocking write in the loop ends the test by its timeout."""
    simulator = Simulator(latency_s=0.05)
    arguments = generate(serving(simulator), tmp_path / "run")
    with blocked() as pipe, open(pipe.write_end, "w", closefd=False, encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stderr", full)
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        assert not ended.value.code
    assert simulator.requests == 18
