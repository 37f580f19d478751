"""What the default transport does with its connections: keeps, renews, encrypts, lets go."""

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable

import anyio
import pytest
import trustme

from tests.support.servers import (
    accepting,
    close,
    hang,
    leaving_in_a_thread,
    own,
    own_on_uvloop,
    read_body,
    reset,
    run_on,
)
from vcgen.engine.transport import asyncio_http as transport, connection
from vcgen.engine.transport.base import Transport
from vcgen.errors import (
    BadCertificate,
    ConnectFailed,
    ConnectionLost,
    StaleConnection,
    TimedOut,
    UsageError,
)

BODY = b'{"model":"sim","messages":[{"role":"user","content":"Say hello."}]}'
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Main = Callable[[Transport], Awaitable[None]]


@pytest.fixture(params=[own, own_on_uvloop], ids=["asyncio", "uvloop"])
def use(request: pytest.FixtureRequest) -> Callable[[Main], None]:
    return lambda main: run_on(request.param, main)


class Server:
    """Answers some requests of each connection, then closes it, in some way, without saying so.

    Attributes:
        requests: that arrived, unanswered ones included.
    """

    def __init__(
        self, answers: int, reply: bytes = OK, end: Callable[..., Awaitable[None]] = close
    ) -> None:
        self.answers, self.reply, self.end = answers, reply, end
        self.connections = self.requests = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        for _ in range(self.answers):
            await read_body(reader)
            self.requests += 1
            writer.write(self.reply)
        await read_body(reader)
        self.requests += 1
        await self.end(reader, writer)


def test_a_connection_carries_one_request_after_another(use: Callable[[Main], None]) -> None:
    server = Server(answers=10)

    async def main(sender: Transport) -> None:
        async with accepting(server) as url:
            for _ in range(10):
                assert (await sender.post(url, {}, BODY, 10)).body == b"ok"

    use(main)
    assert (server.connections, server.requests) == (1, 10)


def test_kept_connection_closed_meanwhile_costs_nothing(
    use: Callable[[Main], None],
) -> None:
    """Its end is found before a request is written, though the loop has not read it yet."""
    with leaving_in_a_thread(OK) as (url, seen):

        async def main(sender: Transport) -> None:
            for sent in range(1, 6):
                assert (await sender.post(url, {}, BODY, 10)).body == b"ok"
                seen.closed.acquire()  # the loop stands still
                assert seen.requests == sent

        use(main)


@pytest.mark.parametrize("end", [close, reset])
def test_kept_connection_lost_after_writing_is_stale(
    use: Callable[[Main], None], end: Callable[..., Awaitable[None]]
) -> None:
    """The request may have arrived, so it is not sent again here, and older connections go."""
    server = Server(answers=1, end=end)

    async def main(sender: Transport) -> None:
        async with accepting(server) as url:
            async with anyio.create_task_group() as tasks:
                for _ in range(3):
                    tasks.start_soon(sender.post, url, {}, BODY, 10)
            with pytest.raises(StaleConnection):
                await sender.post(url, {}, BODY, 10)
            assert server.requests == 4
            assert (await sender.post(url, {}, BODY, 10)).body == b"ok"

    use(main)
    assert server.connections == 4


def test_a_new_connection_closed_without_a_reply_is_lost_at_once(
    use: Callable[[Main], None],
) -> None:
    server = Server(answers=0)

    async def main(sender: Transport) -> None:
        async with accepting(server) as url:
            with pytest.raises(ConnectionLost):
                await sender.post(url, {}, BODY, 10)

    use(main)
    assert server.connections == 1


def test_a_connection_idle_for_too_long_is_not_used_again(
    use: Callable[[Main], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "IDLE_S", 0.0)
    server = Server(answers=10)

    async def main(sender: Transport) -> None:
        async with accepting(server) as url:
            for _ in range(3):
                await sender.post(url, {}, BODY, 10)

    use(main)
    assert server.connections == 3


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n"), id="it closes"),
        pytest.param(OK.replace(b"HTTP/1.1", b"HTTP/1.0"), id="HTTP/1.0"),
        pytest.param(OK + OK, id="a reply too many"),
        pytest.param(OK + b"garbage", id="garbage after it"),
    ],
)
def test_a_connection_that_cannot_be_trusted_is_not_used_again(
    use: Callable[[Main], None], reply: bytes
) -> None:
    server = Server(answers=10, reply=reply)

    async def main(sender: Transport) -> None:
        async with accepting(server) as url:
            for _ in range(3):
                assert (await sender.post(url, {}, BODY, 10)).body == b"ok"

    use(main)
    assert server.connections == 3


def test_early_reply_is_taken_and_its_connection_dropped(
    use: Callable[[Main], None],
) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        await asyncio.Event().wait()

    async def main(sender: Transport) -> None:
        async with accepting(refuse) as url:
            for _ in range(2):
                assert (await sender.post(url, {}, bytes(16 << 20), 10)).status == 413

    use(main)


def test_a_reply_that_ends_with_its_connection_is_whole(use: Callable[[Main], None]) -> None:
    async def ended(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_body(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nall of it")

    async def main(sender: Transport) -> None:
        async with accepting(ended) as url:
            assert (await sender.post(url, {}, BODY, 10)).body == b"all of it"

    use(main)


def test_a_header_that_would_break_its_line_is_wrong_use(use: Callable[[Main], None]) -> None:
    async def main(sender: Transport) -> None:
        with pytest.raises(UsageError, match="authorization"):
            await sender.post("http://127.0.0.1:9/v1", {"authorization": "a\r\nb"}, BODY, 1)
        with pytest.raises(UsageError, match="host name"):
            await sender.post("http://a..b/v1", {}, BODY, 1)

    use(main)


def server_side(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def test_tls_carries_one_request_after_another(
    use: Callable[[Main], None], authority: trustme.CA
) -> None:
    server = Server(answers=3)

    async def main(sender: Transport) -> None:
        async with accepting(server, server_side(authority, "localhost")) as url:
            named = url.replace("127.0.0.1", "localhost")
            for _ in range(3):
                assert (await sender.post(named, {}, BODY, 10)).body == b"ok"

    use(main)
    assert server.connections == 1


def test_bad_certificate_is_an_error_of_its_own(
    use: Callable[[Main], None], authority: trustme.CA
) -> None:
    server = Server(answers=1)

    async def main(sender: Transport) -> None:
        for signed in (
            server_side(authority, "other.example"),
            server_side(trustme.CA(), "localhost"),
        ):
            async with accepting(server, signed) as url:
                with pytest.raises(BadCertificate, match="certificate"):
                    await sender.post(url.replace("127.0.0.1", "localhost"), {}, BODY, 10)

    use(main)
    assert server.requests == 0


def test_endless_handshake_is_a_failed_connect_without_a_socket(
    use: Callable[[Main], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "CONNECT_S", 0.2)
    open_files: list[int] = []

    async def main(sender: Transport) -> None:
        async with accepting(hang) as url:
            for _ in range(3):
                with pytest.raises(ConnectFailed, match=r"0\.2 s"):
                    await sender.post(url.replace("http", "https"), {}, BODY, 10)
                await anyio.sleep(0.05)
                open_files.append(len(os.listdir("/proc/self/fd")))  # noqa: PTH208 - a count

    use(main)
    assert open_files[0] == open_files[-1]


def test_the_deadline_holds_while_connecting_too(use: Callable[[Main], None]) -> None:
    async def main(sender: Transport) -> None:
        async with accepting(hang) as url:
            with pytest.raises(TimedOut, match=r"0\.2 s"):
                await sender.post(url.replace("http", "https"), {}, BODY, 0.2)

    use(main)


def test_each_request_on_a_connection_has_its_own_deadline(use: Callable[[Main], None]) -> None:
    async def slower(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for delay_s in (0.0, 0.4, 9.0):
            await read_body(reader)
            await asyncio.sleep(delay_s)
            writer.write(OK)

    async def main(sender: Transport) -> None:
        async with accepting(slower) as url:
            await sender.post(url, {}, BODY, 0.2)
            await sender.post(url, {}, BODY, 10)
            with pytest.raises(TimedOut, match=r"0\.3 s"):
                await sender.post(url, {}, BODY, 0.3)

    use(main)


def test_closing_does_not_wait_for_half_made_connections(
    use: Callable[[Main], None],
) -> None:
    async def main(sender: Transport) -> None:
        async with accepting(hang) as url:
            with pytest.raises(TimedOut):
                await sender.post(url, {}, BODY, 0.05)
            for turns in range(40):
                asking = asyncio.create_task(sender.post(url, {}, BODY, 10))
                for _ in range(turns):
                    await asyncio.sleep(0)
                asking.cancel()
                await asyncio.wait([asking])
            with anyio.fail_after(2):
                await sender.aclose()

    use(main)


def test_closing_lets_go_of_every_connection_kept_or_in_use(use: Callable[[Main], None]) -> None:
    async def main(sender: Transport) -> None:
        async with accepting(hang) as silent, accepting(Server(answers=1)) as url:
            await sender.post(url, {}, BODY, 10)
            async with anyio.create_task_group() as tasks:

                async def ask() -> None:
                    with pytest.raises(ConnectionLost):
                        await sender.post(silent, {}, BODY, 10)

                tasks.start_soon(ask)
                await anyio.wait_all_tasks_blocked()
                await anyio.sleep(0.05)
                await sender.aclose()

    use(main)
