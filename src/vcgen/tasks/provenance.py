"""Provenance: the model, the templates and the requests that a sample was made with."""

from dataclasses import dataclass, field
from typing import Any

from vcgen.engine.chat import Completion, Usage
from vcgen.engine.pricing import Price


@dataclass(slots=True)
class Provenance:
    """Where a sample comes from, and what it has cost so far.

    Attributes:
        templates: the hash of every template used, by name.
        instructions: the system prompt of every template used, by name.
    """

    model: str = ""  # as the endpoint named it last
    usage: Usage = Usage()  # tokens of the requests that this sample accounts for
    attempts: int = 0  # those requests, failed ones included
    repairs: int = 0  # replies that were sent back with a list of problems
    reasoning: list[str] = field(default_factory=list)  # of the replies, where it is kept
    is_metered: bool = True  # whether the endpoint has stated the usage of all completions
    templates: dict[str, str] = field(default_factory=dict)
    instructions: dict[str, str] = field(default_factory=dict)

    def add(self, completion: Completion, *, is_repair: bool) -> None:
        self.usage += completion.usage
        self.is_metered &= completion.usage.is_known
        self.attempts += completion.attempts
        self.repairs += is_repair

    def keep_reasoning(self, reasoning: str) -> None:
        """Keep the thinking of a reply."""
        if reasoning:
            self.reasoning.append(reasoning)

    def as_meta(self, price: Price | None) -> dict[str, Any]:
        """Return it as `meta` of a record has it, with the cost at this price."""
        usage = self.usage if self.is_metered else None
        return {
            "model": self.model,
            "templates": dict(self.templates),
            "usage": None if usage is None else _as_json(usage),
            "cost": None if price is None or usage is None else price.of(usage),
            "attempts": self.attempts,
            "repairs": self.repairs,
            **({"reasoning": self.reasoning} if self.reasoning else {}),
        }


def _as_json(usage: Usage) -> dict[str, int]:
    stated = {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "cached_tokens": usage.cached_tokens,
    }
    if usage.cache_write_tokens:
        stated["cache_write_tokens"] = usage.cache_write_tokens
    if usage.reasoning_tokens:
        stated["reasoning_tokens"] = usage.reasoning_tokens
    return stated
