"""What every transport promises, over real sockets: a whole reply or a typed error, never more."""

import asyncio
import gzip
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import anyio
import httpx
import pytest

from tests.support.canary import KEY
from vcgen.engine.chat import Completion, decode
from vcgen.engine.transport import asyncio_http as transport, http1, httpx_client as httpx_transport
from vcgen.engine.transport.asyncio_http import HttpTransport
from vcgen.engine.transport.base import Reply, Transport
from vcgen.engine.transport.httpx_client import HttpxTransport
from vcgen.errors import ConnectFailed, ConnectionLost, ReplyTooLarge, TimedOut
from vcgen.sim import SimTransport, Simulator, parse_faults, serve
from vcgen.sim.clock import virtual_clock

BODY = b'{"model":"sim","messages":[{"role":"user","content":"Say hello."}]}'
BEARER = f"Bearer {KEY}"
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Opening = Callable[[], AsyncIterator[Transport]]


async def own() -> AsyncIterator[Transport]:
    opened = HttpTransport()
    yield opened
    await opened.aclose()


async def own_on_uvloop() -> AsyncIterator[Transport]:
    async for opened in own():
        yield opened


async def over_httpx() -> AsyncIterator[Transport]:
    unlimited = httpx.Limits(max_connections=None)
    # The client follows redirects on its own; the transport must not.
    async with httpx.AsyncClient(limits=unlimited, follow_redirects=True) as client:
        yield HttpxTransport(client)


@pytest.fixture(params=[own, own_on_uvloop, over_httpx], ids=["own", "own on uvloop", "httpx"])
def opening(request: pytest.FixtureRequest) -> Opening:
    opening: Opening = request.param
    return opening


async def read_body(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    return await reader.readexactly(int(head.lower().split(b"content-length:")[1].split()[0]))


@asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[str]:
    """A server on loopback that answers by `handler` once a whole request has come."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_body(reader)
        await handler(reader, writer)

    async with accepting(answer) as url:
        yield url


@asynccontextmanager
async def accepting(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server on loopback that leaves each connection to `handler`."""
    accepted: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            await handler(reader, writer)
        writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted[asyncio.get_running_loop().create_task(answer(reader, writer))] = writer

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        server.close()
        for task, writer in accepted.items():
            task.cancel()
            writer.transport.abort()
        if accepted:
            await asyncio.wait(accepted)


def run(opening: Opening, main: Callable[[Transport], Awaitable[None]]) -> None:
    async def opened() -> None:
        async with asynccontextmanager(opening)() as sender:
            await main(sender)

    anyio.run(opened, backend_options={"use_uvloop": opening is own_on_uvloop})


def ask(opening: Opening, handler: Handler, timeout_s: float = 10.0) -> Reply:
    """The reply of a server that answers by `handler`."""
    replies: list[Reply] = []

    async def main(sender: Transport) -> None:
        async with listening(handler) as url:
            replies.append(await sender.post(url, {"authorization": BEARER}, BODY, timeout_s))

    run(opening, main)
    return replies[0]


def saying(head: str, body: bytes = b"", status: str = "200 OK") -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del reader
        writer.write(f"HTTP/1.1 {status}\r\n{head}\r\n".encode("latin-1") + body)
        await writer.drain()

    return handler


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del writer
    await reader.read()


async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del reader
    writer.close()


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del reader
    peer = writer.get_extra_info("socket")
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del reader
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
    while not writer.is_closing():
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


def test_a_reply_comes_whole_with_lower_case_headers(opening: Opening) -> None:
    async def main(sender: Transport) -> None:
        async with serve(Simulator(key="k")) as url:
            for key, status in (("k", 200), ("other", 401)):
                headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
                reply = await sender.post(f"{url}/chat/completions", headers, BODY, 10)
                assert reply.status == status
                assert reply.headers["content-type"] == "application/json"
                assert isinstance(decode(*reply), Completion) == (status == 200)

    run(opening, main)


def test_a_header_that_is_not_ascii_does_no_harm(opening: Opening) -> None:
    head = "Server: caf\u00e9\r\nContent-Length: 2\r\n"
    assert ask(opening, saying(head, b"ok")).body == b"ok"


def test_a_compressed_reply_is_decoded(opening: Opening) -> None:
    packed = gzip.compress(b"hello")
    head = f"Content-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n"
    assert ask(opening, saying(head, packed)).body == b"hello"


def test_a_refused_connection_and_an_unknown_host_are_failed_connects(opening: Opening) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]

        async def main(sender: Transport) -> None:
            for host in (f"127.0.0.1:{port}", "no-such-host.invalid"):
                with pytest.raises(ConnectFailed):
                    await sender.post(f"http://{host}/v1", {"authorization": BEARER}, BODY, 10)

        run(opening, main)


def test_no_tls_where_it_was_expected_is_a_failed_connect(opening: Opening) -> None:
    async def main(sender: Transport) -> None:
        async with serve(Simulator()) as url:
            with pytest.raises(ConnectFailed):
                await sender.post(url.replace("http", "https", 1), {}, BODY, 10)

    run(opening, main)


@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(close, id="closed before the first byte"),
        pytest.param(reset, id="reset before the first byte"),
        pytest.param(saying("Content-Length: 99\r\n", b"{}"), id="body cut short"),
        pytest.param(saying("Transfer-Encoding: chunked\r\n", b"9\r\n{}"), id="chunk cut short"),
        pytest.param(saying("Transfer-Encoding: chunked\r\n", b"zz\r\n{}"), id="bad chunk"),
        pytest.param(
            saying("Content-Encoding: gzip\r\nContent-Length: 4\r\n", b"nope"), id="bad gzip"
        ),
        pytest.param(saying("", status="none"), id="no HTTP"),
    ],
)
def test_a_connection_that_breaks_is_lost_and_no_failed_connect(
    opening: Opening, handler: Handler
) -> None:
    with pytest.raises(ConnectionLost):
        ask(opening, handler)


@pytest.mark.parametrize("handler", [hang, drip])
def test_the_deadline_is_total(opening: Opening, handler: Handler) -> None:
    with pytest.raises(TimedOut, match=r"0\.3 s"):
        ask(opening, handler, timeout_s=0.3)


def test_a_host_that_takes_no_connection_is_a_failed_connect(
    opening: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (transport, httpx_transport):
        monkeypatch.setattr(module, "CONNECT_S", 0.2)
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())

        async def main(sender: Transport) -> None:
            with pytest.raises(ConnectFailed):
                await sender.post(f"http://127.0.0.1:{full.getsockname()[1]}", {}, BODY, 10)

        run(opening, main)
        for one in waiting:
            one.close()


def test_a_redirect_is_a_reply_and_the_key_goes_nowhere_else(opening: Opening) -> None:
    async def main(sender: Transport) -> None:
        other = Simulator(log_arrivals=True)
        async with serve(other) as elsewhere:
            head = f"Location: {elsewhere}/chat/completions\r\nContent-Length: 0\r\n"
            async with listening(saying(head, status="307 Temporary Redirect")) as url:
                reply = await sender.post(url, {"authorization": BEARER}, BODY, 10)
        assert reply.status == 307
        assert other.requests == 0

    run(opening, main)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip bomb"])
def test_a_reply_over_the_cap_is_refused(
    opening: Opening, monkeypatch: pytest.MonkeyPatch, *, packed: bool
) -> None:
    monkeypatch.setattr(http1, "MAX_REPLY_BYTES", 10_000)
    monkeypatch.setattr(httpx_transport, "MAX_REPLY_BYTES", 10_000)

    def sized(size: int) -> Handler:
        body = gzip.compress(b"x" * size) if packed else b"x" * size
        encoding = "Content-Encoding: gzip\r\n" if packed else ""
        return saying(f"{encoding}Content-Length: {len(body)}\r\n", body)

    assert len(ask(opening, sized(10_000)).body) == 10_000
    for size in (10_001, 5_000_000):
        with pytest.raises(ReplyTooLarge):
            ask(opening, sized(size))


def test_200_calls_cancelled_in_flight_leave_the_transport_usable(opening: Opening) -> None:
    async def main(sender: Transport) -> None:
        hanging = Simulator(faults=parse_faults("hang:1"))
        async with serve(hanging) as silent, serve(Simulator()) as url:
            async with anyio.create_task_group() as tasks:
                for _ in range(200):
                    tasks.start_soon(sender.post, f"{silent}/chat/completions", {}, BODY, 60.0)
                while hanging.requests < 200:  # noqa: ASYNC110 - the server is not ours to change
                    await anyio.sleep(0.01)
                tasks.cancel_scope.cancel()
            for _ in range(3):
                assert (await sender.post(f"{url}/chat/completions", {}, BODY, 10)).status == 200

    run(opening, main)


def test_a_mocked_reply_of_httpx_is_taken_as_it_is() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        del request
        packed = gzip.compress(b"hello")
        return httpx.Response(200, headers={"content-encoding": "gzip"}, content=packed)

    async def main() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            reply = await HttpxTransport(client).post("http://mock/v1", {}, BODY, 10)
        assert reply.body == b"hello"

    anyio.run(main)


def test_closing_leaves_a_client_of_the_callers_open() -> None:
    async def main() -> None:
        async with httpx.AsyncClient() as client, serve(Simulator()) as url:
            sender = HttpxTransport(client)
            await sender.aclose()
            assert (await sender.post(f"{url}/chat/completions", {}, BODY, 10)).status == 200

    anyio.run(main)


@pytest.mark.parametrize(
    ("fault", "error"), [("reset", ConnectionLost), ("close", ConnectionLost), ("hang", TimedOut)]
)
def test_the_wires_faults_look_alike_in_memory_and_over_http(
    opening: Opening, fault: str, error: type[Exception]
) -> None:
    async def main(sender: Transport) -> None:
        async with serve(Simulator(faults=parse_faults(f"{fault}:1"))) as url:
            with pytest.raises(error):
                await sender.post(f"{url}/chat/completions", {}, BODY, 0.3)

    async def in_memory() -> None:
        simulated = SimTransport(Simulator(faults=parse_faults(f"{fault}:1")))
        with pytest.raises(error):
            await simulated.post("any", {}, BODY, 0.3)

    run(opening, main)
    with virtual_clock() as runner:
        runner.run(in_memory())


def test_many_at_once_each_get_the_reply_to_their_own_request(opening: Opening) -> None:
    connections = 0

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while body := await read_body(reader):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    async def main(sender: Transport) -> None:
        async def work(number: int) -> None:
            for turn in range(20):
                sent = b"%d/%d" % (number, turn)
                assert (await sender.post(url, {}, sent, 10)).body == sent

        async with accepting(echo) as url, anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(work, number)

    run(opening, main)
    assert connections == 20
