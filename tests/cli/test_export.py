"""`vcgen export`: its messages; formats are tested with `vcgen.datasets.export`."""

from pathlib import Path

import orjson
import pytest

from tests.support.common import CLIPS, Command


@pytest.fixture
def done(command: Command, tmp_path: Path) -> Path:
    """A finished run."""
    run = tmp_path / "done"
    assert command("generate", CLIPS, "--model", "sim", "-o", run).code == 0
    return run


def test_export_says_that_data_is_simulated(command: Command, done: Path, tmp_path: Path) -> None:
    finished = command("export", done, "--format", "videochat", "-o", tmp_path / "train.json")

    assert finished.code == 0
    assert len(orjson.loads((tmp_path / "train.json").read_bytes())) == 12
    assert "simulated data" in finished.err
    assert "12 records" in finished.err
