"""Ways for an endpoint to fail a request, as bytes over a real socket, and what each must come to.

A fault begins with some or all of the very reply that the request would have got, so that whoever
takes what was cut or spoilt for whole is caught by its text.
"""

import asyncio
import gzip
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import cache, partial
from hashlib import blake2b
from random import Random
from typing import Any, Literal, NamedTuple

import anyio
import orjson

from tests.support.common import completion
from tests.support.permits import permit
from tests.support.servers import Opening, accepting, over_httpx, read_body, reset
from vcgen.engine.chat import ChatRequest, Completion, Failure, FailureKind, Message
from vcgen.engine.config import Endpoint, Limits
from vcgen.engine.endpoint_client import EndpointClient
from vcgen.engine.engine import Engine
from vcgen.engine.limits.limiter import EndpointLimiter
from vcgen.engine.retry import ATTEMPTS
from vcgen.engine.transport.http1 import MAX_HEAD_BYTES, MAX_REPLY_BYTES
from vcgen.errors import RequestFailed

Then = Literal["stay", "close", "reset", "hang", "drip"]
Outcome = tuple[int, str | FailureKind]  # status of a `Failure`, and its code or else its kind

LOST, LARGE = (0, FailureKind.CONNECTION_LOST), (0, FailureKind.REPLY_TOO_LARGE)
LATE = (0, FailureKind.TIMED_OUT)
INVALID = (200, FailureKind.INVALID_REPLY)
ERROR = b'{"error": {"message": "It broke.", "type": "server_error", "code": "it_broke"}}'
PAGE = b"<!doctype html><html><body>Please sign in.</body></html>"


class Fault(NamedTuple):
    """What is sent instead of a reply, what happens to the connection then, what it must come to.

    Attributes:
        over_httpx: what it comes to there, where that is something else.
    """

    sent: Callable[[bytes], bytes]
    then: Then
    outcome: Outcome
    over_httpx: Outcome | None = None


def whole(body: bytes, head: str = "", status: str = "200 OK") -> bytes:
    lines = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{head}"
    return f"{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body


def chunked(body: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    half = len(body) // 2
    pieces = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:half], body[half:]))
    return head + pieces + end


def packed(body: bytes, cut: int | None = None, more: bytes = b"", name: str = "gzip") -> bytes:
    return whole(gzip.compress(body, mtime=0)[:cut] + more, f"Content-Encoding: {name}\r\n")


@cache
def bomb() -> bytes:
    return packed(bytes(MAX_REPLY_BYTES + 1))


def with_choice(body: bytes, **changes: Any) -> bytes:
    data = orjson.loads(body)
    return whole(orjson.dumps({**data, "choices": [{**data["choices"][0], **changes}]}))


def failing(status: str, outcome: Outcome, head: str = "", body: bytes = ERROR) -> Fault:
    return Fault(lambda _: whole(body, head, status), "stay", outcome)


FAULTS: Mapping[str, Fault] = {
    "closed before a byte": Fault(lambda _: b"", "close", LOST),
    "reset before a byte": Fault(lambda _: b"", "reset", LOST),
    "closed in the status line": Fault(lambda body: whole(body)[:11], "close", LOST),
    "closed in a header": Fault(lambda body: whole(body)[:30], "close", LOST),
    "closed after the head": Fault(lambda body: whole(body)[: -len(body)], "close", LOST),
    "closed in the body": Fault(lambda body: whole(body)[:-30], "close", LOST),
    "closed a byte too early": Fault(lambda body: whole(body)[:-1], "close", LOST),
    "reset in the body": Fault(lambda body: whole(body)[:-30], "reset", LOST),
    "closed in a chunk": Fault(lambda body: chunked(body)[:-30], "close", LOST),
    "closed before the last chunk": Fault(lambda body: chunked(body, b""), "close", LOST),
    "a chunk of no size": Fault(lambda body: chunked(body, b"zz\r\n"), "close", LOST),
    "a body of no length, cut": Fault(
        lambda body: b"HTTP/1.1 200 OK\r\n\r\n" + body[:-30], "close", INVALID
    ),
    "two lengths": Fault(lambda body: whole(body, "Content-Length: 7\r\n"), "close", LOST),
    "chunks with a length": Fault(
        lambda body: whole(body, "Transfer-Encoding: chunked\r\n"), "close", LOST
    ),
    "no HTTP": Fault(lambda _: b"220 mail.example.com ESMTP\r\n", "close", LOST),
    "HTTP/2": Fault(lambda _: b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80", "close", LOST),
    "another protocol": Fault(
        lambda _: b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        "close",
        LOST,
    ),
    "a head without end": Fault(
        lambda _: b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * (MAX_HEAD_BYTES // 4), "close", LARGE, LOST
    ),
    "too many bytes": Fault(lambda _: whole(bytes(MAX_REPLY_BYTES + 1)), "stay", LARGE),
    "too many bytes unpacked": Fault(lambda _: bomb(), "stay", LARGE),
    "no gzip": Fault(lambda body: whole(body, "Content-Encoding: gzip\r\n"), "stay", LOST),
    "gzip without its checksum": Fault(lambda body: packed(body, cut=-8), "stay", LOST),
    "gzip and more": Fault(lambda body: packed(body, more=b"x"), "stay", LOST),
    "a packing nobody asked for": Fault(lambda body: packed(body, name="br"), "stay", LOST),
    "hangs before a byte": Fault(lambda _: b"", "hang", LATE),
    "hangs after the head": Fault(lambda body: whole(body)[: -len(body)], "hang", LATE),
    "hangs in the body": Fault(lambda body: whole(body)[:-30], "hang", LATE),
    "drips": Fault(lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n", "drip", LATE),
    "an empty body": Fault(lambda _: whole(b""), "stay", INVALID),
    "a page": Fault(lambda _: whole(PAGE), "stay", INVALID),
    "JSON cut, of the right length": Fault(lambda body: whole(body[:-30]), "stay", INVALID),
    "Latin-1": Fault(lambda body: whole(body.replace(b"m", b"\xe9")), "stay", INVALID),
    "a byte order mark": Fault(lambda body: whole(b"\xef\xbb\xbf" + body), "stay", INVALID),
    "an error with status 200": Fault(lambda _: whole(ERROR), "stay", (200, "it_broke")),
    "an error beside the text": Fault(
        lambda body: whole(body[:-1] + b"," + ERROR[1:]), "stay", (200, "it_broke")
    ),
    "no finish reason": Fault(partial(with_choice, finish_reason=None), "stay", INVALID),
    "broken off": Fault(partial(with_choice, finish_reason="abort"), "stay", INVALID),
    "no choices": Fault(lambda _: whole(b'{"choices": []}'), "stay", INVALID),
    "500": failing("500 Internal Server Error", (500, "it_broke")),
    "502": failing("502 Bad Gateway", (502, FailureKind.ERROR_REPLY), body=PAGE),
    "503": failing("503 Service Unavailable", (503, "it_broke")),
    "408": failing("408 Request Timeout", (408, "it_broke")),
    "429": failing("429 Too Many Requests", (429, "it_broke"), "Retry-After: 1\r\n"),
    "529": failing("529 Overloaded", (529, "it_broke")),
    "410": failing("410 Gone", (410, "it_broke")),
}
# What no further attempt would mend: the request ends at once, as a typed reject.
FINAL = frozenset({LARGE, (410, "it_broke")})


def outcome_of(name: str, opening: Opening) -> Outcome:
    fault = FAULTS[name]
    return (opening is over_httpx and fault.over_httpx) or fault.outcome


def asking(text: str) -> ChatRequest:
    return ChatRequest(messages=(Message("user", text),))


def drawn(text: str, turn: int, share: float) -> bool:
    """Whether a request meets a fault the n-th time: the same in whatever order they come."""
    digest = blake2b(f"{text}/{turn}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) < share * 2**64


def most_lost(name: str, opening: Opening, count: int, share: float) -> int:
    """How many of the texts 0, 1, ... meet a fault as often as nothing mends."""
    turns = range(1, 2 if outcome_of(name, opening) in FINAL else 1 + ATTEMPTS)
    return sum(all(drawn(str(number), turn, share) for turn in turns) for number in range(count))


class Faulty:
    """Repeats what it is asked, with the request's own text; some requests meet a fault instead.

    Args:
        fault: the fault.
        strikes: whether it strikes the request with this text, asked for the n-th time.

    Attributes:
        open: connections there are now.
        asked: how often each text has come.
    """

    def __init__(self, fault: Fault, strikes: Callable[[str, int], bool]) -> None:
        self.open = 0
        self.asked: Counter[str] = Counter()
        self._fault, self._strikes = fault, strikes

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            while not writer.is_closing():
                text = orjson.loads(await read_body(reader))["messages"][-1]["content"]
                self.asked[text] += 1
                body = completion(text).body
                if not self._strikes(text, self.asked[text]):
                    writer.write(whole(body))
                    continue
                writer.write(self._fault.sent(body))
                if self._fault.then != "stay":
                    await end(self._fault.then, reader, writer)
                    return
        finally:
            self.open -= 1


async def end(then: Then, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if then == "reset":
        await reset(reader, writer)
    elif then == "hang":
        await reader.read()
    while then == "drip" and not writer.is_closing():
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(1.0)


UNANSWERED = {"closed before a byte", "reset before a byte"}
# httpx says of a head that is cut short that there was none.
CUT_SHORT = {"closed in the status line", "closed in a header", "no HTTP", "a head without end"}


def left() -> tuple[int, int]:
    """How many tasks and descriptors there are."""
    return len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a count


@asynccontextmanager
async def leaving_nothing(server: Faulty) -> AsyncIterator[str]:
    """The server's address; afterwards no connection, task or descriptor is left of its clients."""
    async with accepting(server) as url:
        before = left()
        yield url
        await until(lambda: not server.open and left() == before)


async def until(condition: Callable[[], bool]) -> None:
    """Look until it holds, which a socket that was closed takes a turn of the loop for."""
    with anyio.fail_after(2):
        while not condition():  # noqa: ASYNC110 - nobody is told
            await anyio.sleep(0.01)


async def strike(name: str, opening: Opening, timeout_s: float) -> None:
    """Three of five requests on a transport meet a fault: the first, the middle one, the last."""
    outcome = outcome_of(name, opening)
    server = Faulty(FAULTS[name], lambda text, _: text in {"0", "2", "4"})
    async with leaving_nothing(server) as url, asynccontextmanager(opening)() as sender:
        limiter = EndpointLimiter(Limits(), Random(0))  # noqa: S311 - jitter
        client = EndpointClient(Endpoint(model="m", base_url=url), limiter, sender, timeout_s)
        for number in range(5):
            began = anyio.current_time()
            body = client.encode(asking(str(number)), client.capabilities)
            result, _ = await client.send(permit(began), body)
            took_s = anyio.current_time() - began
            assert took_s < timeout_s + 0.5
            if number % 2:
                assert isinstance(result, Completion)
                assert result.text == str(number)
                continue
            assert isinstance(result, Failure)
            kind: object = result.code or result.kind
            unanswered = UNANSWERED | (CUT_SHORT if opening.__name__ == "over_httpx" else set())
            if number and name in unanswered and kind is FailureKind.STALE_CONNECTION:
                kind = FailureKind.CONNECTION_LOST  # the connection has carried others
            assert (result.status, kind) == outcome
            assert result.message
            assert outcome != LATE or took_s > timeout_s - 0.5
        await until(lambda: server.open <= 1)  # what failed is not kept until the end


class Tally(NamedTuple):
    """How requests ended: with their own answer, or as a typed reject; and what was sent."""

    answered: int
    rejected: int
    sent: int


async def finish(name: str, opening: Opening, count: int, share: float) -> Tally:
    """Ask as often as `count`, eight at a time; a share of the requests sent meets a fault."""
    server = Faulty(FAULTS[name], lambda text, turn: drawn(text, turn, share))
    answered = rejected = 0

    async def ask(engine: Engine, texts: Iterator[str]) -> None:
        nonlocal answered, rejected
        for text in texts:
            try:
                answer = await engine.complete(asking(text))
            except RequestFailed:
                rejected += 1
            else:
                assert answer.text == text
                answered += 1

    async with leaving_nothing(server) as url, asynccontextmanager(opening)() as sender:
        endpoint = Endpoint(model="m", base_url=url)
        async with Engine(endpoint, transport=sender, limits=Limits(concurrency=8)) as engine:
            texts = map(str, range(count))
            async with anyio.create_task_group() as tasks:
                for _ in range(8):
                    tasks.start_soon(ask, engine, texts)
            assert engine.in_flight == 0
    return Tally(answered, rejected, engine.counters.requests)


class Dropping:
    """Answers, and closes each connection that brings no request for a while."""

    def __init__(self, kept_s: float) -> None:
        self.connections = 0
        self._kept_s = kept_s

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(TimeoutError):
            while True:
                async with asyncio.timeout(self._kept_s):
                    body = await read_body(reader)
                writer.write(whole(completion(orjson.loads(body)["messages"][0]["content"]).body))


async def rest(opening: Opening, kept_s: float, pauses_s: Sequence[float], count: int = 1) -> Tally:
    """Ask, so many at a time, with pauses between; the server keeps idle connections for a while.

    Every answer must have taken one attempt.
    """
    server = Dropping(kept_s)
    answered = 0

    async def ask(engine: Engine, text: str) -> None:
        nonlocal answered
        answer = await engine.complete(asking(text))
        answered += (answer.text, answer.attempts) == (text, 1)

    async with accepting(server) as url, asynccontextmanager(opening)() as sender:
        limits = Limits(concurrency=count)
        async with Engine(
            Endpoint(model="m", base_url=url), transport=sender, limits=limits
        ) as engine:
            for at, pause_s in enumerate([0.0, *pauses_s]):
                await anyio.sleep(pause_s)
                async with anyio.create_task_group() as tasks:
                    for number in range(count):
                        tasks.start_soon(ask, engine, f"{at}/{number}")
    assert engine.counters.retries == 0, (kept_s, opening, engine.counters)
    assert server.connections > count  # some were dropped
    return Tally(answered, 0, engine.counters.requests)
