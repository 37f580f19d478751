"""20,000 samples of the careless model: what is found of each code, and of clean samples."""

import pytest
from conftest import ROOT

import vcgen
from benchmarks.quality import made_up_clips, table, tally


@pytest.mark.timeout(200)
def test_all_that_is_planted_in_many_samples_is_found() -> None:
    examples = vcgen.read_clips(ROOT / "examples/clips.jsonl")
    clips = [each for each in examples if isinstance(each, vcgen.Clip)]
    told = tally([*clips, *made_up_clips(300)], count=20_000)
    print(f"\n{table(told)}\n{told.rejected} of {told.clean} clean samples rejected")
    assert {code for code in told.planted if told.found[code] < 0.98 * told.planted[code]} == set()
    assert told.rejected <= 0.01 * told.clean
