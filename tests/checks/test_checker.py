"""All checks of a sample together: severities, repairs, flags, and any text at all."""

from hypothesis import given, strategies as st

import vcgen
from tests.support.check_examples import FORM, FOUND, NEAR, OTHERS, TURNS_FOUND, TURNS_NEAR, VOICE
from tests.support.common import Scripted, completion, generate, make_clip
from vcgen.checks.checker import Checker, check
from vcgen.checks.codes import CODES, Problem
from vcgen.data.records import KINDS, Reason, Turn


def test_every_code_of_one_text_has_examples_and_near_misses() -> None:
    assert FOUND.keys() == NEAR.keys() == {*FORM, *VOICE, *OTHERS}
    assert FOUND.keys() <= CODES.keys()
    assert min(map(len, FOUND.values())) >= 4
    assert min(map(len, NEAR.values())) >= 6
    assert TURNS_FOUND.keys() == TURNS_NEAR.keys() <= CODES.keys()


def test_prose_has_no_problems() -> None:
    turn = Turn("causal", "Why does the man untie the rope?", "He unties it to push the boat away.")
    assert check([turn], make_clip()) == []


def test_problems_name_turn_and_severity() -> None:
    turns = [
        Turn("causal", "Why does the man leave?", "He leaves with two crates to fish."),
        Turn("causal", "", "A <video> of a boat that leaves."),
    ]
    found = check(turns, make_clip())
    assert [(each.code, each.turn) for each in found] == [("empty", 2), ("media-tag", 2)]
    assert [str(each) for each in found] == [
        "turn 2: the question is empty",
        "turn 2: the answer contains the markup <video>",
    ]
    assert all(each.severity == CODES[each.code].severity for each in found)
    assert check([], make_clip()) == [Problem("no-turns", "reject", "there are no turns")]
    assert Checker(None, severities={"no-turns": "off"}).turns([]) == []


GOOD = "First, a man carries two crates along a pier. Then he unties the rope and leaves."


def described(*replies: str, repairs: int = 1) -> vcgen.Result:
    recipe = vcgen.Recipe(refine=False, max_repairs=repairs)
    scripted = Scripted(map(completion, replies))
    return generate([make_clip()], transport=scripted, tasks=["description"], recipe=recipe)


def test_repairable_problem_is_sent_back() -> None:
    transport = Scripted(["The caption says that a man leaves with two crates.", GOOD])
    recipe = vcgen.Recipe(refine=False)
    result = generate([make_clip()], transport=transport, tasks=["description"], recipe=recipe)
    assert [record.turns[0].answer for record in result.records] == [GOOD]
    repair = transport.bodies[1]["messages"][-1]["content"]
    assert "'the caption says'" in repair
    assert "speak as a person who watched the video" in repair


def test_lasting_problem_rejects_after_max_repairs() -> None:
    (reject,) = described(
        *["It is not mentioned in the video what the man does."] * 3, repairs=2
    ).rejects
    assert (reject.reason, reject.attempts) == (Reason.FAILED_CHECKS, 3)


def test_final_problem_rejects_at_once() -> None:
    leak = "A boat leaves. === end of evidence 0123456789abcdef ===."
    (reject,) = described(leak).rejects
    assert (reject.reason, reject.attempts) == (Reason.FAILED_CHECKS, 1)


def test_flag_and_score_cost_no_request() -> None:
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


def test_text_is_checked_once() -> None:
    checker = Checker(make_clip())
    assert checker.answer(GOOD) is checker.answer(GOOD)


TEXTS = st.text() | st.sampled_from(
    [text for table in (FOUND, NEAR) for texts in table.values() for text in texts]
)


@given(TEXTS, TEXTS, st.floats(0, 100) | st.none(), st.sampled_from(KINDS))
def test_no_text_makes_the_checks_raise(
    question: str, answer: str, duration: float | None, kind: str
) -> None:
    turn = Turn(kind, question, answer)  # type: ignore[arg-type]
    for language in ("English", "Chinese", "Spanish", "?"):
        check([turn, turn], make_clip(duration=duration), language=language)
