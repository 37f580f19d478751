"""Answers of the simulated endpoint: refusals, faults and completions."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

import vcgen.sim.faults as fault_kinds
from vcgen.engine.chat import Usage
from vcgen.sim.limits import CREATED, RateExceeded
from vcgen.sim.validation import Refusal

# The usual rule of thumb for the pieces of words that models count.
BYTES_PER_TOKEN = 4


class SimReply(NamedTuple):
    """The answer to one request.

    Attributes:
        headers: with names in lower case, without `content-length`.
        delay_s: seconds before the front answers.
        fault: of this request. The front carries out `refused`, `reset`, `close` and `hang`; the
            other fields hold the answer without that fault.
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


def limited(exceeded: RateExceeded, amount: int, *, retry_after: bool, delay_s: float) -> SimReply:
    """The 429 for an amount over a limit."""
    described = f"for sim on {exceeded.name} per min: limit {exceeded.limit}, "
    if math.isinf(exceeded.wait_s):
        message = f"Request too large {described}requested {amount}."
    else:
        message = f"Rate limit reached {described}used {exceeded.used}."
    hinted = retry_after and not math.isinf(exceeded.wait_s)
    if hinted:
        message += f" Please try again in {exceeded.wait_s:.3f}s."
    refusal = Refusal(429, message, "rate_limit_exceeded", None, exceeded.name)
    answer = refuse(refusal, delay_s=delay_s)
    if hinted:
        answer.headers["retry-after"] = str(math.ceil(exceeded.wait_s))
    return answer


def struck(kind: str, *, retry_after: bool, delay_s: float) -> SimReply:
    """The answer of a fault without a completion."""
    if kind in fault_kinds.PAGES:
        status, content_type, body = fault_kinds.PAGES[kind]
        return SimReply(status, {"content-type": content_type}, body, delay_s, kind)
    answer = refuse(fault_kinds.REFUSALS[kind], delay_s=delay_s, fault=kind)
    if kind == "429" and retry_after:
        answer.headers["retry-after"] = "1"
    return answer


def shaped(answer: SimReply, fault: fault_kinds.Fault) -> SimReply:
    """The answer of a fault with the delay and the hint of its own, if it has them."""
    if fault.retry_after_s is not None:
        answer.headers["retry-after"] = f"{fault.retry_after_s:g}"
    return answer if fault.delay_s is None else answer._replace(delay_s=fault.delay_s)


def count_usage(
    text: str, body: bytes, request: Mapping[str, Any], fault: str | None, cached_tokens: int
) -> tuple[Usage, bool]:
    """The tokens of the request's body and of the reply `text`, and whether these are cut off.

    They are cut to the room that the request has for a reply, and by half by the fault `length`.
    """
    whole = written = max(1, len(text.encode()) // BYTES_PER_TOKEN)
    for name in ("max_completion_tokens", "max_tokens"):
        if (most := request.get(name)) is not None and most < written:
            written = most
    if fault == "length":
        written = min(written, whole // 2)
    return Usage(len(body) // BYTES_PER_TOKEN, written, cached_tokens), written < whole


def complete(
    text: str, usage: Usage, name: str, fault: str | None, delay_s: float, *, is_cut: bool
) -> SimReply:
    """The completion with that text, named `name`; the fault may spoil text or bytes."""
    if fault in fault_kinds.IN_THE_JSON:
        spoilt = fault_kinds.spoil(fault, text)
        text, fault = (text, None) if spoilt is None else (spoilt, fault)
    if is_cut:
        most_bytes = usage.completion_tokens * BYTES_PER_TOKEN
        text = text.encode()[:most_bytes].decode(errors="ignore")
    refusal = fault_kinds.REFUSED_TEXT if fault == "refusal" else None
    content = None if refusal else text
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": content, "refusal": refusal},
        "logprobs": None,
        "finish_reason": "length" if is_cut else "stop",
    }
    body = orjson.dumps(
        {
            "id": f"chatcmpl-{name}",
            "object": "chat.completion",
            "created": CREATED,
            "model": "sim",
            "choices": [choice],
            "usage": {
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "total_tokens": usage.prompt_tokens + usage.completion_tokens,
                "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
            },
        }
    )
    if fault == "cut":
        body = body[: len(body) // 2]
    return SimReply(200, {"content-type": fault_kinds.JSON_TYPE}, body, delay_s, fault)
