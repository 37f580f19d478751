"""Fixtures of many tests: the command, a served simulator."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from anyio.from_thread import start_blocking_portal

from tests.support.common import Command, Finished, Serving
from vcgen.cli.main import main
from vcgen.sim import serve

pytest_plugins = ["tests.support.canary", "tests.support.servers", "tests.support.watchdog"]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """`vcgen` with the given arguments, in this process; an escaping exception fails the test."""
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)

    def run(*arguments: object) -> Finished:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        code = ended.value.code or 0
        assert isinstance(code, int)
        return Finished(code, *capsys.readouterr())

    return run


@pytest.fixture
def serving() -> Iterator[Serving]:
    """Serve a simulator over HTTP from a thread until the test ends; returns its base URL."""
    with ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal())
        yield lambda simulator: stack.enter_context(
            portal.wrap_async_context_manager(serve(simulator))
        )
