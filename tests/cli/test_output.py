"""Lines and summaries for people."""

import sys

import pytest

from vcgen.cli.output import aligned, judge_line, largest_shares, print_summary, tell, unless_zero
from vcgen.engine.chat import Usage
from vcgen.pipeline.progress import RunSummary


class Closed:
    """A standard error whose reader left."""

    def write(self, _: str) -> int:
        raise BrokenPipeError

    def flush(self) -> None:
        raise BrokenPipeError


def test_a_line_without_reader_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Closed())
    tell("a line")


def test_empty_rows_are_left_out_and_texts_line_up() -> None:
    rows = {"a": "1", "longer": "2", "none": unless_zero(0), "some": unless_zero(1_234)}
    assert aligned(rows) == ["a       1", "longer  2", "some    1,234"]


def test_the_largest_shares_are_in_percent() -> None:
    assert largest_shares({"tpm": 0.921, "rpm": 0.07, "caller": 0.009}, 2) == "tpm 92 %, rpm 7 %"
    assert largest_shares({}, 2) == ""


def test_a_run_without_judge_has_no_judge_line() -> None:
    assert judge_line(None) == ""


def test_the_summary_lines_up_and_leaves_out_zeros(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_summary(
        RunSummary(
            samples=1_200,
            records=1_199,
            rejects=1,
            rejects_by_reason={"prompt_too_large": 1},
            rejects_by_code={},
            commonest_messages={"prompt_too_large": "the prompt has 9 characters"},
            resumed=0,
            requests=1_800,
            retries=3,
            throttled=0,
            usage=Usage(10_000, 2_000),
            cost=None,
            seconds=12.34,
            records_per_second=97.2,
            limited_by={"tpm": 0.921, "rpm": 0.07, "caller": 0.009},
            left_out={"endpoint 2 (http://b/v1)": "it refuses the key"},
            stopped=None,
            model="sim",
            output="runs/[bold]a",
            judge=None,
        )
    )
    assert capsys.readouterr().err.splitlines() == [
        "samples             1,200",
        "records             1,199",
        "rejects             1",
        "  prompt_too_large  1   the prompt has 9 characters",
        "requests            1,800, 3 repeated",
        "tokens              10,000 in, 2,000 out",
        "cost                unknown",
        "time                12.3 s, 97.2 records/s",
        "limited by          tpm 92 %, rpm 7 %",
        "left out            endpoint 2 (http://b/v1): it refuses the key",
        "output              runs/[bold]a",
    ]
