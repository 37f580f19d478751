"""A number of requests that the limit of open files does not allow is refused, or said."""

import pytest

from vcgen.cli import connections
from vcgen.cli.connections import ENOUGH, allow_connections
from vcgen.engine.config import Limits
from vcgen.errors import UsageError


@pytest.fixture
def leave(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit of 1,024 open files that cannot be raised."""
    monkeypatch.setattr(connections, "raise_limit", lambda: None)
    monkeypatch.setattr(connections, "open_files", lambda: 1024)
    monkeypatch.setattr(connections, "most_connections", lambda: 960)


@pytest.mark.usefixtures("leave")
def test_given_number_above_the_limit_is_wrong_use() -> None:
    named = r"2,000 requests in flight need 2,064 open files.*1,024 \(ulimit -n\).*at most 960"
    with pytest.raises(UsageError, match=named):
        allow_connections([Limits(concurrency=2000)], 1)
    with pytest.raises(UsageError):
        allow_connections([Limits(concurrency=500), Limits(concurrency=500)], 1)


@pytest.mark.usefixtures("leave")
def test_processes_have_a_limit_each(capsys: pytest.CaptureFixture[str]) -> None:
    allow_connections([Limits(concurrency=2000)], 3)
    assert capsys.readouterr().err == ""
    with pytest.raises(UsageError, match="at most 1,920"):
        allow_connections([Limits(concurrency=2000)], 2)


@pytest.mark.usefixtures("leave")
def test_number_that_follows_a_rate_is_bounded_and_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    allow_connections([Limits(rpm=600_000)], 1)
    assert capsys.readouterr().err == (
        "vcgen: the limit of 1,024 open files (ulimit -n) leaves 960 requests in flight\n"
    )


@pytest.mark.parametrize(("most", "is_said"), [(32, True), (ENOUGH, False)])
def test_few_descriptors_are_said_where_the_number_is_searched_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], most: int, *, is_said: bool
) -> None:
    monkeypatch.setattr(connections, "most_connections", lambda: most)
    allow_connections([Limits()], 1)
    assert ("requests in flight" in capsys.readouterr().err) == is_said
