"""What several test files need: clips, a watched simulator, an endpoint that follows a script."""

import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import orjson
import pytest

from vcgen.data.clips import Clip
from vcgen.engine.config import Endpoint, Limits
from vcgen.engine.transport.base import Reply
from vcgen.pipeline.api import Result, generate_batch
from vcgen.pipeline.store.read import read_records, read_rejects
from vcgen.sim import SimReply, SimTransport, Simulator, virtual_clock


def make_clip(name: str = "harbour-1", **fields: Any) -> Clip:
    """A clip with enough evidence for every task."""
    known: dict[str, Any] = {
        "video": f"sea/{name}.mp4",
        "duration": 12,
        "caption": "A fisherman gets his boat ready.",
        "tags": ["boat", "pier"],
        "segments": [
            {"start": 0, "end": 5, "text": "a man carries two crates along a pier"},
            {"start": 5, "end": 12, "text": "he unties the rope and pushes the boat away"},
        ],
    }
    return Clip(id=name, **(known | fields))


def make_clips(count: int) -> list[Clip]:
    """Clips of different content, so that no two prompts are alike."""
    return [
        make_clip(f"clip-{at}", caption=f"A boat with number {at} leaves.") for at in range(count)
    ]


class Watched:
    """A transport that remembers what is sent to the simulator behind it."""

    def __init__(self, simulator: Simulator | None = None) -> None:
        self.bodies: list[dict[str, Any]] = []
        self._simulated = SimTransport(simulator)

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> Reply:
        self.bodies.append(orjson.loads(body))
        return await self._simulated.post(url, headers, body, timeout_s)

    async def aclose(self) -> None:
        """Nothing is open."""

    def count(self, words: str) -> int:
        """How many requests had these words in their last message."""
        return sum(words in body["messages"][-1]["content"] for body in self.bodies)


DESCRIBE = "Tell what happens in this video"


def completion(text: str | None, finish_reason: str = "stop", refusal: str | None = None) -> Reply:
    """A whole reply with that text."""
    message = {"role": "assistant", "content": text, "refusal": refusal}
    body = {
        "model": "scripted-1",
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }
    return Reply(200, {"content-type": "application/json"}, orjson.dumps(body))


class Scripted(Watched):
    """A transport that gives the scripted replies in turn, and fails the test when it runs out."""

    def __init__(self, replies: Iterable[str | Reply]) -> None:
        super().__init__()
        self._replies = iter(replies)

    async def post(
        self,
        url: str,  # noqa: ARG002 - the script does not look
        headers: Mapping[str, str],  # noqa: ARG002 - as above
        body: bytes,
        timeout_s: float,  # noqa: ARG002 - as above
    ) -> Reply:
        self.bodies.append(orjson.loads(body))
        reply = next(self._replies)
        return completion(reply) if isinstance(reply, str) else reply


LIMITS = Limits(concurrency=4)


def generate(clips: Any, **options: Any) -> Result:
    """`generate_batch` against the simulator in memory, in virtual time."""

    async def work() -> Result:
        known: dict[str, Any] = {"model": "sim", "limits": LIMITS}
        return await generate_batch(clips, **(known | options))

    with virtual_clock() as runner:
        return runner.run(work())


class Servers:
    """A transport to several simulated endpoints, each at the URL of its number."""

    def __init__(self, simulators: Sequence[Simulator]) -> None:
        self.simulators = simulators
        self._transports = {
            f"http://server-{at}.test/v1/chat/completions": SimTransport(simulator)
            for at, simulator in enumerate(simulators)
        }
        self.endpoints = [
            Endpoint(model="sim", base_url=url.removesuffix("/chat/completions"))
            for url in self._transports
        ]

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> Reply:
        return await self._transports[url].post(url, headers, body, timeout_s)

    async def aclose(self) -> None:
        """Nothing is open."""


class Dying(Simulator):
    """Refuses the key from the n-th request on."""

    def __init__(self, granted: int, **options: Any) -> None:
        super().__init__(**options)
        self._granted = granted

    def answer(self, headers: Any, body: bytes, now: float) -> SimReply:
        refused = Simulator(key="another").answer(headers, body, now)
        return super().answer(headers, body, now) if self.requests < self._granted else refused


def outcome_ids(path: Path) -> list[str]:
    """Of all outcomes in a run directory, those that are there twice twice."""
    return [record.id for record in read_records(path)] + [row.id for row in read_rejects(path)]


ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"
SHARED_MARKS = (
    pytest.mark.shared,
    pytest.mark.skipif(not SHARED.is_dir(), reason="no data beside the checkout"),
)


def requires_shared(test: Callable[..., None]) -> Callable[..., None]:
    """Mark a test of real data, which lies beside the checkout: skip it if that is absent."""
    for mark in SHARED_MARKS:
        mark(test)
    return test


CLIPS = ROOT / "examples" / "clips.jsonl"  # six clips, so twelve samples


class Finished(NamedTuple):
    """How a command ended: its exit code, standard output and standard error."""

    code: int
    out: str
    err: str


Command = Callable[..., Finished]
Serving = Callable[[Simulator], str]


def start_vcgen(*arguments: object, **options: Any) -> subprocess.Popen[str]:
    """`python -m vcgen` as a process of its own."""
    environment = {name: os.environ[name] for name in os.environ.keys() - {"OPENAI_BASE_URL"}}
    return subprocess.Popen(
        [sys.executable, "-m", "vcgen", *map(str, arguments)],
        env=environment | options.pop("env", {}),
        stdout=options.pop("stdout", subprocess.PIPE),
        stderr=options.pop("stderr", subprocess.PIPE),
        text=True,
        **options,
    )


def children_of(process: subprocess.Popen[str]) -> list[int]:
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text("utf-8")
    return [int(number) for number in listed.split()]


def is_running(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text("utf-8").split(") ")[1][0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition: Callable[[], object], patience_s: float = 20.0) -> None:
    """Look until the condition holds; fail the test when it does not in time."""
    ends_at = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < ends_at, "waited in vain"
        time.sleep(0.005)


def lines_of(path: Path) -> list[str]:
    """The whole lines of a file, none if it is not there yet."""
    return path.read_text("utf-8").split("\n")[:-1] if path.exists() else []


def run(main: Callable[[], Awaitable[None]]) -> None:
    """Run a coroutine in virtual time; one that never ends fails after months of it."""

    async def bounded() -> None:
        with anyio.fail_after(1e7):
            await main()

    with virtual_clock() as runner:
        runner.run(bounded())
