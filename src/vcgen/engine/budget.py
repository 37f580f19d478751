"""A budget: the most a request can use is reserved before it is sent, and settled afterwards.

Nothing is overspent: a prompt has at most as many tokens as its JSON has bytes, a reply at most its
`max_tokens`.
"""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field, fields
from math import inf
from typing import NamedTuple, Self

from vcgen.engine.chat import Usage
from vcgen.engine.limits.permit import RequestSize
from vcgen.engine.pricing import Price
from vcgen.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The most to spend; None is unlimited.

    Attributes:
        cost: US dollars.
        tokens: of prompts and replies, repairs and failed attempts included.
        requests: sent, failed ones included.
        seconds: after which nothing more is sent.

    Raises:
        UsageError: a value is not above 0.
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
        """An equal part of all but the time."""
        return Budget(
            cost=None if self.cost is None else self.cost / parts,
            tokens=None if self.tokens is None else self.tokens // parts,
            requests=None if self.requests is None else self.requests // parts,
            seconds=self.seconds,
        )


class Reservation(NamedTuple):
    """Spent, or reserved to be."""

    requests: float
    tokens: float
    dollars: float


@dataclass(slots=True)
class _Balance:
    requests: float
    tokens: float
    dollars: float
    outstanding: int = 0
    listeners: list[Callable[[], None]] = field(default_factory=list)


class BudgetLedger:
    """The balance of a budget.

    Args:
        budget: the most to spend.
        price: of the model's tokens, None if unknown or different between endpoints.

    Raises:
        UsageError: the budget is in dollars and no price is known.
    """

    def __init__(self, budget: Budget, price: Price | None) -> None:
        if budget.cost is not None and price is None:
            raise UsageError(
                "a budget in dollars needs the model's price, the same at each endpoint: give it "
                "as --price IN,OUT (Endpoint(price=...)), in dollars a million tokens"
            )
        self._price = price
        self._left = _Balance(
            requests=inf if budget.requests is None else budget.requests,
            tokens=inf if budget.tokens is None else budget.tokens,
            dollars=inf if budget.cost is None else budget.cost,
        )

    @property
    def outstanding(self) -> int:
        """Reservations that are not settled."""
        return self._left.outstanding

    def at(self, price: Price | None) -> Self:
        """The same balance for a model of another price.

        Raises:
            UsageError: the budget is in dollars and no price is known.
        """
        if self._left.dollars < inf and price is None:
            raise UsageError(
                "a budget in dollars needs the judge's price: give it as --judge-price IN,OUT "
                "(Endpoint(price=...)), in dollars a million tokens"
            )
        other = copy(self)
        other._price = price  # noqa: SLF001 - of the same class
        return other

    def on_release(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever more may be left than before."""
        self._left.listeners.append(listener)

    def reserve(self, size: RequestSize) -> Reservation | None:
        """Reserve the most that a request can use; None if too little is left."""
        wanted = self._reservation(Usage(size.prompt_bytes, size.max_tokens))
        left = self._left
        if (
            wanted.requests > left.requests
            or wanted.tokens > left.tokens
            or wanted.dollars > left.dollars
        ):
            return None
        self._take(wanted, 1)
        left.outstanding += 1
        return wanted

    def settle(self, reservation: Reservation, usage: Usage | None) -> None:
        """Return the unused part of a reservation; all of it is spent if the usage is None."""
        if usage is not None:
            self._take(reservation, -1)
            self._take(self._reservation(usage), 1)
        self._release()

    def cancel(self, reservation: Reservation) -> None:
        """Return the reservation of a request that was not sent."""
        self._take(reservation, -1)
        self._release()

    def _release(self) -> None:
        self._left.outstanding -= 1
        for listener in self._left.listeners:
            listener()

    def _reservation(self, usage: Usage) -> Reservation:
        dollars = 0.0 if self._price is None else self._price.of(usage)
        return Reservation(1, usage.prompt_tokens + usage.completion_tokens, dollars)

    def _take(self, reservation: Reservation, sign: int) -> None:
        self._left.requests -= sign * reservation.requests
        self._left.tokens -= sign * reservation.tokens
        self._left.dollars -= sign * reservation.dollars
