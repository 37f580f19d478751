"""The key that every test is given, and a watch over where it must never be found.

Logs at DEBUG of whatever library, warnings, standard output and error of the tests and of the
processes they start, and all files that tests leave in the directories they were given. Whichever
way the key gets there, the test fails, or the session where only that can tell.
"""

import subprocess
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

# Found even where a message was cut short within it.
MARK = "sk-marked-9f3c"
KEY = f"{MARK}71d0a2e84b5c6f30"
_CHUNK_BYTES = 1 << 20


def is_in(value: object) -> bool:
    """Whether a text, bytes, or the repr of anything else shows the key."""
    if isinstance(value, bytes):
        return MARK.encode() in value
    return MARK in (value if isinstance(value, str) else repr(value))


def files_with_key(directory: Path) -> list[str]:
    """The files below a directory that hold the key, or have it for a name."""
    return [
        str(path.relative_to(directory))
        for path in sorted(directory.rglob("*"))
        if is_in(path.name) or (path.is_file() and _holds_key(path))
    ]


def _holds_key(path: Path) -> bool:
    before = b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            if is_in(before + chunk):
                return True
            before = chunk[-len(MARK) :]
    return False


def watched(method: Any) -> Any:
    """A method that returns what was captured; the test fails if the key is in it."""

    def looked_at(*arguments: Any, **options: Any) -> Any:
        captured = method(*arguments, **options)
        assert not is_in(captured), "the key is in what was captured"
        return captured

    return looked_at


@pytest.fixture(autouse=True, scope="session")
def key_is_everywhere_and_shown_nowhere(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[None]:
    """Each test and each process it starts has the key; what they say and leave is looked at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", KEY)
        patch.setattr(subprocess.Popen, "communicate", watched(subprocess.Popen.communicate))
        patch.setattr(
            pytest.CaptureFixture, "readouterr", watched(pytest.CaptureFixture.readouterr)
        )
        yield
    # By test, as its name is that of its directory.
    assert not files_with_key(tmp_path_factory.getbasetemp())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    # `log_level` has pytest capture all that is logged.
    now = [(name, text) for name, text in report.sections if name.endswith(report.when)]
    leaks = [name for name, text in now if is_in(text)]
    if leaks:
        report.outcome, report.longrepr = "failed", f"the key is in: {', '.join(leaks)}"
    return report


def pytest_warning_recorded(warning_message: Any, nodeid: str) -> None:
    assert not is_in(str(warning_message.message)), f"the key is in a warning of {nodeid}"
