"""HTTP by httpx: what only a client of the caller's can reach, and the environment's proxies."""

import gzip

import anyio
import httpx
import pytest

from vcgen.engine.transport.httpx_client import HttpxTransport
from vcgen.errors import UsageError
from vcgen.sim import Simulator, serve

BODY = b'{"model":"sim","messages":[{"role":"user","content":"Say hello."}]}'


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


def test_client_made_here_is_closed() -> None:
    async def main() -> None:
        made = HttpxTransport.by_environment()
        await made.aclose()
        with pytest.raises(RuntimeError, match="closed"):
            await made.post("http://127.0.0.1:9/v1", {}, BODY, 1)

    anyio.run(main)


def test_address_no_client_can_use_is_wrong_use() -> None:
    async def main() -> None:
        async with httpx.AsyncClient() as client:
            with pytest.raises(UsageError, match="no address"):
                await HttpxTransport(client).post("http://[::1:9/v1", {}, BODY, 1)

    anyio.run(main)
