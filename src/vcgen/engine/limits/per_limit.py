"""How fast to go: pure arithmetic of rates and estimates. Time comes in as an argument."""

from typing import Generic, NamedTuple, TypeVar

WINDOW_S = 60.0

T = TypeVar("T")


class PerLimit(NamedTuple, Generic[T]):
    """Something of each limit: of requests, of tokens, and of tokens in and out by themselves."""

    rpm: T
    tpm: T
    input_tpm: T
    output_tpm: T
