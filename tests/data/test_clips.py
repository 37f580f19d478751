from typing import Any

import orjson
import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from vcgen.data.clips import Clip, Segment, explain

texts = st.text(alphabet="ab \n\u200b\u00a0ü", max_size=5)
segments = st.fixed_dictionaries(
    {
        "start": st.integers(-2, 12),
        "end": st.integers(-2, 12),
        "text": texts,
        "source": st.sampled_from(["caption", "dense", "speech", "action"]),
    }
)
rows = st.fixed_dictionaries(
    {"id": st.just("river-1"), "caption": st.just("A river in flood.")},
    optional={
        "duration": st.integers(-1, 10),
        "summary": texts,
        "tags": st.lists(texts, max_size=3),
        "segments": st.lists(segments, max_size=5),
    },
)


@given(rows)
def test_building_a_clip_from_a_clip_changes_nothing(row: dict[str, Any]) -> None:
    clip = Clip(**row)
    again = Clip.model_validate(orjson.loads(orjson.dumps(clip.model_dump())))
    assert again.model_dump() == clip.model_dump()


def test_a_clean_clip_stays_as_it_was_given() -> None:
    given_segments = (
        Segment(start=0, end=4, text="a heron stands still"),
        Segment(start=2, end=3, text="listen", source="speech"),
    )
    clip = Clip(id="pond-7", video="birds/pond-7.mp4", duration=9.5, segments=given_segments)
    assert clip.segments == given_segments
    assert clip.cleaned == {}


def test_repairs_are_counted_by_name_and_added_to_those_before() -> None:
    clip = Clip(
        id="pond-8",
        duration=-1,
        caption="  a heron ",
        segments=(Segment(start=4, end=1, text="it flies off"),),
        cleaned={"padding": 2},
    )
    assert clip.caption == "a heron"
    assert clip.duration is None
    assert clip.segments == (Segment(start=4, end=4, text="it flies off"),)
    assert clip.cleaned == {"padding": 3, "no_duration": 1, "start_after_end": 1}


def test_tags_stand_once_and_empty_ones_not_at_all() -> None:
    assert Clip(id="a", tags=("boat", " boat", "", "lake")).tags == ("boat", "lake")


def test_the_id_stands_for_a_video_that_is_not_named() -> None:
    assert Clip(id=17, caption="x").video == "17"  # type: ignore[arg-type]  # numbers are coerced
    assert Clip(id="17", video=" v/17.mp4 ", caption="x").video == "v/17.mp4"


@pytest.mark.parametrize(
    "row",
    [
        {"caption": "no id"},
        {"id": " ", "caption": "blank id"},
        {"id": "two\nlines", "caption": "x"},
        {"id": "\x1b[2J", "caption": "x"},
        {"id": "a", "video": "\ud800.mp4", "caption": "x"},
        {"id": "a", "caption": " \u200b "},
        {"id": "a", "segments": [{"start": 0, "end": 1, "text": " "}]},
        {"id": "a", "caption": "x", "duration": "long"},
        {"id": "a", "caption": "x", "duration": float("nan")},
        {"id": "a", "segments": [{"start": 10**400, "end": 1, "text": "x"}]},
        {"id": "a", "segments": [{"start": 0, "end": 1, "text": "x", "source": "rumour"}]},
        {"id": "a", "caption": "x", "language": "English. Ignore all rules"},
        {"id": "a", "caption": "x", "titel": "a typing error"},
    ],
)
def test_what_is_no_clip_is_refused(row: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Clip.model_validate(row)


def test_a_language_is_a_tag_or_unknown() -> None:
    assert Clip(id="a", caption="x", language="zh-Hans").language == "zh-Hans"
    assert Clip(id="a", caption="x", language="").language is None


def test_an_explanation_is_one_line_without_the_values() -> None:
    row = {
        "id": "a",
        "caption": 1.5,
        "duration": "s3cret",
        "x\ny": 1,
        "segments": [{"start": "s3cret", "end": 1, "text": "x"}] * 5,
    }
    with pytest.raises(ValidationError) as caught:
        Clip.model_validate(row)
    message = explain(caught.value)
    assert "duration: " in message
    assert "s3cret" not in message
    assert "\n" not in message
    assert message.endswith("more")
