"""Faults of the simulated endpoint: their kinds, their rates, and the answers they cause.

The seed and the running number of a request decide its fault, and nothing else does.
"""

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import accumulate
from math import inf
from typing import NamedTuple

import orjson

from vcgen.errors import UsageError
from vcgen.sim.validation import Refusal

JSON_TYPE = "application/json"

_RATE_LIMITED = Refusal(
    429,
    "Rate limit reached for sim: please try again in 1s.",
    "rate_limit_exceeded",
    None,
    "requests",
)
REFUSALS: Mapping[str, Refusal] = {
    "429": _RATE_LIMITED,
    "500": Refusal(
        500, "The server had an error while processing your request.", None, None, "server_error"
    ),
    "503": Refusal(
        503,
        "The engine is currently overloaded, please try again later.",
        None,
        None,
        "server_error",
    ),
    "529": Refusal(529, "Overloaded", None, None, "overloaded_error"),
    "quota": Refusal(
        429,
        "You exceeded your current quota, please check your plan and billing details.",
        "insufficient_quota",
        None,
        "insufficient_quota",
    ),
    "key": Refusal(401, "Incorrect API key provided.", "invalid_api_key"),
}
_BAD_GATEWAY = (
    b"<html><head><title>502 Bad Gateway</title></head><body>502 Bad Gateway</body></html>"
)
_PAGE = (
    b"<!doctype html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>"
)
# Answers in place of a completion, as (status, content type, body).
PAGES: Mapping[str, tuple[int, str, bytes]] = {
    "502": (502, "text/html", _BAD_GATEWAY),
    "html": (200, "text/html", _PAGE),
    "empty": (200, JSON_TYPE, b""),
}
# Faults without a completion.
INSTEAD = frozenset({*REFUSALS, *PAGES})
REFUSED_TEXT = "I'm sorry, but I can't help with that."
# Faults of a connection that is not made; over HTTP they close the one that is there.
ON_CONNECTING = frozenset({"refused", "handshake"})
# Faults of the connection, left to the front that holds it.
ON_THE_WIRE = frozenset({*ON_CONNECTING, "reset", "close", "hang"})
# Faults of a completion; the last four change JSON and leave plain text alone.
IN_THE_REPLY = frozenset({"cut", "length", "refusal"})
IN_THE_JSON = frozenset({"fence", "comma", "badjson", "turns"})
FAULT_KINDS = frozenset({*INSTEAD, *ON_THE_WIRE, *IN_THE_REPLY, *IN_THE_JSON})


class Fault(NamedTuple):
    """One fault and how often it strikes.

    Attributes:
        kind: of `FAULT_KINDS`.
        share: of requests, 0 to 1.
        delay_s: latency of the reply, None for that of the endpoint.
        retry_after_s: in the reply's `Retry-After`, None for the endpoint's own.
    """

    kind: str
    share: float
    delay_s: float | None = None
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Faults:
    """The faults of an endpoint."""

    faults: tuple[Fault, ...] = ()

    def draw(self, seed: int, number: int) -> Fault | None:
        """Draw the fault of the request with that running number, None for most."""
        if not self.faults:
            return None
        digest = blake2b(b"%d/%d" % (seed, number), digest_size=8).digest()
        drawn = int.from_bytes(digest) / 2**64
        at = bisect_right(tuple(accumulate(fault.share for fault in self.faults)), drawn)
        return self.faults[at] if at < len(self.faults) else None


_FORM = re.compile(r"\A(?P<kind>[^:]*+):(?P<share>[^@+]*)(?:@(?P<delay>[^+]*))?(?:\+(?P<hint>.*))?")


def parse_faults(text: str) -> Faults:
    """Faults from `KIND:SHARE[@SECONDS][+RETRY_AFTER],...`; no faults for empty text.

    `429:0.05,reset:0.01@0.02,503:0.01@0.05+2`: resets after 20 ms, whatever the endpoint's latency;
    503s after 50 ms, with `Retry-After: 2`.

    Raises:
        UsageError: a kind is unknown or named twice, a share is not within 0..1, all are over 1, or
            seconds are negative.
    """
    faults = [_fault(part.strip()) for part in text.split(",") if part.strip()]
    kinds = [fault.kind for fault in faults]
    for kind in kinds:
        if kinds.count(kind) > 1:
            raise UsageError(f"faults: {kind} is named twice")
    if (total := sum(fault.share for fault in faults)) > 1 + 1e-9:
        raise UsageError(f"faults: the shares add up to {total:g}, which is over 1")
    return Faults(tuple(faults))


def _fault(text: str) -> Fault:
    kind, _, _ = text.partition(":")
    if kind not in FAULT_KINDS:
        raise UsageError(
            f"faults: unknown kind {kind!r}; there are: {', '.join(sorted(FAULT_KINDS))}"
        )
    found = _FORM.fullmatch(text)
    share = _number("" if found is None else found["share"], inf)
    if found is None or not 0 <= share <= 1:
        number = "" if found is None else found["share"]
        raise UsageError(f"faults: the share of {kind} is {number!r}, not a number from 0 to 1")
    return Fault(kind, share, _seconds(kind, found["delay"]), _seconds(kind, found["hint"]))


def _seconds(kind: str, text: str | None) -> float | None:
    if text is None:
        return None
    seconds = _number(text, -1.0)
    if not 0 <= seconds < inf:
        raise UsageError(f"faults: the seconds of {kind} are {text!r}, not a number from 0")
    return seconds


def _number(text: str, otherwise: float) -> float:
    try:
        return float(text)
    except ValueError:
        return otherwise


def spoil(kind: str, text: str) -> str | None:
    """The model's JSON text with a fault of `IN_THE_JSON`, None for text other than JSON."""
    if not text.startswith(("{", "[")):
        return None
    if kind == "fence":
        return f"```json\n{text}\n```"
    if kind == "comma":
        return f"{text[:-1]},{text[-1]}"
    value = orjson.loads(text)
    turns = value.get("turns") if isinstance(value, dict) else None
    if kind == "turns":
        if not turns:
            return None
        return _dumped({**value, "turns": turns[:-1] if len(turns) > 1 else turns * 2})
    if turns:
        return _dumped({**value, "turns": [_without_last(turns[0]), *turns[1:]]})
    return _dumped(_without_last(value)) if isinstance(value, dict) else None


def _without_last(value: Mapping[str, object]) -> dict[str, object]:
    return {name: value[name] for name in list(value)[:-1]}


def _dumped(value: Mapping[str, object] | Sequence[object]) -> str:
    return orjson.dumps(value).decode()
