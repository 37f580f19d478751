"""Runs that signals interrupt at any moment: real processes, to which every warning is an error."""

import re
import signal
import subprocess
import time
from pathlib import Path
from random import Random
from typing import NamedTuple

import orjson
from anyio.from_thread import start_blocking_portal

from tests.support.common import make_clips, outcome_ids, start_vcgen, wait_until
from vcgen.pipeline.runner import GRACE_S
from vcgen.pipeline.store.lines import line_id
from vcgen.sim import Simulator, serve

STRICT = {"PYTHONDEVMODE": "1", "PYTHONWARNINGS": "error"}  # as -X dev -W error, for workers too
SIGNALS = (signal.SIGINT, signal.SIGTERM)
CLIPS, ASKED_EACH = 48, 3
START_S, WORK_S = 1.0, 0.8  # about what it takes to start, and to do half of it
_TOLD = re.compile(
    r"(stopping: waiting up to 10 s for requests in flight \(\d+\); press Ctrl-C again to stop at "
    r"once\n)?(vcgen: interrupted; records so far: \d+, in .*; the same command continues\n)?"
)
_FILES = re.compile(r"run\.json|\.lock|(records|rejects|calls)(-\d+)?\.jsonl")


class Ended(NamedTuple):
    """How a run ended that a signal met: its exit code, seconds it still took, outcomes left."""

    code: int
    took_s: float
    outcomes: int


class Interrupting:
    """Starts a run in a directory, interrupts it, and starts it again until all is done.

    Args:
        directory: for runs, one after another.
        options: of the command.
    """

    def __init__(self, directory: Path, *options: object, seed: int = 0) -> None:
        self.met: list[Ended] = []
        self.finished = 0
        self._directory, self._options = directory, options
        self._random = Random(seed)  # noqa: S311 - a repeatable choice
        rows = [orjson.dumps(clip.model_dump()) + b"\n" for clip in make_clips(CLIPS)]
        self._simulator = Simulator(latency_s=0.1)
        self._clips = directory / "clips.jsonl"
        self._temporary = directory / "temporary"
        self._temporary.mkdir(parents=True)
        self._clips.write_bytes(b"".join(rows))

    def meet(self, signals: int) -> None:
        """Let so many signals meet a run, and then the last run come to its end."""
        with (
            start_blocking_portal() as portal,
            portal.wrap_async_context_manager(serve(self._simulator)) as base_url,
        ):
            while len(self.met) < signals or self._simulator.requests:
                if self._once(base_url, interrupted=len(self.met) < signals):
                    # What was answered was not asked for again.
                    assert self._simulator.requests == CLIPS * ASKED_EACH
                    self._simulator.requests = 0
                    self.finished += 1

    def _wait(self, process: subprocess.Popen[str]) -> None:
        """Until a random moment: one in four while it starts, the others while it works."""
        asked = self._simulator.requests
        if starts := self._random.random() < 0.25:
            wait_until(lambda: heeds_signals(process))
        else:
            wait_until(lambda: process.poll() is not None or self._simulator.requests > asked)
        time.sleep(self._random.uniform(0, START_S if starts else WORK_S))

    def _once(self, base_url: str, *, interrupted: bool) -> bool:
        """Whether all is done."""
        run = self._directory / f"run-{self.finished}"
        options = ("--model", "sim", "--base-url", base_url, "--concurrency", 8, *self._options)
        environment = STRICT | {"TMPDIR": str(self._temporary)}
        number = self._random.choice(SIGNALS)
        with start_vcgen("generate", self._clips, *options, "-o", run, env=environment) as process:
            if interrupted:
                self._wait(process)
            met = interrupted and process.poll() is None
            if met:
                process.send_signal(number)
            began = time.monotonic()
            _, err = process.communicate(timeout=GRACE_S + 30)
            took_s = time.monotonic() - began

        outcomes = self._judge(run)
        told = without_debug(err)
        is_done = re.search(rf"^output +{re.escape(str(run))}\n\Z", told, re.MULTILINE) is not None
        assert outcomes == 2 * CLIPS or not is_done
        # When all is done, a signal may still be heeded or come too late.
        expected = {128 + number} if met else set()
        assert process.returncode in expected | ({0} if is_done or not met else set()), err
        assert is_done or _TOLD.fullmatch(told), err
        if met:
            self.met.append(Ended(process.returncode, took_s, outcomes))
        return is_done

    def _judge(self, run: Path) -> int:
        """How many outcomes a directory has, of which each is whole and none is there twice."""
        assert not list(self._temporary.iterdir())
        if not run.exists():
            return 0
        for path in run.iterdir():
            assert _FILES.fullmatch(path.name)
            if path.suffix == ".jsonl":
                *lines, rest = path.read_bytes().split(b"\n")
                assert not rest
                assert all(line_id(line) for line in lines)
        ids = outcome_ids(run)
        assert len(ids) == len({*ids})
        return len(ids)


def without_debug(told: str) -> str:
    """Without what loops tell of slow callbacks in their debug mode, which -X dev turns on."""
    return re.sub(r"Executing <.*> took [\d.]+ seconds\n", "", told)


def heeds_signals(process: subprocess.Popen[str]) -> bool:
    """Whether a process has said what a signal does to it: Python itself heeds SIGINT alone."""
    status = Path(f"/proc/{process.pid}/status").read_text("ascii")
    caught = int(status.partition("SigCgt:")[2].split()[0], 16)
    return bool(caught >> (signal.SIGTERM - 1) & 1)
