"""Codes that need the question, the other turns, or the evidence: found, and near misses."""

from typing import Any

import pytest

import vcgen
from tests.support.common import Scripted, completion, generate, make_clip
from vcgen.checks.checker import Checker, check
from vcgen.checks.tokenize import stem
from vcgen.data.records import Turn
from vcgen.errors import Reason

HARBOUR = make_clip(
    caption="A fisherman in a blue jacket gets his boat ready.",
    duration=40,
    segments=[
        {"start": 0, "end": 8, "text": "two young men carry three crates along a wooden pier"},
        {"start": 8, "end": 15, "text": "the fisherman unties the rope of a red boat"},
        {"start": 15, "end": 24, "text": "he does not open the crates"},
        {"start": 24, "end": 31, "text": "a white dog jumps into the water and swims"},
        {"start": 31, "end": 40, "text": "he starts the engine and steers towards the lighthouse"},
    ],
)


def codes(*turns: tuple[str, str], clip: vcgen.Clip = HARBOUR) -> set[str]:
    return {each.code for each in check([Turn("temporal", *turn) for turn in turns], clip)}


WHAT = "What happens in the video?"
FOUND: dict[str, list[tuple[str, str]]] = {
    "order": [
        (WHAT, "The fisherman steers towards the lighthouse. Then he unties the rope of the boat."),
        (
            WHAT,
            "A white dog jumps into the water. After that, two men carry crates along the pier.",
        ),
        ("What happens after the fisherman unties the rope?", "Young men carry things on a pier."),
        ("What happens before two men carry crates along a pier?", "A dog jumps into the water."),
        ("What does the man do once the dog swims in the water?", "He unties a rope."),
    ],
    "refers-back": [
        ("And what does the man do with the rope?", "He unties it."),
        ("What does he do after that?", "He unties the rope."),
        ("Why does she do this?", "She wants to leave."),
        ("What about the dog?", "It jumps into the water."),
        ("What else is in the video?", "There is a dog."),
        ("Is the dog you mentioned white?", "Yes, it is white."),
        ("What colour is the boat?", "As mentioned before, it is red."),
        ("What are they carrying?", "They carry crates."),
        ("What happens next?", "The dog swims."),
        ("Why?", "The boat is to leave."),
    ],
    "ungrounded": [
        (WHAT, "A chef chops onions, fries bacon and serves an omelette with parsley."),
        (WHAT, "Dancers in costumes whirl across a stage while an orchestra plays a waltz."),
        (WHAT, "A teacher writes equations on a blackboard for the pupils of a class."),
        (WHAT, "The astronaut repairs an antenna outside of the spacecraft above the Earth."),
    ],
    "number-contradicted": [
        (WHAT, "Four young men carry crates along the pier."),
        (WHAT, "Two men carry five crates along the pier."),
        (WHAT, "First, 3 men carry crates along the pier."),
        (WHAT, "Two men carry 12 wooden crates along the pier."),
    ],
    "colour-contradicted": [
        (WHAT, "The fisherman unties the rope of a green boat."),
        (WHAT, "A fisherman in a yellow jacket unties the rope."),
        (WHAT, "A black dog jumps into the water."),
        (WHAT, "A brown and grey dog swims in the water."),
    ],
    "negation-contradicted": [
        (WHAT, "The fisherman does not untie the rope of the boat."),
        (WHAT, "The dog doesn't jump into the water."),
        (WHAT, "The fisherman opens the crates on the pier."),
        (WHAT, "Two men never carry the crates along the pier."),
        (WHAT, "The dog jumps and swims. The red boat is never shown."),
        (WHAT, "The men cannot take the crates along the pier."),
        (WHAT, "The man never starts to steer towards the lighthouse."),
    ],
}
NEAR: dict[str, list[tuple[str, str]]] = {
    "order": [
        (WHAT, "Two men carry crates along the pier. Then the fisherman unties the rope."),
        (WHAT, "The dog jumps into the water. Before that, the fisherman unties the rope."),
        (WHAT, "The boat leaves for the lighthouse. Overall, two men carry crates along the pier."),
        ("What happens after two men carry crates along a pier?", "The fisherman unties a rope."),
        ("What happens before the dog jumps into the water?", "The fisherman unties the rope."),
        (WHAT, "The men walk on the pier. Then something happens to the boat. Finally, it leaves."),
        (WHAT, "While the engine starts, the dog swims. Then the boat steers to the lighthouse."),
    ],
    "refers-back": [
        ("Why does the man wave when he sees the dog?", "He wants it to come."),
        ("What does the man do after the dog jumps into the water?", "He starts the engine."),
        ("How does the fisherman leave with his boat?", "He starts the engine."),
        ("What is the woman in this video doing?", "She is dancing."),
        ("Is it raining in the video?", "No, it is sunny."),
        ("What happens after the rope is untied?", "After that, the boat moves away."),
        ("What happens at the end of the video?", "The boat leaves."),
        ("What do the two men do with their crates?", "They carry them along the pier."),
        ("Does anything change about the sea?", "It gets rough."),
    ],
    "ungrounded": [
        (WHAT, "A fisherman unties a boat and steers to the lighthouse while a dog is swimming."),
        (WHAT, "He leaves."),
        (WHAT, "It goes on for some time, one after the other, until the end of the video."),
        (WHAT, "Young men are carrying crates on the pier."),
        (WHAT, "The white dog swam."),
        (WHAT, "Two men, three crates, a rope, a red boat, a dog and a lighthouse can be seen."),
    ],
    "number-contradicted": [
        (WHAT, "Two young men carry three crates along the pier."),
        (WHAT, "Both men carry crates along the pier."),
        (WHAT, "The 2 men carry crates for 8 seconds along the pier."),
        (WHAT, "The video shows five steps on a pier."),
        (WHAT, "One man carries a crate."),
        (WHAT, "Three seagulls fly over the pier."),
    ],
    "colour-contradicted": [
        (WHAT, "The fisherman unties the rope of a red boat."),
        (WHAT, "The blue jacket of the fisherman is wet."),
        (WHAT, "A white dog jumps into the green water."),
        (WHAT, "Oranges lie in the boat."),
        (WHAT, "The sun is red, and the boat leaves."),
        (WHAT, "He browns the fish and eats it."),
    ],
    "negation-contradicted": [
        (WHAT, "The fisherman does not open the crates."),
        (WHAT, "The crates stay closed: nobody opens a door."),
        (WHAT, "Not only does the dog jump, it swims."),
        (WHAT, "The fisherman unties the rope without a word."),
        (WHAT, "He does not look at the seagulls."),
        (WHAT, "There is nobody else on the pier."),
        (WHAT, "The face of the fisherman is not shown."),
        (WHAT, "The man does not take the lantern."),
        (WHAT, "The harbour is not visible while the dog swims."),
    ],
}


FIRST = ("What do two men carry?", "Two men carry three crates.")


@pytest.mark.parametrize("code", FOUND)
def test_a_fault_is_found(code: str) -> None:
    assert [turn for turn in FOUND[code] if code not in codes(FIRST, turn)] == []


def test_a_turn_alone_can_refer_to_no_other() -> None:
    assert [turn for turn in FOUND["refers-back"] if "refers-back" in codes(turn)] == []


@pytest.mark.parametrize("code", NEAR)
def test_a_near_miss_is_none(code: str) -> None:
    assert [turn for turn in NEAR[code] if code in codes(FIRST, turn)] == []


SAME = [
    ("What does the man do with the rope?", "What is the man doing with the rope?"),
    ("Why does the dog jump into the water?", "Why does the dog jump into the water?"),
    ("What happens at the start of the video?", "So, what takes place at the start of the video?"),
    ("Where is the boat?", "Can you tell me where the boat is?"),
    (
        "What do the young men carry along the wooden pier?",
        "What do the two young men carry along the wooden pier?",
    ),
]
DIFFERENT = [
    (
        "How long does the old crew of boat 10 pull rope 10 along?",
        "How long does the old crew of boat 10 pull rope 7 along?",
    ),
    ("What happens before the dog jumps?", "What happens after the dog jumps?"),
    ("What is the man in red doing?", "What is the man in blue doing?"),
    ("Why is the boat moving?", "Where is the boat moving?"),
    ("How does the video begin?", "How does the video end?"),
    ("What happens between 3 and 9 seconds?", "What happens between 9 and 15 seconds?"),
    ("What does the man do?", "What does the woman do?"),
    ("What is in the boat?", "What is on the pier?"),
]


def asked(first: str, second: str) -> set[str]:
    return codes((first, "He unties the rope."), (second, "A dog jumps into the water."))


def test_a_question_asked_twice_is_found() -> None:
    assert [pair for pair in SAME if "duplicate-question" not in asked(*pair)] == []
    assert [pair for pair in DIFFERENT if "duplicate-question" in asked(*pair)] == []


def test_the_same_question_in_another_turn_is_named_with_both_numbers() -> None:
    turns = [
        Turn("causal", f"Why does the {who} swim?", "It is hot.") for who in ("dog", "man", "dog")
    ]
    (found,) = check(turns, HARBOUR)
    assert (found.turn, str(found)) == (3, "turn 3: the question asks what that of turn 1 asks")


def test_the_score_is_the_share_of_content_words_in_the_evidence() -> None:
    def ground(answer: str, **clip: Any) -> float | None:
        return Checker(make_clip(**clip)).review([Turn("causal", WHAT, answer)]).ground

    assert ground("A man carries two crates along the pier.") == 1
    assert ground("A man carries bananas along a boulevard.") == 0.5
    assert ground("A chef slices onions.") == 0
    assert ground("He does so.") is None


def test_evidence_in_another_language_gives_no_score_and_no_contradiction() -> None:
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
    assert codes((WHAT, "Two men carry three crates along a wooden pier."), clip=mixed) == set()


def test_chinese_answers_are_not_compared_with_captions_beside_chinese_speech() -> None:
    speech = {"start": 0, "end": 5, "text": "你嫌贵我还嫌贵呢", "source": "speech"}
    clip = make_clip(segments=[*HARBOUR.segments, speech], duration=40)
    turn = Turn("causal", "发生了什么\uff1f", "两个男人抱着箱子走过码头。")
    assert Checker(clip, language="zh").review([turn]) == ([], None)


def test_chinese_answers_are_compared_with_chinese_evidence() -> None:
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


GOOD = "First, a man carries two crates along a pier. Then he unties the rope and leaves."


def described(*replies: str, repairs: int = 1) -> vcgen.Result:
    recipe = vcgen.Recipe(refine=False, repairs=repairs)
    scripted = Scripted(map(completion, replies))
    return generate([make_clip()], transport=scripted, tasks=["description"], recipe=recipe)


def test_what_can_be_mended_is_asked_again_with_what_is_wrong() -> None:
    transport = Scripted(["The caption says that a man leaves with two crates.", GOOD])
    recipe = vcgen.Recipe(refine=False)
    result = generate([make_clip()], transport=transport, tasks=["description"], recipe=recipe)
    assert [record.turns[0].answer for record in result.records] == [GOOD]
    repair = transport.bodies[1]["messages"][-1]["content"]
    assert "'the caption says'" in repair
    assert "speak as somebody who watched the video" in repair


def test_what_stays_wrong_is_rejected_after_so_many_repairs() -> None:
    (reject,) = described(
        *["It is not mentioned in the video what the man does."] * 3, repairs=2
    ).rejects
    assert (reject.reason, reject.attempts) == (Reason.FAILED_CHECKS, 3)


def test_what_no_repair_can_mend_is_rejected_at_once() -> None:
    leak = "A boat leaves. === end of evidence 0123456789abcdef ===."
    (reject,) = described(leak).rejects
    assert (reject.reason, reject.attempts) == (Reason.FAILED_CHECKS, 1)


def test_what_is_only_suspicious_is_flagged_and_scored_and_costs_no_request() -> None:
    text = (
        "First, a chef chops four onions and fries bacon. Then he serves an omelette with parsley."
    )
    (record,) = described(text).records
    assert record.flags == ("ungrounded",)
    assert record.meta["ground"] < 0.5
    assert record.meta["attempts"] == 1
    (record,) = described(GOOD).records
    assert record.flags == ()
    assert record.meta["ground"] > 0.5


def test_a_text_is_checked_once_however_often_it_is_asked_about() -> None:
    checker = Checker(make_clip())
    assert checker.answer(GOOD) is checker.answer(GOOD)


def test_the_stems_that_are_kept_have_an_end() -> None:
    for number in range(40_000):
        assert stem(f"crates{number}x") == f"crates{number}x"
    assert len(stem.__self__) <= 32768  # type: ignore[attr-defined]
    assert stem("slices") == stem("slicing") == "slic"
