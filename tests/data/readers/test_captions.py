"""ActivityNet, YouCook2 and TimeChat: timed captions of many videos in one JSON object."""

from pathlib import Path

import orjson
import pytest

from tests.support.video_text import (
    ACTIVITYNET,
    EXAMPLES,
    TIMECHAT,
    only_clips,
    read_with_places,
    save,
    spans,
)
from vcgen.data.clips import Clip
from vcgen.data.readers.read import read_clips
from vcgen.data.records import Reject


def test_activitynet_events_become_captions_in_order(tmp_path: Path) -> None:
    (clip,) = only_clips(save(tmp_path, ACTIVITYNET))
    assert (clip.id, clip.duration, clip.extra) == ("v_barn", 30.5, {"split": "val"})
    assert spans(clip, "caption") == [
        (0, 11.5, "A girl opens the barn."),
        (12, 30, "She milks the goat."),
    ]


def test_timechat_events_become_captions_of_the_named_video(tmp_path: Path) -> None:
    (clip,) = only_clips(save(tmp_path, TIMECHAT))
    assert (clip.id, clip.video) == ("barn_2", "barn_2.mp4")
    assert spans(clip, "caption") == [(3, 9.5, "a goat eats hay."), (14, 14, "it lies down.")]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("activitynet", {"timestamps": [[1, 2]], "sentences": []}),
        ("activitynet", {"timestamps": [[1]], "sentences": ["x"]}),
        ("activitynet", {"timestamps": [[1, "x"]], "sentences": ["x"]}),
        ("activitynet", {"timestamps": [], "sentences": []}),
        ("activitynet", [1]),
        ("timechat", [{"timestamp": 3, "caption": "x"}]),
        ("timechat", [{"timestamp": [1, 2]}]),
        ("timechat", [4]),
        ("timechat", {}),
    ],
)
def test_a_bad_video_is_rejected_by_its_key(tmp_path: Path, name: str, value: object) -> None:
    good = orjson.loads(EXAMPLES[name])
    path = save(tmp_path, orjson.dumps({"b\nd": value, **good}), "v.json")
    (place, bad), (_, clip) = read_with_places(path, format=name)
    assert place == bad.id == "v.json:b d"
    assert isinstance(bad, Reject)
    assert bad.message.startswith("v.json:b d: ")
    assert isinstance(clip, Clip)


def test_a_value_that_only_python_writes_costs_one_video(tmp_path: Path) -> None:
    text = (
        '{"v_nan": {"duration": NaN, "timestamps": [[0, 1]], "sentences": ["x"]},'
        ' "v_odd": {"timestamps": [[0, 1]], "sentences": ["a \\ud800dog"]}}'
    )
    bad, odd = read_clips(save(tmp_path, text))
    assert isinstance(bad, Reject)
    assert isinstance(odd, Clip)
    assert odd.segments[0].text == "a dog"
