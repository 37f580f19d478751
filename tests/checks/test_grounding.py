"""Grounding: the fraction of words in the evidence, and contradictions of it."""

from typing import Any

import pytest

from tests.support.check_examples import HARBOUR, WHAT, missed_turns, mistaken_turns, turn_codes
from tests.support.common import make_clip
from vcgen.checks.checker import Checker
from vcgen.data.records import Turn

CONTRADICTIONS = ("number-contradicted", "colour-contradicted", "negation-contradicted")


@pytest.mark.parametrize("code", ["ungrounded", *CONTRADICTIONS])
def test_fault_is_found(code: str) -> None:
    assert missed_turns(code) == []


@pytest.mark.parametrize("code", ["ungrounded", *CONTRADICTIONS])
def test_near_miss_passes(code: str) -> None:
    assert mistaken_turns(code) == []


def test_score_is_the_fraction_of_content_words() -> None:
    def ground(answer: str, **clip: Any) -> float | None:
        return Checker(make_clip(**clip)).review([Turn("causal", WHAT, answer)]).ground

    assert ground("A man carries two crates along the pier.") == 1
    assert ground("A man carries bananas along a boulevard.") == 0.5
    assert ground("A chef slices onions.") == 0
    assert ground("He does so.") is None


def test_evidence_in_another_language_is_not_compared() -> None:
    speech = [
        {
            "start": 0,
            "end": 5,
            "text": "你嫌贵我还嫌贵呢",
            "source": "speech",
        }
    ]
    clip = make_clip(caption=None, tags=[], segments=speech, language="zh")
    turn = Turn("causal", WHAT, "Two men argue about the price of a watermelon.")
    assert Checker(clip).review([turn]) == ([], None)
    mixed = make_clip(segments=[*HARBOUR.segments, *speech], duration=40)
    assert (
        turn_codes((WHAT, "Two men carry three crates along a wooden pier."), clip=mixed) == set()
    )


def test_chinese_answer_is_not_compared_with_english() -> None:
    speech = {"start": 0, "end": 5, "text": "你嫌贵我还嫌贵呢", "source": "speech"}
    clip = make_clip(segments=[*HARBOUR.segments, speech], duration=40)
    turn = Turn("causal", "发生了什么\uff1f", "两个男人抱着箱子走过码头。")
    assert Checker(clip, language="zh").review([turn]) == ([], None)


def test_chinese_answer_is_compared_with_chinese() -> None:
    clip = make_clip(
        caption="两个男人抱着箱子走过码头",
        tags=[],
        segments=[],
    )
    checker = Checker(clip, language="zh")
    near = Turn(
        "causal",
        "发生了什么\uff1f",
        "两个男人走过码头。",
    )
    far = Turn(
        "causal",
        "发生了什么\uff1f",
        "女孩在厨房里切洋葱。",
    )
    assert checker.review([near]).problems == []
    assert [each.code for each in checker.review([far]).problems] == ["ungrounded"]
    assert (checker.review([near]).ground or 0) > 0.5 > (checker.review([far]).ground or 0)
