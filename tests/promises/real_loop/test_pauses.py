"""A process that stood still, by SIGSTOP or a suspend, uses the answers that came meanwhile."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.common import wait_until
from tests.support.real_loop import free_port

pytestmark = pytest.mark.timeout(60)
IN_FLIGHT, TIMEOUT_S, STOP_S = 64, 1.0, 1.5

SERVER = """
import anyio, sys
from vcgen.sim import Simulator, serve

class Counting(Simulator):
    def answer(self, headers, body, now):
        answer = super().answer(headers, body, now)
        print(self.requests, flush=True)
        return answer._replace(delay_s=0.5)

async def main():
    async with serve(Counting(), port=int(sys.argv[1])):
        print("serving", flush=True)
        await anyio.sleep_forever()

anyio.run(main)
"""

CLIENT = """
import anyio, sys
import httpx
from vcgen.engine.config import Endpoint, Limits
from vcgen.engine.engine import Engine
from vcgen.engine.transport.httpx_client import HttpxTransport

async def main(url, in_flight, timeout_s, kind):
    client = httpx.AsyncClient(limits=httpx.Limits(max_connections=None))
    engine = Engine(
        Endpoint(model="sim", base_url=url),
        limits=Limits(concurrency=in_flight),
        timeout_s=timeout_s,
        transport=HttpxTransport(client) if kind == "httpx" else None,
    )
    async with client, engine:
        async for result in engine.map(f"Say {number}." for number in range(in_flight)):
            assert result.completion is not None
    print(engine.counters.completions, engine.counters.requests)

url, in_flight, timeout_s, loop, kind = sys.argv[1:]
options = {"use_uvloop": loop == "uvloop"}
anyio.run(main, url, int(in_flight), float(timeout_s), kind, backend_options=options)
"""


@pytest.mark.parametrize("kind", ["own", "httpx"])
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_answers_that_came_during_a_stop_are_used(loop: str, kind: str, tmp_path: Path) -> None:
    """Stopped for longer than the timeout; a timer that won over the socket would pay again."""
    port, seen = free_port(), tmp_path / "seen"
    with seen.open("w") as log:
        server = subprocess.Popen([sys.executable, "-c", SERVER, str(port)], stdout=log)
    client = None
    try:
        wait_until(lambda: "serving" in seen.read_text("utf-8"))
        url = f"http://127.0.0.1:{port}/v1"
        options = [url, str(IN_FLIGHT), str(TIMEOUT_S), loop, kind]
        client = subprocess.Popen(
            [sys.executable, "-c", CLIENT, *options], stdout=subprocess.PIPE, text=True
        )
        wait_until(lambda: f"\n{IN_FLIGHT}\n" in seen.read_text("utf-8"))
        os.kill(client.pid, signal.SIGSTOP)
        time.sleep(STOP_S)
        os.kill(client.pid, signal.SIGCONT)
        out, _ = client.communicate(timeout=20)
    finally:
        for process in (server, client):
            if process is not None:
                process.kill()
                process.wait()
    assert out.split() == [str(IN_FLIGHT)] * 2
    assert seen.read_text("utf-8").split()[-1] == str(IN_FLIGHT)
