"""VideoChat-Text and VLog: one document per video."""

from pathlib import Path

import pytest

from tests.support.video_text import VIDEOCHAT_TEXT, VLOG, only_clips, save, spans
from vcgen.data.readers.read import read_clips
from vcgen.data.records import Reject


def test_a_videochat_text_document_becomes_one_clip(tmp_path: Path) -> None:
    (clip,) = only_clips(save(tmp_path, VIDEOCHAT_TEXT, "goat.txt"))
    assert clip.id == "goat"
    assert clip.tags == ("goat", "barn", "hay")
    assert clip.summary == "A goat eats in a barn."
    assert spans(clip, "caption") == [(0, 1, "a barn door."), (1, 2, "a goat in a barn.")]
    assert spans(clip, "dense") == [
        (0, 1, "brown goat, wooden door"),
        (5, 6, "pile of hay, bucket"),
    ]
    assert spans(clip, "speech") == [(0, 4, "come here"), (4, 6, "good girl")]


def test_speech_may_follow_its_heading_on_the_same_line(tmp_path: Path) -> None:
    text = (
        "Video tags are: goat\n   The subtitile of the video is: 0-4second: come\n5-6second: here"
    )
    (clip,) = only_clips(save(tmp_path, text))
    assert spans(clip, "speech") == [(0, 4, "come"), (5, 6, "here")]
    assert clip.tags == ("goat",)


@pytest.mark.parametrize(("frames", "timed"), [(7, True), (8, False), (9, True)])
def test_eight_frames_may_not_be_seconds_and_lose_their_times(
    tmp_path: Path, frames: int, *, timed: bool
) -> None:
    seconds = " ".join(f"Second {second}:frame {second}.\n" for second in range(1, frames + 1))
    text = (
        f"The second description of the video is: {seconds}\n"
        "The dense caption of the video is: Second 6 : red ball,grass.\n\n"
        "The general description of the video is: A game.\n0-2second: go"
    )
    (clip,) = only_clips(save(tmp_path, text))
    assert spans(clip, "speech") == [(0, 2, "go")]
    if timed:
        assert len(spans(clip, "caption")) == frames
        assert clip.summary == "A game."
    else:
        assert len(clip.segments) == 1
        assert clip.summary is not None
        assert clip.summary.startswith("A game. In order: frame 1. frame 2. ")
        assert clip.tags == ("red ball", "grass")
        assert clip.cleaned["untimed_frames"] == 8


def test_a_vlog_becomes_one_clip(tmp_path: Path) -> None:
    (clip,) = only_clips(save(tmp_path, VLOG, "goat.log"))
    assert clip.id == "goat"
    assert spans(clip, "caption") == [
        (0, 12, "a barn door opening."),
        (65, 3600.5, "a goat asleep."),
    ]
    assert spans(clip, "dense") == [(0, 12, "a brown goat, a bucket.")]
    assert spans(clip, "speech") == [(0, 12, "komm her")]


def test_a_vlog_block_without_times_is_counted(tmp_path: Path) -> None:
    (clip,) = only_clips(save(tmp_path, VLOG + b"\nWhen later - much later\nI saw the end.\n"))
    assert len(clip.segments) == 4
    assert clip.cleaned["no_time"] == 1


def test_a_document_that_is_no_text_is_one_reject(tmp_path: Path) -> None:
    (bad,) = read_clips(save(tmp_path, VLOG + b"\xff"))
    assert isinstance(bad, Reject)
    assert "UTF-8" in bad.message
