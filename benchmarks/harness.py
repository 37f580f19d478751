"""What all benchmarks share: sizes, processes pinned to cores, repeats, rows of results.

python -m benchmarks.harness MODULE FUNCTION ARGUMENTS    calls a function of ours and prints JSON
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

import orjson

ROOT = Path(__file__).parents[1]
Metrics = dict[str, float]
Case = Mapping[str, str | int]


class Skipped(Exception):
    """Why a case has no figures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much is measured; the defaults are the full suite."""

    repeats: int = 3
    long_repeats: int = 3  # of what takes a minute or more
    seconds: float = 3.0  # of one measurement of `saturation`, about
    cap_s: float = 60.0  # a client that would take longer is skipped
    in_flight: tuple[int, ...] = (16, 64, 512, 2000)
    latency_s: float = 1.0
    latency_in_flight: tuple[int, ...] = (500, 2000, 8000)
    rounds: int = 10  # answers a connection in `latency`
    limits_s: float = 120.0
    real_time: bool = False
    knee_requests: int = 4000
    clips: tuple[Path, ...] = ()  # more inputs for `plans`
    storm_samples: int = 6000
    stray_samples: int = 60_000
    plan_copies: int = 150
    storm_servers: int = 96
    few: int = 10_000
    many: int = 1_000_000
    seeds: int = 8  # of what is cheap in virtual time


@dataclass(frozen=True, slots=True)
class Row:
    """One result: what was measured, and each metric's value at each repeat."""

    benchmark: str
    case: Case
    metrics: dict[str, list[float]] = field(default_factory=dict)
    note: str = ""

    def line(self) -> bytes:
        summary = {
            name: {"median": median(v), "min": min(v), "max": max(v), "values": v}
            for name, v in self.metrics.items()
        }
        row = {"benchmark": self.benchmark, **self.case, "metrics": summary, "note": self.note}
        return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def interleave(
    benchmark: str, cases: Sequence[Case], repeats: int, measure: Callable[[Case], Metrics]
) -> list[Row]:
    """Measure all cases in turn, then all again, so that drift of the machine meets each alike.

    A case that was skipped once is not tried again and has no figures.
    """
    rows = [Row(benchmark, case) for case in cases]
    for _ in range(repeats):
        for number, row in enumerate(rows):
            try:
                measured = {} if row.note else measure(row.case)
            except Skipped as reason:
                rows[number] = Row(benchmark, row.case, note=f"skipped: {reason}")
                continue
            for name, value in measured.items():
                row.metrics.setdefault(name, []).append(value)
            print(benchmark, *row.case.values(), measured or row.note, file=sys.stderr)
    return rows


def ratio(over: Row, under: Row, metric: str, case: Case) -> Row:
    """Of two rows of one `interleave`, repeat by repeat."""
    if note := over.note or under.note:
        return Row(over.benchmark, case, note=note)
    pairs = zip(over.metrics[metric], under.metrics[metric], strict=True)
    return Row(over.benchmark, case, {f"{metric} ratio": [a / b for a, b in pairs]})


def cores() -> tuple[int, int] | None:
    """The core of the client and that of the server, None where they cannot be chosen."""
    if not hasattr(os, "sched_setaffinity") or len(allowed := sorted(os.sched_getaffinity(0))) < 2:
        return None
    return allowed[0], allowed[-1]


@contextmanager
def running(
    command: Sequence[str], *, server: bool = False, pinned: bool = True
) -> Iterator[subprocess.Popen[str]]:
    """A process on its core, or on all if not `pinned`; killed when the block ends."""
    # No proxy, no key of the user's, no PYTHONDONTWRITEBYTECODE, which would make starting slow.
    kept = [name for name in os.environ if not re.match(r"PYTHON|.*_proxy$", name, re.IGNORECASE)]
    environment = {name: os.environ[name] for name in kept} | {"OPENAI_API_KEY": "none"}
    pipe, chosen = subprocess.PIPE, cores() if pinned else None
    allowed = os.sched_getaffinity(0) if chosen else set()
    if chosen:
        os.sched_setaffinity(0, {chosen[server]})  # what the child inherits
    try:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True
        )
    finally:
        if chosen:
            os.sched_setaffinity(0, allowed)
    with process:
        try:
            yield process
        finally:
            process.kill()


def last_json(
    command: Sequence[str], timeout_s: float | None = None, *, pinned: bool = True
) -> Any:
    """The last line that a process on the client's core prints; Skipped says why there is none."""
    with running(command, pinned=pinned) as process:
        try:
            out, error = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            raise Skipped(f"no result after {timeout_s:g} s") from None
    if process.returncode:
        # The last line that is more than the frame of an exception group.
        said = [line.strip(" |+-") for line in f"exit {process.returncode}\n{error}".split("\n")]
        raise Skipped([line for line in said if line][-1][:200])
    return orjson.loads(out.strip().rpartition("\n")[2])


def child(module: str, function: str, *arguments: Any) -> list[str]:
    """The command that calls a function of this suite in a process of its own."""
    said = orjson.dumps(arguments, default=list).decode()  # named tuples
    return [sys.executable, "-m", "benchmarks.harness", module, function, said]


def ask(module: str, function: str, *arguments: Any, timeout_s: float | None = None) -> Any:
    return last_json(child(module, function, *arguments), timeout_s)


def peak_mb() -> float:
    """The most memory this process has held."""
    # Not `ru_maxrss`: on Linux a child inherits its parent's, which may be larger than its own.
    status = Path("/proc/self/status").read_text("utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    called = getattr(import_module(f"benchmarks.{sys.argv[1]}"), sys.argv[2])
    print(orjson.dumps(called(*orjson.loads(sys.argv[3]))).decode())
