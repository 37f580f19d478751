"""Reading any layout: a clip or a reject for each row, with its place."""

from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.support.common import SHARED, requires_shared
from tests.support.video_text import CLIP_LINES, EXAMPLES, only_clips, save
from vcgen.data.clips import Clip, Segment
from vcgen.data.readers.files import BadRow
from vcgen.data.readers.read import FORMATS, content_of, count_rows, read_clips, to_clip
from vcgen.data.records import Reason, Reject
from vcgen.errors import UsageError


def test_clips_and_rejects_pass_through() -> None:
    clip = Clip(id="a", caption="A quay.")
    reject = Reject(id="b", reason=Reason.INVALID_CLIP, message="b: no evidence")
    assert to_clip("x:1", clip) is clip
    assert to_clip("x:2", reject) is reject


def test_an_invalid_row_is_a_reject_that_names_its_place() -> None:
    for value, expected in [(BadRow("not valid CSV"), "not valid CSV"), (7, "valid dictionary")]:
        reject = to_clip("x:7", value)
        assert isinstance(reject, Reject)
        assert (reject.id, reject.reason) == ("x:7", Reason.INVALID_CLIP)
        assert reject.message.startswith("x:7: ")
        assert expected in reject.message


def test_equal_content_is_recognized_in_another_place() -> None:
    first, second = (to_clip(place, BadRow("not valid CSV")) for place in ("x:1", "x:2"))
    assert content_of(first) == content_of(second)
    assert content_of({"id": "a"}) != content_of({"id": "b"})


@pytest.mark.parametrize(
    ("name", "rows"), [("clips", 3), ("webvid", 4), ("timechat", 1), ("vlog", 1)]
)
def test_rows_are_counted_about_right(tmp_path: Path, name: str, rows: int) -> None:
    """A blank line and a header count where lines are counted."""
    assert count_rows(save(tmp_path, EXAMPLES[name])) == rows


def test_every_format_has_an_example_here() -> None:
    assert set(EXAMPLES) == set(FORMATS)


@pytest.mark.parametrize("name", EXAMPLES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(junk=st.binary(max_size=12), at=st.integers(0, 400), gone=st.integers(0, 20))
def test_damage_is_refused_in_words_never_with_a_crash(
    tmp_path: Path, name: str, junk: bytes, at: int, gone: int
) -> None:
    example = EXAMPLES[name]
    path = save(tmp_path, example[:at] + junk + example[at + gone :])
    with suppress(UsageError):
        assert all(isinstance(one, Clip | Reject) for one in read_clips(path, format=name))


def test_an_unknown_format_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    path = save(tmp_path, CLIP_LINES)
    with pytest.raises(UsageError, match="'jsonl' is unknown; name one of: auto, clips, webvid"):
        read_clips(path, format="jsonl")
    with pytest.raises(UsageError, match=r"name one of: clips, webvid.* with --input-format"):
        read_clips(save(tmp_path, "hello"))


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("webvid", b"videoid,duration\n1,2\n", "no column name or caption"),
        ("activitynet", b"[1]", "must be one JSON object"),
        ("timechat", CLIP_LINES, "not valid JSON"),
    ],
)
def test_a_file_of_another_format_is_refused_at_the_call(
    tmp_path: Path, name: str, content: bytes, expected: str
) -> None:
    with pytest.raises(UsageError, match=expected):
        read_clips(save(tmp_path, content), format=name)


@requires_shared
@pytest.mark.parametrize(
    ("file", "clips", "repaired"),
    [
        ("youcook2_first300.json", 300, set()),
        ("activitynet_first300.json", 300, {"padding", "unsorted", "past_end"}),
        ("timechat_first60.json", 60, {"start_after_end", "repeats"}),
        ("vlog_buy_watermelon.log", 1, {"padding"}),
    ],
)
def test_real_evidence_is_read_whole(file: str, clips: int, repaired: set[str]) -> None:
    read = only_clips(SHARED / "evidence" / file)
    counts: Counter[str] = Counter()
    for clip in read:
        counts.update(clip.cleaned)
    assert len(read) == clips
    assert set(counts) >= repaired
    assert all(isinstance(one, Segment) for clip in read for one in clip.segments)
