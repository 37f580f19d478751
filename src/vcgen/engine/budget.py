"""What a run may still spend: set aside before a request leaves, settled when it is back.

All that a request can use is set aside, so that nothing is overspent: no prompt has more tokens
than its JSON has bytes, and no reply more than its `max_tokens`.
"""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field, fields
from math import inf
from typing import NamedTuple, Self

from vcgen.engine.chat import Usage
from vcgen.engine.pricing import Price
from vcgen.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What one run may spend, after which it ends and can be continued; None is without end.

    Attributes:
        cost: US dollars.
        tokens: of prompts and replies, repairs and failed attempts included.
        requests: sent, whatever comes of them.
        seconds: after which nothing more is sent.
    """

    cost: float | None = None
    tokens: int | None = None
    requests: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if value is not None and not 0 < value < inf:
                raise UsageError(f"a budget of {each.name} must be above 0, not {value}")

    def part(self, parts: int) -> "Budget":
        """What each of so many processes may spend in the same time."""
        return Budget(
            cost=None if self.cost is None else self.cost / parts,
            tokens=None if self.tokens is None else self.tokens // parts,
            requests=None if self.requests is None else self.requests // parts,
            seconds=self.seconds,
        )


class Reservation(NamedTuple):
    """Something spent or to be spent."""

    requests: float
    tokens: float
    dollars: float


@dataclass(slots=True)
class _Books:
    requests: float
    tokens: float
    dollars: float
    outstanding: int = 0
    waiting: list[Callable[[], None]] = field(default_factory=list)


class BudgetLedger:
    """The books of one budget.

    Args:
        budget: what may be spent.
        price: of the model's tokens, None if it is not known or differs between endpoints.

    Raises:
        UsageError: the budget is in dollars and there is no price.
    """

    def __init__(self, budget: Budget, price: Price | None) -> None:
        if budget.cost is not None and price is None:
            raise UsageError(
                "a budget in dollars needs the model's price, the same at each endpoint: give it "
                "as --price IN,OUT (Endpoint(price=...)), in dollars a million tokens"
            )
        self._price = price
        self._left = _Books(
            requests=inf if budget.requests is None else budget.requests,
            tokens=inf if budget.tokens is None else budget.tokens,
            dollars=inf if budget.cost is None else budget.cost,
        )

    @property
    def outstanding(self) -> int:
        """Requests whose use is not known yet."""
        return self._left.outstanding

    def at(self, price: Price | None) -> Self:
        """The same books for a model of another price.

        Raises:
            UsageError: the budget is in dollars and there is no price.
        """
        if self._left.dollars < inf and price is None:
            raise UsageError(
                "a budget in dollars needs the judge's price: give it as --judge-price IN,OUT "
                "(Endpoint(price=...)), in dollars a million tokens"
            )
        other = copy(self)
        other._price = price  # noqa: SLF001 - of the same class
        return other

    def when_settled(self, told: Callable[[], None]) -> None:
        """Call this whenever there may be more left than before."""
        self._left.waiting.append(told)

    def set_aside(self, prompt_bytes: int, max_tokens: int) -> Reservation | None:
        """What a request may use, taken from what is left; None if that is not enough."""
        amount = self._amount(Usage(prompt_bytes, max_tokens))
        left = self._left
        if amount.requests > left.requests or amount.tokens > left.tokens:
            return None
        if amount.dollars > left.dollars:
            return None
        self._take(amount, 1)
        left.outstanding += 1
        return amount

    def settle(self, amount: Reservation, usage: Usage | None) -> None:
        """A request is back: what it did not use is left again; None if its use is not known."""
        if usage is not None:
            self._take(amount, -1)
            self._take(self._amount(usage), 1)
        self._one_is_back()

    def give_back(self, amount: Reservation) -> None:
        """A request was not sent after all."""
        self._take(amount, -1)
        self._one_is_back()

    def _one_is_back(self) -> None:
        self._left.outstanding -= 1
        for told in self._left.waiting:
            told()

    def _amount(self, usage: Usage) -> Reservation:
        dollars = 0.0 if self._price is None else self._price.of(usage)
        return Reservation(1, usage.prompt_tokens + usage.completion_tokens, dollars)

    def _take(self, amount: Reservation, sign: int) -> None:
        self._left.requests -= sign * amount.requests
        self._left.tokens -= sign * amount.tokens
        self._left.dollars -= sign * amount.dollars
