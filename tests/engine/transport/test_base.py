"""What every transport promises, over real sockets: a whole reply or a typed error, never more."""

import asyncio
import gzip
import socket

import anyio
import pytest

from tests.support.canary import KEY
from tests.support.servers import (
    Handler,
    Opening,
    accepting,
    black_hole,
    close,
    drip,
    hang,
    listening,
    over_httpx,
    own,
    own_on_uvloop,
    read_body,
    reset,
    run_on as run,
    saying,
)
from vcgen.engine.chat import Completion
from vcgen.engine.transport import asyncio_http, http1, httpx_client
from vcgen.engine.transport.base import Reply, Transport
from vcgen.engine.wire.completions import decode
from vcgen.errors import ConnectFailed, ConnectionLost, ReplyTooLarge, TimedOut
from vcgen.sim import SimTransport, Simulator, parse_faults, serve, virtual_clock

BODY = b'{"model":"sim","messages":[{"role":"user","content":"Say hello."}]}'
BEARER = f"Bearer {KEY}"


@pytest.fixture(params=[own, own_on_uvloop, over_httpx], ids=["own", "own on uvloop", "httpx"])
def opening(request: pytest.FixtureRequest) -> Opening:
    opening: Opening = request.param
    return opening


def ask(opening: Opening, handler: Handler, timeout_s: float = 10.0) -> Reply:
    """The reply of a server that answers by `handler`."""
    replies: list[Reply] = []

    async def main(sender: Transport) -> None:
        async with listening(handler) as url:
            replies.append(await sender.post(url, {"authorization": BEARER}, BODY, timeout_s))

    run(opening, main)
    return replies[0]


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


def test_refused_connection_and_unknown_host_are_failed_connects(opening: Opening) -> None:
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
    for module in (asyncio_http, httpx_client):
        monkeypatch.setattr(module, "CONNECT_S", 0.2)

    async def main(sender: Transport) -> None:
        with pytest.raises(ConnectFailed):
            await sender.post(url, {}, BODY, 10)

    with black_hole() as url:
        run(opening, main)


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
    monkeypatch.setattr(httpx_client, "MAX_REPLY_BYTES", 10_000)

    def sized(size: int) -> Handler:
        body = gzip.compress(b"x" * size) if packed else b"x" * size
        encoding = "Content-Encoding: gzip\r\n" if packed else ""
        return saying(f"{encoding}Content-Length: {len(body)}\r\n", body)

    assert len(ask(opening, sized(10_000)).body) == 10_000
    for size in (10_001, 5_000_000):
        with pytest.raises(ReplyTooLarge):
            ask(opening, sized(size))


def test_calls_cancelled_in_flight_leave_a_usable_transport(opening: Opening) -> None:
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
