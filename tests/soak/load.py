"""8,000 requests in flight for a minute at a real server."""

import re
import resource
from collections.abc import Iterator

import pytest
import uvloop

from tests.support.common import start_vcgen
from tests.support.heavy import load

IN_FLIGHT, LATENCY_S, SECONDS = 8000, 10.0, 60.0
FILES = IN_FLIGHT + 1000


@pytest.fixture
def files() -> Iterator[None]:
    """Leave to open that many files, for this process and those it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard not in {-1, resource.RLIM_INFINITY} and hard < FILES:
        pytest.skip(f"a process may open {hard} files here, and {FILES} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, FILES), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.timeout(300)
def test_thousands_in_flight_for_a_minute_fail_nowhere_and_leave_nothing(files: None) -> None:
    with start_vcgen("sim", "--port", 0, "--latency", LATENCY_S) as server:
        assert server.stdout is not None
        found = re.search(r"http://\S+", server.stdout.readline())
        assert found is not None
        loaded = uvloop.run(load(found[0], IN_FLIGHT, SECONDS))
        server.terminate()
    summary = loaded.result.summary
    print(
        f"\n{summary.requests:,} requests, {loaded.most - loaded.before:,} connections at most, "
        f"{summary.seconds:.0f} s: {summary.retries} sent again, {summary.rejects} "
        f"rejected; {loaded.after - loaded.before:+} descriptors afterwards"
    )
    assert summary.retries == summary.rejects == 0
    assert summary.records == summary.requests > IN_FLIGHT
    assert loaded.most - loaded.before >= IN_FLIGHT
    assert loaded.after == loaded.before
