"""20,000 samples of the sloppy model: recall of each code, and rejections of clean samples."""

import pytest

from benchmarks.quality import clips_of, made_up_clips, table, tally
from tests.support.common import ROOT


@pytest.mark.timeout(200)
def test_all_that_is_planted_in_many_samples_is_found() -> None:
    clips = [*clips_of(ROOT / "examples/clips.jsonl"), *made_up_clips(300)]
    told = tally(clips, count=20_000)
    print(f"\n{table(told)}\n{told.rejected} of {told.clean} clean samples rejected")
    assert {code for code in told.planted if told.found[code] < 0.98 * told.planted[code]} == set()
    assert told.rejected <= 0.01 * told.clean
