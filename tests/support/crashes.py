"""Runs that are killed again and again, over HTTP, and what disk and endpoint show of it.

As a program: forks a run for each line of standard input, tells its process id, then how it ended.
So each is a process of its own that need not import anything first.
"""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import Any
from zlib import crc32

import orjson
import uvloop  # noqa: F401 - as above

import vcgen
import vcgen.tasks.templates
from tests.support.common import Serving, outcome_ids
from tests.support.story import STEPS, story
from vcgen.pipeline.store.lines import line_id
from vcgen.sim import SimReply, Simulator

CONCURRENCY = 4
LARGE = 1_000_000
_NUMBER = re.compile(rb"boat number (\d+) ")
_SENTENCE = "The boat leaves the pier and the man looks back. "


def row_of(number: int) -> dict[str, Any]:
    return {"id": f"clip-{number}", "caption": f"The boat number {number} leaves."}


class Sized(Simulator):
    """Answers in texts of many sizes, and remembers what was asked in which life.

    Attributes:
        asked: life, key and clip of each request.
        life: the number of the process that lives.
        reached: set at the request whose number in this life is `wanted`, or at a large reply.
        patience_s: how long the process may live on then; a large reply takes time to write.
    """

    def __init__(self, sizes: Mapping[tuple[int, int], int]) -> None:
        super().__init__()
        self.asked: list[tuple[int, str, int]] = []
        self.life = self.wanted = self._in_life = 0
        self.reached = threading.Event()
        self.patience_s = 0.0
        self._sizes = sizes

    def await_request(self, number: int) -> None:
        self.life += 1
        self.wanted, self._in_life = number, 0
        self.reached.clear()

    def answer(self, headers: Any, body: bytes, now: float) -> SimReply:  # noqa: ARG002 - as given
        found = _NUMBER.search(body)
        assert found is not None
        number, step = int(found[1]), body.count(b'"role":"assistant"')
        self.requests += 1
        self._in_life += 1
        self.asked.append((self.life, blake2b(body, digest_size=16).hexdigest(), number))
        size = self._sizes.get((number, step), 100)
        if self._in_life == self.wanted or size >= LARGE:
            self.patience_s = 0.1 * size / 8_000_000 if size >= LARGE else 0.005
            self.reached.set()
        content = (_SENTENCE * (size // len(_SENTENCE) + 1))[:size]
        choice = {"message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}
        reply = orjson.dumps({"model": "scripted", "choices": [choice], "usage": usage})
        return SimReply(200, {"content-type": "application/json"}, reply)


def sizes_of(clips: int, large: Sequence[int], random: Random) -> dict[tuple[int, int], int]:
    """Characters of a reply by clip and step: 0.1 to 20 KB, and the large ones as last steps."""
    sizes = {
        (number, step): int(100 * 200 ** random.random()) if number % 5 == 0 else 100
        for number in range(clips)
        for step in range(STEPS)
    }
    places = random.sample(range(clips), len(large))
    return sizes | {(number, STEPS - 1): size for number, size in zip(places, large, strict=True)}


class Evidence:
    """What was on the disk whenever a process had been killed.

    Attributes:
        torn: how many lines were found that a kill had cut.
        kept: the life in which a line's id was first found whole.
    """

    def __init__(self, run: Path) -> None:
        self.torn = 0
        self.kept: dict[str, int] = {}
        self._run = run
        self._prefixes: dict[str, list[tuple[int, int]]] = {}  # lengths and checksums

    def take(self, life: int) -> None:
        for path in self._run.glob("*.jsonl"):
            prefixes = self._prefixes.setdefault(path.name, [(0, 0)])
            length, checksum = prefixes[-1]
            with path.open("rb") as file:
                file.seek(length)
                new = file.read()
            whole = new[: new.rfind(b"\n") + 1]
            self.torn += len(whole) < len(new)
            for line in whole.split(b"\n")[:-1]:
                name = line_id(line)
                assert name is not None, line[:100]
                assert name not in self.kept, f"{name} is there twice"
                self.kept[name] = life
            prefixes.append((length + len(whole), crc32(whole, checksum)))

    def assert_still_there(self) -> None:
        """Byte for byte, every whole line that ever was seen."""
        for name, prefixes in self._prefixes.items():
            content, at, checksum = memoryview((self._run / name).read_bytes()), 0, 0
            for length, seen in prefixes:
                checksum = crc32(content[at:length], checksum)
                at = length
                assert (len(content[:length]), checksum) == (length, seen), name

    def assert_none_asked_again(self, asked: Sequence[tuple[int, str, int]]) -> None:
        for life, key, number in asked:
            for name in (key, f"clip-{number}/story/0"):
                assert life <= self.kept.get(name, life), f"{name} was on the disk and asked again"


@contextmanager
def forking() -> Iterator[subprocess.Popen[str]]:
    """This file as a program."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, __file__]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def live(forks: subprocess.Popen[str], base_url: str, run: Path, clips: int) -> int:
    """Start a process that does the run; its id."""
    assert forks.stdin is not None
    assert forks.stdout is not None
    job = {"base_url": base_url, "output": str(run), "clips": clips}
    forks.stdin.write(orjson.dumps(job).decode() + "\n")
    forks.stdin.flush()
    return int(forks.stdout.readline())


def code_of(forks: subprocess.Popen[str]) -> int:
    """Wait for the process to end."""
    assert forks.stdout is not None
    return int(forks.stdout.readline())


def contents(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.iterdir()}


def kill_again_and_again(
    serving: Serving, run: Path, *, kills: int, large: Sequence[int]
) -> tuple[Evidence, Sized]:
    """Kill so many processes at random points, let one finish, and one more find all done."""
    random, clips, evidence = Random(kills), 10 * kills, Evidence(run)  # noqa: S311 - repeatable
    simulator = Sized(sizes_of(clips, large, random))
    base_url = serving(simulator)
    with forking() as forks:
        for life in range(1, kills + 1):
            simulator.await_request(random.randint(1, 3 * CONCURRENCY))
            victim = live(forks, base_url, run, clips)
            assert simulator.reached.wait(20), "a run has ended before its kill"
            threading.Event().wait(random.uniform(0, simulator.patience_s))
            with suppress(ProcessLookupError):  # a run that is done was quicker
                os.kill(victim, signal.SIGKILL)
            assert code_of(forks) in {-signal.SIGKILL, 0}
            evidence.take(life)
        for _ in range(2):
            before = simulator.requests, contents(run)
            simulator.await_request(0)
            live(forks, base_url, run, clips)
            assert code_of(forks) == 0
    assert (simulator.requests, contents(run)) == before, "a finished run was not left alone"
    assert_nothing_lost(simulator, evidence, run, clips=clips, kills=kills)
    return evidence, simulator


def assert_nothing_lost(
    simulator: Sized, evidence: Evidence, run: Path, *, clips: int, kills: int
) -> None:
    evidence.take(simulator.life)
    evidence.assert_still_there()
    evidence.assert_none_asked_again(simulator.asked)
    assert sorted(outcome_ids(run)) == sorted(f"clip-{at}/story/0" for at in range(clips))
    assert not list(run.glob("*.bad"))
    # Only what was in flight when a process was killed is asked again.
    assert 0 <= simulator.requests - clips * STEPS <= CONCURRENCY * kills
    assert len({key for _, key, _ in simulator.asked}) == clips * STEPS


def _live(base_url: str, output: str, clips: int) -> None:
    vcgen.run(
        map(row_of, range(clips)),
        model=vcgen.Endpoint(model="scripted", base_url=base_url, price=(1, 1)),
        limits=vcgen.Limits(concurrency=CONCURRENCY),
        tasks=[story],
        output=output,
    )


def _main() -> None:
    for line in sys.stdin:
        if child := os.fork():
            print(child, flush=True)  # noqa: T201 - the answer
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)  # noqa: T201
        else:
            code = 1
            try:
                _live(**orjson.loads(line))
                code = 0
            finally:
                os._exit(code)


if __name__ == "__main__":
    _main()
