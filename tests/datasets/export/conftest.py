"""Records of a whole run, and caches of the readers away from the user's own."""

from collections.abc import Sequence
from pathlib import Path

import pytest

import vcgen
from tests.support.common import make_clips
from vcgen.data.records import Record


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Record]:
    """Records of 300 clips."""
    run = tmp_path_factory.mktemp("made") / "run"
    made = list(vcgen.run(make_clips(300), model="sim", output=run).records)
    assert len(made) > 590
    return made


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
