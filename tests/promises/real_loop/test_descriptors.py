"""Fewer descriptors than requests: the machine's limit is no fault of the server or a sample."""

import subprocess
import sys

import anyio
import pytest

from vcgen.sim import Simulator, serve

pytestmark = pytest.mark.timeout(60)

CLIENT = """
import logging, resource, sys
import anyio
from vcgen.engine.config import Endpoint, Limits
from vcgen.engine.engine import Engine
from vcgen.engine.transport.asyncio_http import HttpTransport

logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)

async def main(url):
    transport = HttpTransport()  # given, so that the engine does not bound the connections by it
    async with Engine(
        Endpoint(model="sim", base_url=url), limits=Limits(concurrency=200), transport=transport
    ) as engine:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
        async for result in engine.map(f"Say {number}." for number in range(600)):
            assert result.completion is not None
        print(engine.counters.completions)
    await transport.aclose()

url, loop = sys.argv[1:]
anyio.run(main, url, backend_options={"use_uvloop": loop == "uvloop"})
"""


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_requests_wait_for_each_others_descriptors(loop: str, host: str) -> None:
    """200 are wanted in flight, some 50 can be: all are answered, and no outage is seen."""
    simulator = Simulator(latency_s=0.05)

    async def main() -> None:
        async with serve(simulator) as url:
            command = [sys.executable, "-c", CLIENT, url.replace("127.0.0.1", host), loop]
            done = await anyio.run_process(command, stderr=subprocess.STDOUT, check=False)
        assert done.stdout.decode() == "600\n"

    anyio.run(main)
    assert simulator.requests == 600
