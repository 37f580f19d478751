"""The chat-completions format, https://platform.openai.com/docs/api-reference/chat.

A reply is a completion only if it is whole: it has a finish reason on the list of good ones. Real
servers spell finish reasons in many ways, put text into parts, think beside or within the content,
report an error with status 200 and answer in events unasked; all of that is read here.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from vcgen.engine.chat import (
    ChatRequest,
    Completion,
    Failure,
    FailureKind,
    FinishReason,
    Schema,
    Usage,
)
from vcgen.engine.config import Capabilities, Structured
from vcgen.engine.models import Thinking
from vcgen.engine.wire.errors import as_text, embedded_status, failure_of, start_of
from vcgen.engine.wire.events import is_event_stream, merged

_WHOLE = frozenset({"stop", "end_turn", "eos", "eos_token", "stop_sequence", ""})
# Parts of the words for text that a filter withheld: Azure, Gemini, Zhipu, OpenRouter.
_FILTERED = ("filter", "safety", "sensitive", "recitation", "prohibited", "blocklist", "spii")
_CUT = ("length", "max_tokens", "max_output_tokens", "max_new_tokens", "context_window")
# A larger count is garbage: it would pause a run for hours and overflow its sums.
_MOST_TOKENS = 1 << 24
_CONTENT_FILTER = "content_filter"


class Form(NamedTuple):
    """How one endpoint is asked.

    Attributes:
        model: its name there.
        extra: fields of the caller's own, which replace others.
    """

    model: str
    capabilities: Capabilities = Capabilities()
    thinking: Thinking = Thinking()
    extra: Mapping[str, Any] = MappingProxyType({})


def encode(request: ChatRequest, form: Form) -> bytes:
    """The request's body."""
    capabilities, thinking = form.capabilities, form.thinking
    body: dict[str, Any] = {
        "model": form.model,
        "messages": [{"role": role, "content": content} for role, content in request.messages],
        capabilities.token_limit: request.max_tokens + thinking.room_tokens,
    }
    if thinking.effort is not None and capabilities.takes_effort:
        body["reasoning_effort"] = thinking.effort
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.schema is not None and capabilities.structured is not Structured.PROMPT:
        body["response_format"] = _response_format(request.schema, capabilities.structured)
    if form.extra:
        body.update(form.extra)
    return orjson.dumps(body)


def _response_format(schema: Schema, structured: Structured) -> dict[str, Any]:
    if structured is Structured.JSON_OBJECT:
        return {"type": "json_object"}
    return {
        "type": "json_schema",
        "json_schema": {"name": schema.name, "strict": True, "schema": schema.definition},
    }


def decode(status: int, headers: Mapping[str, str], body: bytes) -> Completion | Failure:
    """Decode a reply to its completion or its failure. Header names are lower-case."""
    if status != 200:
        return failure_of(status, headers, body)
    try:
        try:
            data = orjson.loads(body)
        except ValueError:
            if not is_event_stream(headers, body):
                raise
            data = merged(body)
        return _decode(data, headers, body)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return _invalid(headers, body)


def _decode(data: dict[str, Any], headers: Mapping[str, str], body: bytes) -> Completion | Failure:
    choices = data.get("choices")
    choice = choices[0] if choices else {}
    if error := data.get("error") or choice.get("error"):
        return failure_of(embedded_status(error) or 200, headers, body, error)
    if not choice:
        code = _CONTENT_FILTER if _is_blocked(data) else ""
        return _invalid(headers, body, code)
    message, finish_reason = choice["message"], finish_of(choice["finish_reason"])
    if finish_reason is None:
        return _invalid(headers, body)
    content = message.get("content")
    text, thinking = (content, "") if type(content) is str else _content(content)
    reasoning = thinking or message.get("reasoning_content") or message.get("reasoning")
    return Completion(
        text=text,
        model=as_text(data.get("model")),
        finish_reason=finish_reason,
        refusal=as_text(message.get("refusal")),
        reasoning=as_text(reasoning),
        usage=usage_of(data.get("usage")),
    )


def _invalid(headers: Mapping[str, str], body: bytes, code: str = "") -> Failure:
    seen = headers.get("content-type", "no content type")
    return Failure(
        status=200,
        code=code,
        kind=FailureKind.INVALID_REPLY,
        message=f"status 200 but no chat completion: {seen}, {len(body)} bytes: {start_of(body)}",
    )


def _is_blocked(data: Mapping[str, Any]) -> bool:
    """Whether the prompt was blocked: Gemini's and Azure's fields."""
    feedback = data.get("promptFeedback") or data.get("prompt_feedback")
    return bool(feedback) or "prompt_filter_results" in data


def finish_of(reason: str) -> FinishReason | None:
    """A server's finish reason in our words, None for a reply that was broken off.

    Raises:
        AttributeError: it is no text: the reply has not finished.
    """
    if reason == "stop":
        return "stop"
    word = reason.strip().lower()
    if word in _WHOLE:
        return "stop"
    if any(part in word for part in _FILTERED):
        return "content_filter"
    return "length" if any(part in word for part in _CUT) else None


def _content(content: Any) -> tuple[str, str]:
    """Answer and thinking of a content that is no text: null, or parts as of Mistral."""
    if content is None:
        return "", ""
    if not isinstance(content, list):
        raise TypeError(content)
    answer, thinking = list[str](), list[str]()
    for part in content:
        if isinstance(part, str):
            answer.append(part)
        elif part["type"] in {"thinking", "reasoning"}:
            thinking.append(_part_text(part))
        elif part["type"] in {"text", "output_text"}:
            answer.append(part["text"])
    return "".join(answer), "".join(thinking)


def _part_text(part: Mapping[str, Any]) -> str:
    inner = part.get("thinking") or part.get("text") or part.get("summary") or ""
    return inner if isinstance(inner, str) else "".join(as_text(each.get("text")) for each in inner)


def usage_of(usage: Any) -> Usage:
    """The tokens that a reply states, `Usage()` where they are unknown.

    Some servers leave thinking out of `completion_tokens` and count it in the total only.
    """
    if not isinstance(usage, dict):
        return Usage()
    prompt, completion = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
    if not prompt or completion is None:
        return Usage()
    total, cached, cache_write, reasoning = _count(usage.get("total_tokens")) or 0, 0, 0, 0
    if isinstance(read := usage.get("prompt_tokens_details"), dict):
        cached = _count(read.get("cached_tokens")) or 0
        cache_write = _count(read.get("cache_write_tokens")) or 0
    if isinstance(written := usage.get("completion_tokens_details"), dict):
        reasoning = _count(written.get("reasoning_tokens")) or 0
    return Usage(prompt, max(completion, total - prompt), cached, cache_write, reasoning)


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value <= _MOST_TOKENS else None
