"""What the limit of open files leaves for connections, and whose fault a failed one is."""

import errno
import resource
import socket
from collections.abc import Iterator

import pytest

from vcgen.engine.transport.descriptors import (
    SET_ASIDE,
    divide,
    files_for,
    most_connections,
    open_files,
    raise_limit,
    set_aside,
    shortage_of,
)


@pytest.fixture
def soft() -> Iterator[int]:
    """A soft limit below the hard one, for the time of a test."""
    before, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lower = min(before, hard) - 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (lower, hard))
    yield lower
    resource.setrlimit(resource.RLIMIT_NOFILE, (before, hard))


@pytest.mark.parametrize(("files", "aside"), [(32, 24), (64, 32), (1024, SET_ASIDE)])
def test_fewer_are_set_aside_where_few_exist(files: int, aside: int) -> None:
    assert set_aside(files) == aside


@pytest.mark.parametrize("connections", [1, 8, 24, 32, 63, 64, 65, 960, 2000])
def test_files_named_in_a_message_are_enough(connections: int) -> None:
    files = files_for(connections)
    assert files - set_aside(files) >= connections


def test_soft_limit_is_raised_to_the_hard_one(soft: int) -> None:
    assert open_files() == soft
    raise_limit()
    assert open_files() == soft + 1


def test_connections_follow_the_soft_limit(soft: int) -> None:
    assert most_connections() == soft - set_aside(soft)


@pytest.mark.parametrize(
    ("most", "wanted", "allowed"),
    [
        (960, [None], [960]),
        (960, [None, None], [480, 480]),
        (960, [900, 10], [925, 35]),
        (960, [700, None], [830, 130]),
        (960, [2000], [960]),
        (960, [1440, 480], [720, 240]),
        (1, [None, None], [1, 1]),
    ],
)
def test_connections_are_divided(most: int, wanted: list[int | None], allowed: list[int]) -> None:
    assert divide(most, wanted) == allowed


@pytest.mark.parametrize(
    ("code", "named"),
    [
        (errno.EMFILE, "ulimit -n"),
        (errno.ENFILE, "fs.file-max"),
        (errno.ENOBUFS, "memory"),
        (errno.ENOMEM, "memory"),
        (errno.EADDRNOTAVAIL, "ip_local_port_range"),
    ],
)
def test_shortage_names_its_limit(code: int, named: str) -> None:
    shortage = shortage_of(OSError(code, "no"))
    assert shortage is not None
    assert named in shortage


@pytest.mark.parametrize("code", [errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.EPERM, None])
def test_other_errors_are_not_this_machines(code: int | None) -> None:
    assert shortage_of(OSError(code, "no")) is None


def test_resolver_without_a_descriptor_is_this_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says that the name is unknown, or that it failed for a time."""
    error = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    assert shortage_of(error) is None

    def refuse(*_: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("os.open", refuse)
    assert shortage_of(error) is not None
