"""A record is shown with its verdicts and notes, and a clip as tracks along time."""

import pytest

from tests.support.common import make_clip
from tests.support.pages import USAGE, record, reject
from vcgen.data.clips import Segment
from vcgen.datasets.report.record_view import (
    AXIS,
    Filters,
    show_evidence,
    show_record,
    show_reject,
)

NO_FILTERS = Filters.of([], [])


def test_a_record_has_the_classes_of_its_task_kinds_and_flags() -> None:
    filters = Filters.of(["other", "description"], ["order"])
    view = show_record(record("a", flags=("order", "rare")), None, filters)
    assert view.classes == "r t1 k0 f0"


def test_a_verdict_stands_beside_its_turn() -> None:
    judged = {"verdicts": [{"verdict": "contradicted", "span": "a dog"}], "usage": USAGE}
    view = show_record(record("a", meta={"judge": judged}), None, NO_FILTERS)
    assert [turn.verdict for turn in view.turns] == ["contradicted: a dog"]


def test_notes_name_the_origin_of_a_record() -> None:
    meta = {"model": "m", "usage": USAGE, "attempts": 2, "repairs": 1, "ground": 0.5}
    assert show_record(record("a", meta=meta), None, NO_FILTERS).notes == [
        "a.mp4",
        "50\u00a0% of words in the evidence",
        "1 repair",
        "2 requests",
        "120 tokens",
        "m",
    ]
    assert show_record(record("a", meta={}), None, NO_FILTERS).notes == ["a.mp4"]


def test_segments_are_bars_on_the_track_of_their_source() -> None:
    segments = [
        Segment(start=0, end=5, text="He walks.", source="caption"),
        Segment(start=10, end=10, text="Hello.", source="speech"),
    ]
    evidence = show_evidence(make_clip(duration=10, segments=segments), ["At 5 seconds he runs."])
    captions, speech = evidence.tracks
    assert (captions.name, captions.bars[0].x, captions.bars[0].width) == ("captions", "0", "500")
    assert int(speech.bars[0].x) + int(speech.bars[0].width) == AXIS
    assert [track.bars[0].line for track in evidence.tracks] == [0, 1]
    assert evidence.named_times == "M500 0v14"
    assert evidence.lines[1] == "10 s\tspeech: Hello."


def test_a_clip_without_times_has_no_tracks() -> None:
    evidence = show_evidence(make_clip(duration=None, segments=[], caption="A dog."), ["At 5 s."])
    assert (evidence.tracks, evidence.named_times) == ([], "")
    assert evidence.texts["Caption"] == "A dog."


@pytest.mark.parametrize(("length", "shown"), [(800, 800), (801, 801)])
def test_a_long_reply_is_cut(length: int, shown: int) -> None:
    reply = show_reject(reject("a", reply="x" * length)).reply
    assert len(reply) == shown
    assert reply.endswith("…") == (length > 800)
