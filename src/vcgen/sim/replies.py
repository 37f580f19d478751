"""Answers of the simulated endpoint: what goes out for a refusal, a fault and a completion."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import vcgen.sim.faults as fault_kinds
from vcgen.engine.chat import Usage
from vcgen.sim.limits import CREATED, RateExceeded
from vcgen.sim.model import Draft, completion
from vcgen.sim.validation import Refusal


class SimReply(NamedTuple):
    """What the endpoint does with one request.

    Attributes:
        headers: names in lower case; `content-length` is left to the front.
        delay_s: how long the front waits before it answers.
        fault: the fault this request met. `refused`, `reset`, `close` and `hang` are done by the
            front, with the rest of the answer being what would have come.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    delay_s: float = 0.0
    fault: str | None = None


def refuse(refusal: Refusal, *, delay_s: float = 0.0, fault: str | None = None) -> SimReply:
    """The refusal as an answer."""
    headers = {"content-type": fault_kinds.JSON_TYPE}
    return SimReply(refusal.status, headers, refusal.body(), delay_s, fault)


def limited(lack: RateExceeded, amount: int, *, retry_after: bool, delay_s: float) -> SimReply:
    """The 429 for an amount that a limit has no room for."""
    told = f"for sim on {lack.name} per min: limit {lack.limit}, "
    if math.isinf(lack.wait_s):
        message = f"Request too large {told}requested {amount}."
    else:
        message = f"Rate limit reached {told}used {lack.used}."
    hinted = retry_after and not math.isinf(lack.wait_s)
    if hinted:
        message += f" Please try again in {lack.wait_s:.3f}s."
    refusal = Refusal(429, message, "rate_limit_exceeded", None, lack.name)
    answer = refuse(refusal, delay_s=delay_s)
    if hinted:
        answer.headers["retry-after"] = str(math.ceil(lack.wait_s))
    return answer


def struck(kind: str, *, retry_after: bool, delay_s: float) -> SimReply:
    """The answer of a fault that takes the completion's place."""
    if kind in fault_kinds.PAGES:
        status, content_type, body = fault_kinds.PAGES[kind]
        return SimReply(status, {"content-type": content_type}, body, delay_s, kind)
    answer = refuse(fault_kinds.REFUSALS[kind], delay_s=delay_s, fault=kind)
    if kind == "429" and retry_after:
        answer.headers["retry-after"] = "1"
    return answer


def told_usage(
    draft: Draft, request: Mapping[str, Any], fault: str | None, cached_tokens: int
) -> Usage:
    """The tokens of the draft, the reply cut to what the request has room for."""
    whole = written = draft.usage.completion_tokens
    for name in ("max_completion_tokens", "max_tokens"):
        if (most := request.get(name)) is not None and most < written:
            written = most
    if fault == "length":
        written = min(written, whole // 2)
    return Usage(draft.usage.prompt_tokens, written, cached_tokens)


def complete(draft: Draft, usage: Usage, name: str, fault: str | None, delay_s: float) -> SimReply:
    """The completion with that usage, spoilt where the fault says so."""
    text = draft.text
    if fault in fault_kinds.IN_THE_JSON:
        spoilt = fault_kinds.spoil(fault, text)
        text, fault = (text, None) if spoilt is None else (spoilt, fault)
    body = completion(
        text,
        usage,
        name=name,
        created=CREATED,
        is_cut=usage.completion_tokens < draft.usage.completion_tokens,
        refusal=fault_kinds.REFUSED_TEXT if fault == "refusal" else None,
    )
    if fault == "cut":
        body = body[: len(body) // 2]
    return SimReply(200, {"content-type": fault_kinds.JSON_TYPE}, body, delay_s, fault)
