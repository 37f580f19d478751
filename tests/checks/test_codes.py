"""Problems carry the side and the words at fault; severities come from one table."""

import pytest

from tests.support.common import make_clip
from vcgen.checks.checker import check
from vcgen.checks.codes import CODES, apply_severities, problem, require_codes
from vcgen.data.records import Turn
from vcgen.errors import UsageError

QUESTION, ANSWER = "What does the man do?", "The man carries two crates along the pier."


@pytest.mark.parametrize(
    ("code", "question", "answer", "side", "excerpt"),
    [
        ("empty", QUESTION, "", "answer", None),
        ("media-tag", f"{QUESTION} <video>", ANSWER, "question", "<video>"),
        ("markup", QUESTION, f"{ANSWER[:-1]}<br/>.", "answer", "<br/>"),
        ("markdown", QUESTION, "The **red boat** leaves.", "answer", "**red boat**"),
        ("hedge", QUESTION, "It is not mentioned, he says.", "answer", "not mentioned"),
        ("hedge", "Is it not mentioned why?", ANSWER, "question", "not mentioned"),
        ("assistant-talk", QUESTION, f"Sure! {ANSWER}", "answer", "sure"),
        ("wrong-language", QUESTION, "一个男人抱着两个箱子走过码头。", "answer", None),
        ("time-past-end", QUESTION, "At 47 seconds he waves.", "answer", "47"),
        ("no-sentence-end", QUESTION, "He unties the", "answer", "He unties the"),
        ("number-contradicted", QUESTION, "A man carries seven crates.", "answer", "crat"),
        ("wrong-kind", "Why does he leave?", ANSWER, "question", None),
    ],
)
def test_a_problem_names_its_side_and_its_words(
    code: str, question: str, answer: str, side: str, excerpt: str | None
) -> None:
    turn = Turn("descriptive", question, answer)
    (found,) = [each for each in check([turn], make_clip()) if each.code == code]
    assert (found.turn, found.side, found.excerpt) == (1, side, excerpt)
    assert str(found).startswith("turn 1: ")


def test_a_problem_of_the_whole_sample_has_no_side() -> None:
    (found,) = check([], make_clip())
    assert (found.code, found.turn, found.side, found.excerpt) == ("no-turns", None, None, None)


def test_severities_override_the_table_and_off_removes() -> None:
    found = [problem("empty", "a"), problem("hedge", "b"), problem("order", "c")]
    assert [each.severity for each in found] == ["re-ask", "re-ask", "flag"]
    assert apply_severities(found, {}) is found
    changed = apply_severities(found, {"empty": "off", "order": "reject"})
    assert [(each.code, each.severity) for each in changed] == [
        ("hedge", "re-ask"),
        ("order", "reject"),
    ]


def test_unknown_code_is_an_error_that_names_the_nearest() -> None:
    require_codes(CODES)
    with pytest.raises(UsageError, match="unknown check 'marckdown'; did you mean 'markdown'"):
        require_codes(["markdown", "marckdown"])
    with pytest.raises(UsageError, match=r"docs/quality.md lists them"):
        require_codes(["x" * 100])
