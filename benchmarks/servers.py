"""What is sent and answered in the benchmarks, and who answers: nginx, or a bare asyncio protocol.

Loads nothing of vcgen by itself: the processes of its peers import this module too.
"""

import asyncio
import os
import re
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Any, NamedTuple, cast

import orjson
import uvloop

from benchmarks.harness import Skipped, child, running

MODEL, PATH = "bench", "/v1/chat/completions"
RENDERED = {"language": "English", "min_words": 80, "max_words": 160}
_ACTIONS = (
    "opens a gate", "walks a dog", "feeds the hens", "fills a pail", "rakes leaves", "plants trees",
    "sweeps the path", "washes a car", "stacks logs", "picks apples", "waters roses", "locks up",
)  # fmt: skip
NARRATIVE = """\
First a tall woman opens a gate while her old brown dog waits. She walks it past a row of birches to
the hen house. There she feeds the hens from a dented tin and counts them under her breath. Next she
fills a pail at the pump and carries it across the yard. Leaves lie everywhere, so she rakes them
into three heaps beside the fence. After that she plants two young trees and presses the soil flat
with her boot. Then the path is swept from end to end, and a muddy car gets washed until it shines.
By noon logs are stacked against the barn and a basket is full of apples. Later she waters roses
under the window, slowly, one bush after another. Finally the shed is locked for the night. It is a
quiet day of work on a small farm, seen from morning to dusk.""".replace("\n", " ")
_MESSAGE = {"role": "assistant", "content": NARRATIVE, "refusal": None}
REPLY = orjson.dumps(
    {
        "id": "chatcmpl-benchmark",
        "object": "chat.completion",
        "created": 1_767_225_600,
        "model": MODEL,
        "choices": [{"index": 0, "message": _MESSAGE, "logprobs": None, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 480, "completion_tokens": 160, "total_tokens": 640},
    }
)
_NGINX = """
daemon off; master_process off; pid nginx.pid;
events {{ worker_connections 16384; }}
http {{
    access_log off; keepalive_requests 1000000000; keepalive_timeout 1h;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    server {{
        listen 127.0.0.1:{port} backlog=8192;
        location = {path} {{ default_type application/json; return 200 '{reply}'; }}
    }}
}}
"""


def clip_rows(count: int, length: int = len(_ACTIONS)) -> Iterator[dict[str, Any]]:
    """Clips of twelve segments, or of so many, as rows of vcgen's own layout."""
    for number in range(count):
        name = f"{number:07}"
        segments = [
            {"start": 5 * at, "end": 5 * at + 4, "text": f"she {action}, take {name}"}
            for at, action in enumerate(islice(cycle(_ACTIONS), length))
        ]
        yield {"id": name, "video": f"{name}.mp4", "duration": 5.0 * length, "segments": segments}


def write_clips(path: Path, count: int) -> None:
    with path.open("wb") as file:
        file.writelines(orjson.dumps(row) + b"\n" for row in clip_rows(count))


def render_prompt() -> str:
    """The prompt vcgen makes of the first clip: what the peers are given ready-made."""
    from vcgen.data.clips import Clip
    from vcgen.tasks.evidence import render_evidence
    from vcgen.tasks.templates import Templates

    evidence = render_evidence(Clip.model_validate(next(clip_rows(1))))
    messages = Templates().render("describe", {"evidence": evidence, **RENDERED})
    return "\n\n".join(text for _, text in messages)


def request_body(prompt: str) -> bytes:
    messages = [{"role": "user", "content": prompt}]
    return orjson.dumps({"model": MODEL, "messages": messages, "max_tokens": 1024})


class Server(NamedTuple):
    name: str
    port: int
    pid: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{PATH}"

    @property
    def base_url(self) -> str:
        return self.url.removesuffix("/chat/completions")

    def cpu_seconds(self) -> float:
        """CPU time it has used so far; 0 where that cannot be read."""
        path = Path(f"/proc/{self.pid}/stat")
        fields = path.read_text("utf-8").rpartition(")")[2].split() if path.exists() else ["0"] * 13
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def ceiling(self, directory: str, seconds: float) -> float:
        """Requests a second that wrk gets at 64 in flight; Skipped where it is not installed."""
        if shutil.which("wrk") is None:
            raise Skipped("wrk is not installed")
        script, body = Path(directory, "post.lua"), request_body(render_prompt()).decode()
        script.write_text(f'wrk.method = "POST"\nwrk.body = [==[{body}]==]\n', "utf-8")
        options = ["-t1", "-c64", f"-d{max(1, round(seconds))}s", "-s", str(script)]
        with running(["wrk", *options, self.url]) as process:
            said, _ = process.communicate()
        return float(re.findall(r"Requests/sec:\s+([\d.]+)", said)[0])


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def immediate_server(directory: str) -> Iterator[Server]:
    """A server that answers at once: nginx where it is installed."""
    if (nginx := shutil.which("nginx")) is None:
        with bare_server(0.0) as server:
            yield server
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    file = Path(directory, "nginx.conf")
    file.write_text(_NGINX.format(port=port, path=PATH, reply=REPLY.decode()), "utf-8")
    command = [nginx, "-e", "stderr", "-p", directory, "-c", str(file)]
    with running(command, server=True) as process:
        while process.poll() is None and not _answers(port):
            pass
        yield Server("nginx", port, process.pid)


@contextmanager
def bare_server(delay_s: float) -> Iterator[Server]:
    """The bare protocol in a process of its own."""
    with running(child("servers", "serve", delay_s), server=True) as process:
        port = cast("str", process.stdout and process.stdout.readline())
        yield Server("bare asyncio protocol", int(port), process.pid)


class Exchange(asyncio.Protocol):
    """Answers each message that has arrived whole with the bytes `answer` makes of it, or closes.

    A server is one that waits for the first message; a client writes `first`.
    """

    def __init__(
        self, answer: Callable[[bytes], bytes], delay_s: float = 0.0, first: bytes = b""
    ) -> None:
        self._answer, self._delay_s, self._first, self._received = answer, delay_s, first, b""
        self._transport: asyncio.Transport
        self._loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._first)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's name
        self.closed.set_result(None)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, _, body = self._received.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if not length or len(body) < int(length):
            return
        answer, self._received = self._answer(self._received), b""
        if self._delay_s:
            self._loop.call_later(self._delay_s, self._transport.write, answer)
        elif answer:
            self._transport.write(answer)
        else:
            self._transport.close()


def http_message(first_line: str, body: bytes) -> bytes:
    head = f"{first_line}\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def serve(delay_s: float) -> None:
    """Print the port and answer until killed."""
    reply = http_message("HTTP/1.1 200 OK", REPLY)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: Exchange(lambda _: reply, delay_s), "127.0.0.1", backlog=8192
        )
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    uvloop.run(main())
