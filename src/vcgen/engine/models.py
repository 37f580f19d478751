"""How models of today think, and which parameters they take; by the longest known prefix.

Nothing is assumed of a model that is not in the table: it gets what the caller asked for and no
more. A row is evidence about a family, never a reason to refuse a model.

Sources: the types and guides of the official clients `openai` 3.57, `anthropic` 2.14 and
`google-genai` 3.6, and the profiles of pydantic-ai 2.68, which its authors verify against the live
APIs (November 2026).
"""

from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple, get_args

from vcgen.errors import UsageError

Effort = Literal["least", "none", "minimal", "low", "medium", "high", "xhigh", "max", "model"]
EFFORTS: tuple[Effort, ...] = get_args(Effort)
# Room for thinking, in tokens, beside that of the answer. It is a bound, not what is used.
_ROOM = {
    "none": 0,
    "minimal": 2_048,
    "low": 2_048,
    "medium": 8_192,
    "high": 24_576,
    "xhigh": 65_536,
    "max": 65_536,
}


@dataclass(frozen=True, slots=True)
class Profile:
    """A family of models.

    Attributes:
        thinks: never, when asked to, unless asked not to, or always.
        efforts: accepted values of `reasoning_effort`, the least first.
        sampling: whether a temperature is taken: yes, with the effort `none`, or never.
    """

    thinks: Literal["never", "asked", "default", "always"]
    efforts: tuple[Effort, ...] = ()
    sampling: Literal["yes", "with none", "never"] = "yes"


_FROM_NONE: tuple[Effort, ...] = ("none", "low", "medium", "high", "xhigh", "max")
_FROM_LOW: tuple[Effort, ...] = ("low", "medium", "high", "xhigh", "max")
_PLAIN = Profile("never")
_PROFILES: dict[str, Profile] = {
    # OpenAI
    "gpt-3.5": _PLAIN,
    "gpt-4": _PLAIN,
    "gpt-4o": _PLAIN,
    "gpt-4.1": _PLAIN,
    "o1": Profile("always", ("low", "medium", "high"), "never"),
    "o3": Profile("always", ("low", "medium", "high"), "never"),
    "o4": Profile("always", ("low", "medium", "high"), "never"),
    "gpt-5": Profile("always", ("minimal", "low", "medium", "high"), "never"),
    "gpt-5-chat": _PLAIN,
    "gpt-5.1": Profile("asked", ("none", "low", "medium", "high"), "with none"),
    "gpt-5.2": Profile("asked", ("none", "low", "medium", "high", "xhigh"), "with none"),
    "gpt-5.4": Profile("asked", ("none", "low", "medium", "high", "xhigh"), "with none"),
    "gpt-5.5": Profile("default", ("none", "low", "medium", "high", "xhigh"), "with none"),
    "gpt-5.6": Profile("default", _FROM_NONE, "with none"),
    "gpt-6-luna": Profile("default", _FROM_NONE, "with none"),
    "gpt-6-sol": Profile("default", _FROM_NONE, "with none"),
    "gpt-6-astra": Profile("always", _FROM_LOW, "never"),
    "gpt-6.1-terra": Profile("default", _FROM_NONE, "with none"),
    "gpt-6.1-sol": Profile("always", _FROM_LOW, "never"),
    # Google, by its OpenAI-compatible endpoint
    "gemini-2.5-flash": Profile("default", ("none", "low", "medium", "high")),
    "gemini-2.5-pro": Profile("always", ("low", "medium", "high")),
    "gemini-3": Profile("always", ("minimal", "low", "medium", "high")),
    "gemini-3.5": Profile("always", ("minimal", "low", "medium", "high")),
    "gemini-3.6": Profile("always", ("minimal", "low", "medium", "high")),
    "gemini-3.7": Profile("always", ("low", "medium", "high")),
    "gemini-3.8": Profile("always", ("low", "medium", "high")),
    "gemini-4": Profile("always", ("low", "medium", "high")),
    # vcgen's own
    "sim:thinks": Profile("default", _FROM_NONE, "with none"),
}
_BEFORE_A_VARIANT = ("", "-", ":", "@")


class Thinking(NamedTuple):
    """What a request says about thinking.

    Attributes:
        effort: the value to send, None to send none.
        room_tokens: for the thinking, beside the answer's.
    """

    effort: str | None = None
    room_tokens: int = 0


def profile_of(model: str) -> Profile | None:
    """The profile of a model by name, `vendor/` before it ignored; None if it is not known."""
    name = model.rpartition("/")[2].lower()
    matches = [prefix for prefix in _PROFILES if _is_of(name, prefix)]
    return _PROFILES[max(matches, key=len)] if matches else None


@cache
def thinking_of(model: str, effort: Effort, room_tokens: int | None = None) -> Thinking:
    """What to send to a model for an effort, and the room that its thinking needs.

    Args:
        model: by name.
        effort: `least` asks for as little as the model can, and nothing of unknown models;
            `model` leaves it to the model.
        room_tokens: in place of the room by the table.

    Raises:
        UsageError: the model is known and has no such effort.
    """
    profile = profile_of(model)
    if effort == "model" or (effort == "least" and profile is None):
        thinks = profile is not None and profile.thinks in {"default", "always"}
        return Thinking(None, room_tokens or (_ROOM["medium"] if thinks else 0))
    if profile is not None and not profile.efforts:
        if effort not in {"least", "none"}:
            raise UsageError(f"{model} does not think: leave out --effort {effort}")
        return Thinking()
    if effort == "least":
        effort = profile.efforts[0] if profile is not None else "model"
    elif profile is not None and effort not in profile.efforts:
        raise UsageError(
            f"{model} has no effort {effort!r}: choose from least, {', '.join(profile.efforts)}"
        )
    room = _ROOM[effort] if room_tokens is None or effort == "none" else room_tokens
    return Thinking(effort, room)


def require_temperature(model: str, effort: Effort, temperature: float | None) -> None:
    """Raise UsageError if a model is known to refuse a temperature with that effort."""
    if temperature is None:
        return
    profile = profile_of(model)
    if profile is None or profile.sampling == "yes":
        return
    if profile.sampling == "with none" and thinking_of(model, effort).effort == "none":
        return
    hint = " with an effort above none" if profile.sampling == "with none" else ""
    raise UsageError(f"{model} takes no temperature{hint}: leave it out")


def _is_of(name: str, prefix: str) -> bool:
    """Whether a name is of a family: `gpt-5-mini` is of `gpt-5`, `gpt-5.1` is not."""
    return name.startswith(prefix) and name[len(prefix) : len(prefix) + 1] in _BEFORE_A_VARIANT
