"""The chat-completions wire format: a request to bytes, bytes to a completion or a failure.

Pure. The vocabulary is that of https://platform.openai.com/docs/api-reference/chat, which every
compatible server speaks. A reply is a success only if it is whole and has a finish reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple, Self

import orjson

from vcgen.engine.config import Capabilities, Structured
from vcgen.engine.rate_headers import nothing_remains, retry_after

# Finish reasons of answers that the server broke off.
_UNFINISHED = frozenset({"error", "abort", "insufficient_system_resource"})
# Finish reasons that mean `length`.
_CUT = frozenset({"model_length", "max_tokens", "MAX_TOKENS"})
# A larger count is garbage: it would pause a run for hours and overflow its sums.
_MOST_TOKENS = 1 << 24


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call or of several; the cached ones are part of the prompt's."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0

    def __add__(self, other: Self) -> "Usage":
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens,
        )


class Message(NamedTuple):
    """One message of a conversation with the model."""

    role: str
    content: str


@dataclass(frozen=True, slots=True, eq=False)
class Schema:
    """A JSON schema the reply must follow, with the name endpoints want for it."""

    name: str
    definition: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """One call.

    Attributes:
        max_tokens: the most the model may write.
        temperature: None leaves it to the endpoint.
        schema: None asks for plain text.
    """

    messages: tuple[Message, ...]
    max_tokens: int = 1024
    temperature: float | None = None
    schema: Schema | None = None

    @classmethod
    def of(cls, prompt: "Prompt") -> "ChatRequest":
        """The request of a prompt."""
        if isinstance(prompt, ChatRequest):
            return prompt
        messages = (Message("user", prompt),) if isinstance(prompt, str) else tuple(prompt)
        return cls(messages=messages)


Prompt = str | Sequence[Message] | ChatRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One answer.

    Attributes:
        model: as the endpoint named it.
        finish_reason: `stop`, `length`, `content_filter`, or the endpoint's own word.
        refusal: the model's refusal where the endpoint marks it, empty otherwise.
        attempts: requests it took, failed ones included.
    """

    text: str
    model: str
    finish_reason: str = "stop"
    refusal: str = ""
    usage: Usage = Usage()
    attempts: int = 1


class FailureKind(Enum):
    """Kinds of replies, and of failures to get one."""

    ERROR_REPLY = "an error"
    INVALID_REPLY = "a reply that holds no completion"
    NO_CONNECTION = "no connection"
    CONNECTION_LOST = "a lost connection"
    TIMED_OUT = "nothing within the deadline"
    REPLY_TOO_LARGE = "a reply above the byte cap"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A reply without a completion, or a request without a reply (`status` 0).

    Attributes:
        code: the endpoint's own error code or type, empty without one.
        message: one line for people.
        kind: of the failure.
        retry_after_s: seconds the endpoint asks to wait, None without a hint.
        should_retry: the endpoint's `x-should-retry`, None without one.
        is_exhausted: headers announce that no requests or no tokens remain.
    """

    status: int
    code: str
    message: str
    kind: FailureKind = FailureKind.ERROR_REPLY
    retry_after_s: float | None = None
    should_retry: bool | None = None
    is_exhausted: bool = False


def encode(request: ChatRequest, model: str, dialect: Capabilities) -> bytes:
    """The request's body."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": role, "content": content} for role, content in request.messages],
        dialect.token_limit: request.max_tokens,
    }
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.schema is not None and dialect.structured is not Structured.PROMPT:
        body["response_format"] = _response_format(request.schema, dialect.structured)
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
    if status == 200:
        return _decode_success(headers, body)
    return _decode_error(status, headers, body)


def _decode_success(headers: Mapping[str, str], body: bytes) -> Completion | Failure:
    try:
        data = orjson.loads(body)
        if error := data.get("error"):
            return _failure(200, headers, body, error)
        choice = data["choices"][0]
        message = choice["message"]
        text, finish_reason = message["content"], choice["finish_reason"]
        whole = isinstance(finish_reason, str) and finish_reason not in _UNFINISHED
        if whole and (text is None or isinstance(text, str)):
            return Completion(
                text=text or "",
                model=_text(data.get("model")),
                finish_reason="length" if finish_reason in _CUT else finish_reason,
                refusal=_text(message.get("refusal")),
                usage=_usage(data.get("usage")),
            )
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        pass
    seen = headers.get("content-type", "no content type")
    return Failure(
        status=200,
        code="",
        kind=FailureKind.INVALID_REPLY,
        message=f"status 200 but no chat completion: {seen}, {len(body)} bytes: {_start(body)}",
    )


def _usage(usage: Any) -> Usage:
    if not isinstance(usage, dict):
        return Usage()
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    return Usage(
        _count(usage.get("prompt_tokens")),
        _count(usage.get("completion_tokens")),
        _count(cached),
    )


def _count(value: Any) -> int:
    return value if type(value) is int and 0 < value <= _MOST_TOKENS else 0


def _decode_error(status: int, headers: Mapping[str, str], body: bytes) -> Failure:
    try:
        data = orjson.loads(body)
    except ValueError:
        data = None
    if 300 <= status < 400 and (target := headers.get("location")):
        # Without its query, which may hold a secret.
        shown = target.partition("?")[0].partition("#")[0]
        return _failure(status, headers, body, f"it sends us on to {shown!r}")
    # Some servers do not wrap the error: {"message": ..., "type": ..., "code": 404}.
    error = data.get("error", data) if isinstance(data, dict) else None
    return _failure(status, headers, body, error)


def _failure(status: int, headers: Mapping[str, str], body: bytes, error: Any) -> Failure:
    fields = error if isinstance(error, dict) else {"message": error}
    code = _text(fields.get("code")) or _text(fields.get("type"))
    message = _text(fields.get("message")) or code or _start(body)
    should_retry = headers.get("x-should-retry", "").strip().lower()
    return Failure(
        status=status,
        code=code,
        message=" ".join(message.split())[:500],
        retry_after_s=retry_after(headers),
        should_retry={"true": True, "false": False}.get(should_retry),
        is_exhausted=nothing_remains(headers),
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _start(body: bytes) -> str:
    return repr(body[:200].decode("utf-8", "replace")) if body else "empty"
