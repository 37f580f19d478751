"""Signals outside of a run's work; those of a run are in `test_interactive.py`."""

import os
import signal
import subprocess
import sys

import pytest

from vcgen.cli.signals import ENDING, end, install_handlers


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_process_by_its_number(number: signal.Signals) -> None:
    with pytest.raises(SystemExit) as ended:
        end(number, None)
    assert ended.value.code == 128 + number


def test_all_signals_get_the_handler_and_give_it_back() -> None:
    before = {number: signal.getsignal(number) for number in ENDING}
    try:
        install_handlers(end)
        assert {signal.getsignal(number) for number in ENDING} == {end}
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_an_end_at_once_skips_all_cleaning_up() -> None:
    program = (
        "import os, signal; from vcgen.cli.signals import end_at_once, install_handlers\n"
        "install_handlers(end_at_once)\n"
        "try:\n    os.kill(os.getpid(), signal.SIGTERM)\nfinally:\n    print('cleaned up')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=False, env=dict(os.environ)
    )
    assert (done.returncode, done.stdout, done.stderr) == (143, b"", b"")
