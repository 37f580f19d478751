"""Prices of tokens in US dollars, by genai-prices. An unknown price is None, never zero."""

from collections.abc import Sequence
from dataclasses import dataclass

from vcgen.engine.chat import Usage
from vcgen.engine.config import Endpoint

_MANY = 1_000
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars a token."""

    prompt: float
    cached: float
    completion: float
    cache_write: float | None = None  # None costs as any other token of a prompt

    def of(self, usage: Usage) -> float:
        """US dollars for a usage."""
        written = 0 if self.cache_write is None else usage.cache_write_tokens
        fresh = usage.prompt_tokens - usage.cached_tokens - written
        return (
            fresh * self.prompt
            + usage.cached_tokens * self.cached
            + written * (self.cache_write or 0.0)
            + usage.completion_tokens * self.completion
        )


FREE = Price(0.0, 0.0, 0.0)


def per_million(prompt: float, completion: float) -> Price:
    """A price given in US dollars a million tokens; cached tokens count as others do."""
    return Price(prompt / _MILLION, prompt / _MILLION, completion / _MILLION)


def find_price(model: str, base_url: str) -> Price | None:
    """The price of a model at an endpoint, None if it is not listed."""
    # Loads 0.4 s of tables, which a simulated run does not need.
    from genai_prices import Usage as Tokens, calc_price  # noqa: PLC0415 - as above

    def dollars(**tokens: int) -> float:
        priced = calc_price(Tokens(**tokens), model_ref=model, provider_api_url=base_url)
        return float(priced.total_price) / _MANY

    try:
        return Price(
            prompt=dollars(input_tokens=_MANY),
            cached=dollars(input_tokens=_MANY, cache_read_tokens=_MANY),
            completion=dollars(output_tokens=_MANY),
            cache_write=dollars(input_tokens=_MANY, cache_write_tokens=_MANY),
        )
    except LookupError:
        return None


def price_of(endpoints: Sequence[Endpoint]) -> Price | None:
    """The price of a model's tokens, None if it is unknown or differs between endpoints."""
    prices = {
        per_million(*endpoint.price)
        if endpoint.price is not None
        else find_price(endpoint.model, endpoint.base_url)
        for endpoint in endpoints
    }
    return prices.pop() if len(prices) == 1 else None
