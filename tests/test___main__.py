"""The command as a process."""

import vcgen
from tests.support.common import start_vcgen


def test_the_module_runs_as_the_command_does() -> None:
    with start_vcgen("--version") as process:
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, f"vcgen {vcgen.__version__}\n", "")
