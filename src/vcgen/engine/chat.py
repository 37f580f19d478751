"""Requests to a chat model, its completions and its failures, whatever the wire format."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, NamedTuple, Self

from vcgen.engine.models import Effort


# Values, though not frozen: to build a frozen one takes three times as long, for every reply.
@dataclass(slots=True, unsafe_hash=True)
class Usage:
    """Tokens of one call or of several.

    Attributes:
        prompt_tokens: 0 in a completion means that its usage is unknown.
        completion_tokens: with those of thinking.
        cached_tokens, cache_write_tokens: part of the prompt's.
        reasoning_tokens: part of the completion's, as far as the endpoint states them.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0

    def __add__(self, other: Self) -> "Usage":
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
        )

    @property
    def is_known(self) -> bool:
        """Whether the endpoint stated it: no prompt has 0 tokens."""
        return self.prompt_tokens > 0


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
        max_tokens: the most the model may write as its answer; thinking has room of its own.
        temperature: None leaves it to the endpoint.
        schema: None asks for plain text.
        effort: of thinking; `least` asks for as little as a known model can, `model` leaves it.
        thinking_room: tokens for it, None goes by the effort.
        draw: number of the try, where the same prompt is asked for another reply; not sent.
    """

    messages: tuple[Message, ...]
    max_tokens: int = 1024
    temperature: float | None = None
    schema: Schema | None = None
    effort: Effort = "least"
    thinking_room: int | None = None
    draw: int = 0

    @classmethod
    def of(cls, prompt: "Prompt") -> "ChatRequest":
        """The request of a prompt."""
        if isinstance(prompt, ChatRequest):
            return prompt
        messages = (Message("user", prompt),) if isinstance(prompt, str) else tuple(prompt)
        return cls(messages=messages)


FinishReason = Literal["stop", "length", "content_filter"]
Prompt = str | Sequence[Message] | ChatRequest


@dataclass(slots=True, kw_only=True, unsafe_hash=True)  # not frozen: as `Usage`
class Completion:
    """One answer.

    Attributes:
        model: as the endpoint named it.
        finish_reason: whole, cut by its token limit, or withheld.
        refusal: the model's refusal where the endpoint marks it, empty otherwise.
        reasoning: thinking that the endpoint returns beside the text.
        attempts: requests it took, failed ones included.
    """

    text: str
    model: str
    finish_reason: FinishReason = "stop"
    refusal: str = ""
    reasoning: str = ""
    usage: Usage = Usage()
    attempts: int = 1


class FailureKind(Enum):
    """Kinds of replies, and of failures to get one."""

    ERROR_REPLY = "an error"
    INVALID_REPLY = "a reply that holds no completion"
    NO_CONNECTION = "no connection"
    BAD_CERTIFICATE = "a certificate that cannot be verified"
    LOCAL = "no connection, for want of descriptors, ports or memory here"
    CONNECTION_LOST = "a lost connection"
    STALE_CONNECTION = "a lost connection that was kept from an earlier request"
    TIMED_OUT = "nothing within the deadline"
    REPLY_TOO_LARGE = "a reply above the byte cap"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A reply without a completion, or a request without a reply (`status` 0).

    Attributes:
        code: the endpoint's own error code or type, empty without one.
        param: the field of the request that it objects to, empty without one.
        message: one line for people.
        kind: of the failure.
        retry_after_s: seconds the endpoint asks to wait, None without a hint.
        should_retry: the endpoint's `x-should-retry`, None without one.
        is_exhausted: headers announce that no requests or no tokens remain.
    """

    status: int
    code: str
    message: str
    param: str = ""
    kind: FailureKind = FailureKind.ERROR_REPLY
    retry_after_s: float | None = None
    should_retry: bool | None = None
    is_exhausted: bool = False
