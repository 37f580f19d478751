"""The simulated endpoint over real HTTP: what clients get, and how connections live and die."""

import asyncio
import gc
import json
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import anyio.lowlevel
import openai
import pytest
from openai.types.chat import ChatCompletionUserMessageParam
from pydantic import BaseModel

from vcgen.engine.chat import Completion
from vcgen.engine.transport.asyncio_http import HttpTransport
from vcgen.engine.transport.base import Reply
from vcgen.engine.wire.completions import decode
from vcgen.errors import ConnectionLost, TimedOut, TransportError, UsageError
from vcgen.sim import Outage, Scenario, Simulator, parse_faults, serve

HELLO: list[ChatCompletionUserMessageParam] = [{"role": "user", "content": "Say hello."}]
BODY = json.dumps({"model": "sim", "messages": HELLO}).encode()


class Verdict(BaseModel):
    summary: str
    score: int


def with_server(
    simulator: Simulator, client: Callable[[str], Awaitable[None]], path: str = ""
) -> None:
    async def main() -> None:
        async with serve(simulator) as url:
            await client(url + path)

    anyio.run(main)


def with_openai(
    simulator: Simulator, client: Callable[[openai.AsyncOpenAI], Awaitable[None]], key: str = "any"
) -> None:
    async def main(url: str) -> None:
        async with openai.AsyncOpenAI(base_url=url, api_key=key, max_retries=0) as opened:
            await client(opened)

    with_server(simulator, main)


def post(simulator: Simulator, body: bytes = BODY, timeout_s: float = 5.0) -> Reply:
    replies: list[Reply] = []

    async def main(url: str) -> None:
        transport = HttpTransport()
        try:
            replies.append(await transport.post(f"{url}/chat/completions", {}, body, timeout_s))
        finally:
            await transport.aclose()

    with_server(simulator, main)
    return replies[0]


def exchange(simulator: Simulator, sent: bytes) -> bytes:
    """All bytes that come back for these bytes until the server closes."""
    received: list[bytes] = []

    async def main(url: str) -> None:
        host, port = url.removeprefix("http://").removesuffix("/v1").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(sent)
        received.append(await reader.read())
        writer.close()
        await writer.wait_closed()

    with_server(simulator, main)
    return received[0]


def http(method: str, target: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "host: sim", f"content-length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


CLOSE = "connection: close"


@pytest.mark.judges
def test_openai_client_gets_a_completion() -> None:
    async def client(opened: openai.AsyncOpenAI) -> None:
        reply = await opened.chat.completions.create(model="sim", messages=HELLO)
        assert reply.model == "sim"
        assert reply.choices[0].message.content
        assert reply.choices[0].finish_reason == "stop"
        assert reply.usage is not None
        assert reply.usage.total_tokens > 0
        assert [model.id async for model in opened.models.list()] == ["sim"]

    with_openai(Simulator(), client)


@pytest.mark.judges
def test_openai_client_gets_structured_output() -> None:
    async def client(opened: openai.AsyncOpenAI) -> None:
        reply = await opened.chat.completions.parse(
            model="sim", messages=HELLO, response_format=Verdict
        )
        parsed = reply.choices[0].message.parsed
        assert parsed is not None
        assert parsed.summary == "Say hello."

    with_openai(Simulator(), client)


@pytest.mark.judges
def test_openai_client_gets_the_rate_limit_with_its_headers() -> None:
    async def client(opened: openai.AsyncOpenAI) -> None:
        await opened.chat.completions.create(model="sim", messages=HELLO)
        with pytest.raises(openai.RateLimitError) as caught:
            await opened.chat.completions.create(model="sim", messages=HELLO)
        headers = caught.value.response.headers
        assert headers["x-ratelimit-remaining-requests"] == "0"
        assert 0 < int(headers["retry-after"]) <= 60
        assert caught.value.code == "rate_limit_exceeded"

    with_openai(Simulator(rpm=1), client)


@pytest.mark.judges
def test_openai_client_is_told_of_a_wrong_key_and_a_wrong_model() -> None:
    async def client(opened: openai.AsyncOpenAI) -> None:
        with pytest.raises(openai.AuthenticationError):
            await opened.chat.completions.create(model="sim", messages=HELLO)

    async def wrong_model(opened: openai.AsyncOpenAI) -> None:
        with pytest.raises(openai.NotFoundError) as caught:
            await opened.chat.completions.create(model="other", messages=HELLO)
        assert caught.value.code == "model_not_found"

    with_openai(Simulator(key="right"), client, key="wrong")
    with_openai(Simulator(key="right"), wrong_model, key="right")


def test_server_answers_as_the_simulator_does() -> None:
    reply = post(Simulator(seed=3))
    assert reply.body == Simulator(seed=3).answer({}, BODY, 0.0).body
    assert reply.headers["x-request-id"] == "req_sim_1"
    assert isinstance(decode(reply.status, reply.headers, reply.body), Completion)


@pytest.mark.parametrize(
    ("kind", "error"), [("reset", ConnectionLost), ("close", TransportError), ("hang", TimedOut)]
)
def test_faults_of_the_connection_happen_on_the_wire(kind: str, error: type[Exception]) -> None:
    simulator = Simulator(faults=parse_faults(f"{kind}:1"))
    with pytest.raises(error):
        post(simulator, timeout_s=0.2)
    assert simulator.faults_met[kind] >= 1


def test_in_an_outage_the_connection_closes_before_any_reply() -> None:
    simulator = Simulator(Scenario(outages=[Outage(0, 3600)]))
    with pytest.raises(ConnectionLost, match="closed the connection"):
        post(simulator)
    assert simulator.faults_met["refused"] >= 1


def test_a_reset_comes_after_the_head_and_part_of_the_body() -> None:
    async def main(url: str) -> None:
        host, port = url.removeprefix("http://").removesuffix("/v1").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(http("POST", "/v1/chat/completions", BODY))
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.transport.abort()

    with_server(Simulator(faults=parse_faults("reset:1")), main)


@pytest.mark.parametrize("kind", ["html", "empty", "cut", "502"])
def test_faults_in_the_body_arrive_whole(kind: str) -> None:
    faults = parse_faults(f"{kind}:1")
    expected = Simulator(faults=faults).answer({}, BODY, 0.0)
    reply = post(Simulator(faults=faults))
    assert (reply.status, reply.body) == (expected.status, expected.body)
    assert reply.headers["content-type"] == expected.headers["content-type"]


def test_requests_on_one_connection_are_answered_in_order() -> None:
    bodies = [BODY.replace(b"hello", word) for word in (b"one", b"two", b"three")]
    sent = b"".join(http("POST", "/any/prefix/chat/completions", body) for body in bodies[:2])
    sent += http("POST", "/v1/chat/completions?x=1", bodies[2], CLOSE)
    for latency_s in (0.0, 0.001):
        received = exchange(Simulator(latency_s=latency_s), sent)
        assert received.count(b"HTTP/1.1 200") == 3
        places = [received.index(b"Say %s." % word) for word in (b"one", b"two", b"three")]
        assert places == sorted(places)


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/healthz", 200),
        ("GET", "/v1/models", 200),
        ("GET", "/v1/embeddings", 404),
        ("POST", "/v1/embeddings", 404),
        ("GET", "/v1/chat/completions", 405),
        ("DELETE", "/v1/models", 405),
    ],
)
def test_paths_and_methods(method: str, target: str, status: int) -> None:
    received = exchange(Simulator(), http(method, target, b"", CLOSE))
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d" % status)
    json.loads(body)


def test_too_large_a_body_is_refused_unread() -> None:
    simulator = Simulator()
    reply = post(simulator, b"x" * ((16 << 20) + 1))
    assert reply.status == 413
    assert simulator.requests == 0


def test_what_is_no_http_is_refused_and_the_connection_closed() -> None:
    assert exchange(Simulator(), b"\x16\x03\x01 hello\r\n\r\n").startswith(b"HTTP/1.1 400")


def test_a_client_that_asks_may_go_on_to_send() -> None:
    sent = http("POST", "/v1/chat/completions", BODY, "expect: 100-continue", CLOSE)
    head, body = sent[: -len(BODY)], sent[-len(BODY) :]

    async def main(url: str) -> None:
        host, port = url.removeprefix("http://").removesuffix("/v1").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(head)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
        writer.write(body)
        assert (await reader.read()).startswith(b"HTTP/1.1 200")
        writer.close()

    with_server(Simulator(), main)


def test_shutdown_closes_everything_and_leaves_no_task() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        problems: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda _, context: problems.append(context))
        before = asyncio.all_tasks()
        simulator = Simulator(latency_s=60)
        async with serve(simulator) as url:
            host, port = url.removeprefix("http://").removesuffix("/v1").split(":")
            idle = await asyncio.open_connection(host, int(port))
            busy = await asyncio.open_connection(host, int(port))
            busy[1].write(http("POST", "/v1/chat/completions", BODY))
            while not simulator.requests:
                await anyio.lowlevel.checkpoint()
        for reader, writer in (idle, busy):
            assert await reader.read() == b""
            writer.close()
        assert asyncio.all_tasks() == before
        with pytest.raises(OSError, match=port):
            await asyncio.open_connection(host, int(port))
        gc.collect()
        assert problems == []

    anyio.run(main)


def test_a_taken_port_is_named() -> None:
    async def main(url: str) -> None:
        port = int(url.removesuffix("/v1").rpartition(":")[2])
        with pytest.raises(UsageError, match=f"{port}.*choose another"):
            async with serve(Simulator(), port=port):
                pass

    with_server(Simulator(), main)
