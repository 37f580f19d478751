"""Records and turns are selected for a trainer, and counted by reason."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from vcgen.data.records import Kind, Record, Turn
from vcgen.datasets.export.selection import (
    Selected,
    Selection,
    SkipReason,
    estimate_tokens,
    select,
    under_root,
)
from vcgen.datasets.export.splits import Split, parse_fractions
from vcgen.errors import UsageError


def record(*kinds: Kind, ground: float | None = None, flags: tuple[str, ...] = ()) -> Record:
    return Record(
        id="a",
        video="a.mp4",
        clip_id="a",
        task="t",
        turns=tuple(Turn(kind, f"What is {at}?", f"It is {at}.") for at, kind in enumerate(kinds)),
        flags=flags,
        meta={} if ground is None else {"ground": ground},
    )


def answers(choice: Selected) -> list[str]:
    return [turn.answer for turn in choice.record.turns] if choice.record else []


MIXED = record("descriptive", "temporal", "causal")


def test_a_record_is_taken_as_it_is() -> None:
    assert select(MIXED, Selection()) == (MIXED, ())
    assert select(MIXED, Selection()).record is MIXED


def test_a_record_without_turns_is_none() -> None:
    assert select(record(), Selection()) == (None, (SkipReason.EMPTY,))


def test_turns_of_other_kinds_are_left_out() -> None:
    chosen = select(MIXED, Selection(kinds={"descriptive", "causal"}))
    assert answers(chosen) == ["It is 0.", "It is 2."]
    assert chosen.reasons == (SkipReason.FEWER,)
    assert select(MIXED, Selection(kinds={"description"})) == (None, (SkipReason.NO_KIND,))


def test_a_record_that_refers_back_to_what_would_go_is_left_out_whole() -> None:
    back = record("descriptive", "temporal", "causal", flags=("refers-back",))
    assert select(back, Selection(kinds={"descriptive", "causal"})) == (None, (SkipReason.LOOSE,))
    assert select(back, Selection(kinds={"temporal", "causal"})) == (None, (SkipReason.LOOSE,))
    assert answers(select(back, Selection(kinds={"descriptive", "temporal"}))) == [
        "It is 0.",
        "It is 1.",
    ]


def test_turns_that_refer_back_are_not_for_a_trainer_that_shuffles_them() -> None:
    back = record("descriptive", "temporal", flags=("refers-back",))
    assert select(back, Selection(), is_shuffled=True) == (None, (SkipReason.SHUFFLED,))
    assert select(back, Selection()).record is back
    assert select(MIXED, Selection(), is_shuffled=True).record is MIXED
    alone = select(back, Selection(kinds={"descriptive"}), is_shuffled=True)
    assert answers(alone) == ["It is 0."]


def test_ground_is_at_least_what_is_asked_for() -> None:
    wanted = Selection(min_ground=0.5)
    good = record("causal", ground=0.5)
    assert select(good, wanted).record is good
    assert select(record("causal", ground=0.49), wanted) == (None, (SkipReason.UNGROUNDED,))
    assert select(record("causal"), wanted) == (None, (SkipReason.UNGROUNDED,))


def words(text: str) -> int:
    return len(text.split())


def test_last_turns_go_until_a_record_fits() -> None:
    # As VideoChat V1 puts it: 20 words around the turns, 10 of each turn, and the first token.
    def fitting(most: int) -> Selected:
        return select(MIXED, Selection(max_tokens=most, count_tokens=words))

    whole = 1 + words(
        "###Human: <Video></Video> The video contains 8 frames sampled at 10.0, 20.0, 30.0, 40.0, "
        "50.0, 60.0, 70.0, 80.0 seconds. "
        "###Human: What is 0? ###Assistant: It is 0. ###Human: What is 1? ###Assistant: It is 1. "
        "###Human: What is 2? ###Assistant: It is 2. ###"
    )
    assert fitting(whole).record is MIXED
    assert answers(fitting(whole - 1)) == ["It is 0.", "It is 1."]
    assert fitting(whole - 1).reasons == (SkipReason.CUT,)
    assert answers(fitting(whole - 9)) == ["It is 0."]
    assert fitting(whole - 17) == (None, (SkipReason.LONG,))


def test_what_is_left_of_some_kinds_may_be_cut_too() -> None:
    wanted = Selection(kinds={"temporal", "causal"}, max_tokens=29, count_tokens=words)
    chosen = select(MIXED, wanted)
    assert answers(chosen) == ["It is 1."]
    assert chosen.reasons == (SkipReason.FEWER, SkipReason.CUT)


def test_an_estimate_has_if_anything_too_many_tokens() -> None:
    assert estimate_tokens("") == 1
    assert estimate_tokens("A man walks his dog along the river.") == 13


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (lambda: Selection(kinds={"why"}), "kind 'why' is unknown; name any of description"),  # type: ignore[arg-type]
        (lambda: Selection(kinds=set()), "no kinds"),
        (lambda: Selection(min_ground=1.5), "min_ground 1.5"),
        (lambda: Selection(max_tokens=0), "max_tokens 0"),
        (lambda: Split((0.5, 0.4)), "split 0.5/0.4: the fractions sum to 0.9"),
        (lambda: Split((1.5, -0.5)), "split 1.5/-0.5: each fraction"),
        (lambda: Split((float("nan"), 0.5)), "split nan/0.5: each fraction"),
        (lambda: Split((0.7, 0.1, 0.1, 0.1)), "give two fractions"),
        (lambda: Split(()), "give two fractions"),
        (lambda: parse_fractions("0.9,0.1"), "split '0.9,0.1': give fractions such as"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(wanted: type, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        wanted()


@pytest.mark.parametrize(
    ("video", "placed"),
    [
        ("sea/a.mp4", "/data/sea/a.mp4"),
        ("v_1..2", "/data/v_1..2"),
        ("", ""),
        ("../a.mp4", None),
        ("sea/../../a.mp4", None),
        ("sea\\..\\..\\a.mp4", None),
        ("/etc/passwd", None),
        ("\\\\host\\a", None),
        ("C:\\a.mp4", None),
        ("https://host/a.mp4", None),
    ],
)
def test_a_video_is_below_the_root_or_nowhere(video: str, placed: str | None) -> None:
    assert under_root(video, "/data/") == placed
    assert under_root(video, "/data") == placed


@given(st.text(alphabet="./\\:ab", max_size=12))
def test_no_video_climbs_out(video: str) -> None:
    placed = under_root(video, "/data/videos")
    if placed:
        assert Path(placed).is_relative_to("/data/videos")
        assert ".." not in Path(placed).parts


@pytest.mark.parametrize("text", ["He is <b>bold</b>.", "x < y > z", "I <3 it [music]", "# 1"])
def test_a_text_without_marks_of_a_trainer_is_taken(text: str) -> None:
    record = Record(id="a", video="", clip_id="a", task="t", turns=(Turn("causal", "Why?", text),))
    assert select(record, Selection()).record is record


@pytest.mark.parametrize(
    "text", ["<" + 200_000 * " ", "<vid" + 200_000 * "a", "< /" + 200_000 * "<vid"]
)
def test_a_text_made_to_be_slow_is_looked_at_at_once(text: str) -> None:
    slow = replace(MIXED, turns=(Turn("causal", "Why?", text),))
    assert select(slow, Selection()).record == slow
