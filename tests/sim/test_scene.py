"""The evidence of a prompt as a scene, and its description."""

import re
from random import Random

import pytest

from tests.support.simulated import STEPS, segments
from vcgen.data.clips import Clip
from vcgen.sim.scene import Event, describe, fenced, overlap, read_scene
from vcgen.tasks.evidence import fence, render_evidence


def scene_of(clip: Clip) -> list[Event]:
    return list(read_scene(fenced(render_evidence(clip))["evidence"]).events)


def test_a_fence_holds_whatever_another_fence_is_written_in_it() -> None:
    inner = "=== draft 0123456789abcdef ===\nx\n=== end of draft 0123456789abcdef ==="
    text = f"{fence('evidence', inner)}\n{fence('narrative', 'y')}\n{fence('narrative', 'z')}"
    assert fenced(text) == {"evidence": inner, "narrative": "y"}
    assert fenced("=== evidence 0123456789abcdef ===\nnever closed") == {}


def test_each_line_of_evidence_becomes_clauses_with_its_times() -> None:
    clip = Clip.model_validate(
        {
            "id": "a",
            "duration": 20,
            "caption": "A crew at work.",
            "summary": "They leave the port.",
            "tags": ["boat", "gulls"],
            "segments": [
                {
                    "start": 0,
                    "end": 4,
                    "text": "a man pulls a rope. He waves.",
                    "source": "caption",
                },
                {"start": 5, "end": 5, "text": "Cast off!", "source": "speech"},
                {"start": 6, "end": 7, "text": "再见", "source": "speech"},
                {"start": 8, "end": 9, "text": "再见"},
                {"start": 9, "end": 9, "text": "pier, red buoy", "source": "dense"},
                {"start": 10, "end": 12, "text": "tying a knot", "box": (0.1, 0.2, 0.3, 0.4)},
            ],
        }
    )
    scene = read_scene(fenced(render_evidence(clip))["evidence"])
    assert scene.duration == "20"
    assert scene.whole == {
        "Caption": "a crew at work",
        "Summary": "they leave the port",
        "Tags": "the camera shows a boat and gulls",
    }
    assert scene.events == [
        Event("0", "4", "a man pulls a rope"),
        Event("0", "4", "the man waves"),
        Event("5", "5", 'someone says "Cast off"'),
        Event("6", "7", "someone speaks in another language"),
        Event("9", "9", "the camera shows a pier and a red buoy"),
        Event("10", "12", "someone is seen tying a knot"),
    ]


def test_a_clause_is_told_once() -> None:
    texts = ("A boat leaves.", "Gulls circle.", "a boat leaves")
    clauses = [event.clause for event in scene_of(Clip(id="a", segments=segments(*texts)))]
    assert clauses == ["a boat leaves", "gulls circle"]


def test_a_clip_without_segments_has_its_caption_and_tags_as_events() -> None:
    clip = Clip(id="a", caption="A hen crosses a yard.", tags=("hen",))
    assert [event.clause for event in scene_of(clip)] == [
        "a hen crosses a yard",
        "the camera shows a hen",
    ]


def test_events_overlap_by_their_times() -> None:
    first, second, third = Event("0", "4", "a"), Event("3", "5", "b"), Event("5", "6", "c")
    assert overlap(first, second)
    assert not overlap(second, third)
    assert not overlap(Event("", "", "a"), Event("", "", "b"))


@pytest.mark.parametrize("most", [45, 60, 120, 250])
def test_a_description_keeps_to_the_most_words_and_to_the_order(most: int) -> None:
    texts = [f"A painter puts stroke number {at} on the tall canvas." for at in range(40)]
    scene = read_scene("\n".join(f"[{at}-{at + 1}] {text}" for at, text in enumerate(texts)))
    text = describe(scene, most // 2, most, Random(0))  # noqa: S311 - repeatable draws
    strokes = [int(number) for number in re.findall(r"number (\d+)", text)]
    assert most // 2 <= len(text.split()) <= most
    assert strokes == sorted(strokes)
    assert (strokes[0], strokes[-1]) == (0, 39)


def test_times_are_named_where_words_are_missing() -> None:
    scene = read_scene("\n".join(f"[{at}-{at + 1}] {text}" for at, text in enumerate(STEPS[:3])))
    brief, long = (describe(scene, least, 200, Random(0)) for least in (10, 100))  # noqa: S311
    assert "seconds" not in brief
    assert "at about 2 seconds" in long
