"""The error tree: what one except clause catches, and what an error carries."""

import inspect

import pytest

from vcgen import errors
from vcgen.data.records import Reason
from vcgen.engine.retry import FailureReason
from vcgen.errors import (
    BudgetSpent,
    RequestFailed,
    RunStopped,
    SampleRejected,
    UsageError,
    VcgenError,
)

ALL = [value for _, value in inspect.getmembers(errors, inspect.isclass)]
ERRORS = [error for error in ALL if issubclass(error, Exception)]


@pytest.mark.parametrize("error", ERRORS)
def test_every_error_is_a_vcgen_error_and_on_the_screen(error: type[Exception]) -> None:
    assert issubclass(error, VcgenError)
    assert errors.__doc__ is not None
    assert error.__name__ in errors.__doc__


def test_wrong_use_is_a_value_error_too() -> None:
    assert issubclass(UsageError, ValueError)


def test_a_spent_budget_stops_a_run() -> None:
    assert issubclass(BudgetSpent, RunStopped)


def test_a_rejected_sample_carries_its_reason_and_reply() -> None:
    error = SampleRejected(Reason.REFUSAL, "the model refused", reply="No.", attempts=2)
    assert (error.reason, error.reply, error.attempts) == (Reason.REFUSAL, "No.", 2)
    assert str(error) == error.message == "the model refused"


@pytest.mark.parametrize("reason", FailureReason)
def test_every_reason_of_a_failed_request_is_one_of_a_reject(reason: FailureReason) -> None:
    error = RequestFailed(reason, "over capacity", attempts=6)
    assert Reason(error.reason).value == reason.value
