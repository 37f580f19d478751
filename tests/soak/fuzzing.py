"""A minute of fuzzing each: readers, replies and the journal, in a process of its own each."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import targets
from tests.support.common import ROOT

SECONDS = 60
PROGRAM = ROOT / "tests" / "support" / "fuzz.py"


@pytest.mark.timeout(200)
def test_a_minute_of_fuzzing_breaks_no_promise(tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="there is no atheris for this system")
    running = {}
    for name in targets.TARGETS:
        found = tmp_path / name
        found.mkdir()
        # Into a file: a full pipe would stop it.
        with (tmp_path / f"{name}.log").open("wb") as log:
            running[name] = subprocess.Popen(
                [sys.executable, PROGRAM, name, found, str(SECONDS)], stdout=log, stderr=log
            )
    codes = {name: process.wait() for name, process in running.items()}
    for name, code in codes.items():
        log_text = (tmp_path / f"{name}.log").read_text("utf-8", "replace")
        assert code == 0, log_text[-3000:]
        runs = re.search(r"Done (\d+) runs", log_text)
        print(f"\n{name}: {int(runs[1]) if runs else 0:,} inputs in {SECONDS} s, no promise broken")
