"""Dollars from tokens; an unknown price is none."""

import pytest

from vcgen.engine.chat import Usage
from vcgen.engine.config import OPENAI_URL
from vcgen.engine.pricing import FREE, Price, find_price


def test_cached_tokens_are_part_of_the_prompts() -> None:
    price = Price(prompt=3.0, cached=1.0, completion=5.0)
    assert price.of(Usage(10, 2, 4)) == 6 * 3 + 4 * 1 + 2 * 5
    assert price.of(Usage()) == 0


def test_a_listed_model_has_its_price() -> None:
    price = find_price("gpt-4o-mini", OPENAI_URL)
    assert price is not None
    assert price.prompt == pytest.approx(0.15e-6)
    assert price.cached == pytest.approx(0.075e-6)
    assert price.completion == pytest.approx(0.60e-6)


@pytest.mark.parametrize(
    ("model", "base_url"),
    [
        ("no-such-model-of-anybody", OPENAI_URL),
        ("", OPENAI_URL),
        ("gpt-4o-mini", "http://127.0.0.1:8000/v1"),
        ("org/own-model", "http://host.example/v1"),
    ],
)
def test_an_unknown_price_is_none_and_never_zero(model: str, base_url: str) -> None:
    assert find_price(model, base_url) is None


def test_the_simulator_is_free() -> None:
    assert FREE.of(Usage(1000, 1000, 1000)) == 0
