"""Values for each of the limits that are counted by the minute."""

from typing import Generic, NamedTuple, TypeVar

WINDOW_S = 60.0

T = TypeVar("T")


class PerLimit(NamedTuple, Generic[T]):
    """One value for requests, for all tokens, for input tokens and for output tokens."""

    rpm: T
    tpm: T
    input_tpm: T
    output_tpm: T


UNKNOWN: PerLimit[int | None] = PerLimit(None, None, None, None)
