"""A key and the prompts reach one origin: the one that was named, whatever anybody else says."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import httpx
import pytest
import trustme
from pydantic import SecretStr

from tests.support.canary import KEY
from tests.support.common import CLIPS, Command, Serving
from tests.support.elsewhere import ORIGIN, Proxy, Server, certificates, listening
from vcgen.engine.chat import ChatRequest, Message
from vcgen.engine.config import Endpoint
from vcgen.engine.engine import Engine
from vcgen.engine.transport.asyncio_http import HttpTransport, tls
from vcgen.engine.transport.base import Transport
from vcgen.engine.transport.httpx_client import HttpxTransport
from vcgen.errors import BadCertificate, ConnectFailed, RunStopped, UsageError
from vcgen.sim import Simulator

PROMPT = "What happens in this video, which nobody else may see?"
REQUEST = ChatRequest(messages=(Message("user", PROMPT),))
PROXY_VARIABLES = [f"{name}_proxy" for name in ("http", "https", "all")]
PROXY_VARIABLES += [name.upper() for name in PROXY_VARIABLES]


def is_secret_in(server: Server) -> bool:
    return KEY.encode() in server.heard or PROMPT.encode() in server.heard


def redirecting(status: int, target: str) -> bytes:
    head = f"HTTP/1.1 {status} Elsewhere\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n"
    return head.encode()


def following() -> Transport:
    """By a client that follows redirects on its own; the transport must not."""
    transport = HttpxTransport(httpx.AsyncClient(verify=tls(), follow_redirects=True))
    transport._is_ours = True
    return transport


async def ask(
    base_url: str, transport: Transport | None = None, *, use_env_proxy: bool = False
) -> str:
    """Send the prompt and the key there; why that ended, as no server here has an answer."""
    endpoint = Endpoint(
        model="m", base_url=base_url, key=SecretStr(KEY), use_env_proxy=use_env_proxy
    )
    async with Engine(endpoint, transport=transport) as engine:
        with pytest.raises(RunStopped) as stopped:
            await engine.complete(REQUEST)
    if transport is not None:
        await transport.aclose()
    return str(stopped.value)


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        with anyio.fail_after(20):
            await main()

    anyio.run(bounded)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("transport", [HttpTransport, following, HttpxTransport.by_environment])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_stops_the_run(
    status: int, transport: Callable[[], Transport], scheme: str, authority: trustme.CA
) -> None:
    async def main() -> None:
        served = certificates(authority)["good"] if scheme == "https" else None
        other, origin = Server(), Server()
        async with listening(other), listening(origin, served):
            target = f"http://127.0.0.1:{other.port}/v1"
            origin.reply = redirecting(status, f"{target}?state=pa55word")
            said = await ask(f"{scheme}://localhost:{origin.port}/v1", transport())
        assert f"redirects ({status})" in said
        assert repr(target) in said  # without its query
        assert is_secret_in(origin)
        assert not other.heard

    run(main)


@pytest.mark.parametrize("use_env_proxy", [False, True])
@pytest.mark.parametrize("variable", PROXY_VARIABLES)
def test_no_proxy_hears_of_what_goes_to_this_machine(
    variable: str, monkeypatch: pytest.MonkeyPatch, authority: trustme.CA, *, use_env_proxy: bool
) -> None:
    async def main() -> None:
        https = "https" in variable.lower()
        served = certificates(authority)["good"] if https else None
        origin = Server()
        proxy = Proxy(origin)
        async with listening(origin, served), listening(proxy):
            monkeypatch.setenv(variable, f"http://127.0.0.1:{proxy.port}")
            scheme = "https" if https else "http"
            await ask(f"{scheme}://localhost:{origin.port}/v1", use_env_proxy=use_env_proxy)
        assert is_secret_in(origin)
        assert not proxy.heard

    run(main)


def test_an_unasked_proxy_is_not_used_for_any_other_host(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        proxy = Proxy(Server())
        async with listening(proxy):
            for variable in PROXY_VARIABLES:
                monkeypatch.setenv(variable, f"http://127.0.0.1:{proxy.port}")
            transport = HttpTransport()
            with pytest.raises(ConnectFailed):
                await transport.post(f"https://{ORIGIN}/v1", {"authorization": KEY}, b"{}", 10)
            await transport.aclose()
        assert not proxy.heard

    run(main)


def test_wanted_proxy_passes_on_only_encrypted_bytes(
    monkeypatch: pytest.MonkeyPatch, authority: trustme.CA
) -> None:
    async def main() -> None:
        origin = Server()
        proxy = Proxy(origin)
        async with listening(origin, certificates(authority)["good"]), listening(proxy):
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
            await ask(f"https://{ORIGIN}/v1", use_env_proxy=True)
        assert proxy.tunnels == 1
        assert is_secret_in(origin)
        assert not is_secret_in(proxy)

    run(main)


def test_a_proxy_that_refuses_is_a_failed_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with listening(Server()) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
            transport = HttpxTransport.by_environment()
            with pytest.raises(ConnectFailed, match="403"):
                await transport.post(f"https://{ORIGIN}/v1", {"authorization": KEY}, b"{}", 10)
            await transport.aclose()
        assert proxy.heard
        assert not is_secret_in(proxy)

    run(main)


@pytest.mark.parametrize("named", ["ftp://me:pa55word@proxy.example", "socks9://me:pa55word@x"])
def test_a_proxy_that_cannot_be_used_is_wrong_use(
    named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", named)
    endpoint = Endpoint(model="m", use_env_proxy=True)
    with pytest.raises(UsageError, match="a proxy that cannot be used") as raised:
        Engine(endpoint)
    assert "pa55word" not in str(raised.value)
    with pytest.raises(UsageError, match="the same for each endpoint"):
        Engine([endpoint, Endpoint(model="m")])


@pytest.mark.parametrize("workers", [1, 2])
def test_only_the_option_has_the_command_look_for_proxies(
    command: Command,
    serving: Serving,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    workers: int,
) -> None:
    simulator = Simulator(key=KEY)
    arguments = ("generate", CLIPS, "--model", "sim", "--base-url", serving(simulator), "-o")
    options = ("--workers", workers, "--concurrency", 4, "--tasks", "description")
    trusting = command(*arguments, tmp_path / "a", *options, "--use-env-proxy")
    monkeypatch.setenv("HTTPS_PROXY", "ftp://me:pa55word@proxy.example")
    distrusting = command(*arguments, tmp_path / "b", *options)
    assert (trusting.code, distrusting.code, simulator.requests) == (0, 0, 24)
    refused = command(*arguments, tmp_path / "c", *options, "--use-env-proxy")
    assert refused.code == 2
    assert "a proxy that cannot be used" in refused.err


@pytest.mark.parametrize(
    "host",
    [
        *("host.example", "0.0.0.0", "localhost.host.example", "127.0.0.1.host.example"),  # noqa: S104
        *("[::1].host.example", "host.example[::1]", "localhost\\.host.example", "127.1"),
    ],
)
def test_a_key_is_refused_over_plain_http_to_any_other_machine(host: str) -> None:
    with pytest.raises(UsageError):
        Endpoint(model="m", base_url=f"http://{host}/v1", key=SecretStr(KEY))


@pytest.mark.parametrize("wrong", ["of another name", "of an unknown authority", "expired"])
@pytest.mark.parametrize(
    ("transport", "through_a_proxy"),
    [
        (HttpTransport, False),
        (HttpxTransport.by_environment, False),
        (HttpxTransport.by_environment, True),
    ],
)
def test_nothing_is_sent_to_a_server_with_a_bad_certificate(
    wrong: str,
    transport: Callable[[], Transport],
    authority: trustme.CA,
    monkeypatch: pytest.MonkeyPatch,
    *,
    through_a_proxy: bool,
) -> None:
    async def main() -> None:
        origin = Server()
        proxy = Proxy(origin)
        async with listening(origin, certificates(authority)[wrong]), listening(proxy):
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
            host = f"{ORIGIN}:443" if through_a_proxy else f"localhost:{origin.port}"
            sender = transport()
            with pytest.raises(BadCertificate, match="certificate"):
                await sender.post(f"https://{host}/v1", {"authorization": KEY}, b"{}", 10)
            await sender.aclose()
        assert proxy.tunnels == through_a_proxy
        assert not origin.heard

    run(main)
