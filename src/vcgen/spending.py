"""What a run may still spend: set aside before a request leaves, settled when it is back.

All that a request can use is set aside, so that nothing is overspent: no prompt has more tokens
than its JSON has bytes, and no reply more than its `max_tokens`.
"""

from math import inf
from typing import NamedTuple

from vcgen.config import Budget
from vcgen.errors import UsageError
from vcgen.pricing import Price
from vcgen.records import Usage


class Amount(NamedTuple):
    """Something spent or to be spent."""

    requests: float
    tokens: float
    dollars: float


class Spending:
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
        self.outstanding = 0  # requests whose use is not known yet
        self._price = price
        self._requests = inf if budget.requests is None else budget.requests
        self._tokens = inf if budget.tokens is None else budget.tokens
        self._dollars = inf if budget.cost is None else budget.cost

    def set_aside(self, prompt_bytes: int, max_tokens: int) -> Amount | None:
        """What a request may use, taken from what is left; None if that is not enough."""
        amount = self._amount(Usage(prompt_bytes, max_tokens))
        if amount.requests > self._requests or amount.tokens > self._tokens:
            return None
        if amount.dollars > self._dollars:
            return None
        self._take(amount, 1)
        self.outstanding += 1
        return amount

    def settle(self, amount: Amount, usage: Usage | None) -> None:
        """A request is back: what it did not use is left again; None if its use is not known."""
        self.outstanding -= 1
        if usage is not None:
            self._take(amount, -1)
            self._take(self._amount(usage), 1)

    def give_back(self, amount: Amount) -> None:
        """A request was not sent after all."""
        self.outstanding -= 1
        self._take(amount, -1)

    def _amount(self, usage: Usage) -> Amount:
        dollars = 0.0 if self._price is None else self._price.of(usage)
        return Amount(1, usage.prompt_tokens + usage.completion_tokens, dollars)

    def _take(self, amount: Amount, sign: int) -> None:
        self._requests -= sign * amount.requests
        self._tokens -= sign * amount.tokens
        self._dollars -= sign * amount.dollars
