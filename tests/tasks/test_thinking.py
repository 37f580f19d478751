"""No thinking of any family is taken for an answer, and no answer for thinking."""

import pytest

from vcgen.tasks.thinking import Parts, split_thinking

ANSWER = "A boat leaves."
PAIRS = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<Thought>", "</Thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),
    ("<longcat_think>", "</longcat_think>"),
    ("[THINK]", "[/THINK]"),
    ("\u25c1think\u25b7", "\u25c1/think\u25b7"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|inner_prefix|>", "<|inner_suffix|>"),
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
    ("<|channel>thought\n", "<channel|>"),
    ("<unused94>thought\n", "<unused95>"),
    ("analysis", "assistantfinal"),
]


@pytest.mark.parametrize(("opening", "closing"), PAIRS)
class TestFamily:
    def test_thinking_is_taken_off(self, opening: str, closing: str) -> None:
        reply = f"{opening}We need a boat.{closing}\n\n{ANSWER}"
        assert split_thinking(reply) == Parts(
            ANSWER, reply.removesuffix(f"\n\n{ANSWER}"), is_open=False
        )

    def test_the_closing_mark_alone_is_enough(self, opening: str, closing: str) -> None:
        reply = f"We need a boat.{closing}{ANSWER}"
        assert opening not in reply
        assert split_thinking(reply).text == ANSWER

    def test_thinking_that_does_not_end_is_open(self, opening: str, closing: str) -> None:
        for before in ("", f"{opening}One.{closing}"):
            parts = split_thinking(f'{before}{opening}We need {{"a": 1}}')
            assert parts.is_open
            assert parts.text == ""

    def test_everything_up_to_the_last_mark_is_taken_off(self, opening: str, closing: str) -> None:
        reply = f"{opening}One.{closing} Two. {opening}Three.{closing}{ANSWER}"
        assert split_thinking(reply).text == ANSWER


@pytest.mark.parametrize(
    "answer",
    [
        ANSWER,
        "Analysis of the video shows a boat.",
        "analysis of the video: a boat leaves.",
        "I think the boat leaves because a man unties it.",
        "A sign reads [THIN ICE].",
        '{"turns": [{"question": "Why?", "answer": "They think <b>so</b>."}]}',
    ],
)
def test_an_answer_is_left_alone(answer: str) -> None:
    assert split_thinking(answer) == Parts(answer, "", is_open=False)


def test_a_mark_of_ones_own_is_known() -> None:
    marks = ("<plan>", "</plan>")
    assert split_thinking(f"<plan>Hm.</plan> {ANSWER}", marks).text == ANSWER
    assert split_thinking("<plan>Hm.", marks).is_open
    assert split_thinking(f"<plan>Hm.</plan> {ANSWER}").text != ANSWER
