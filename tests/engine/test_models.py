"""Profiles of models: what is sent for an effort, and what is refused before anything is sent."""

import pytest

from vcgen.engine.models import Effort, profile_of, require_temperature, thinking_of
from vcgen.errors import UsageError


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("gpt-5-mini", "gpt-5"),
        ("gpt-5.6-terra", "gpt-5.6"),
        ("openai/gpt-6-luna", "gpt-6-luna"),
        ("gpt-6-luna@2026-09-01", "gpt-6-luna"),
        ("GPT-4o-mini", "gpt-4o"),
        ("gemini-3.5-flash-lite", "gemini-3.5"),
    ],
)
def test_a_model_is_of_its_longest_family(model: str, family: str) -> None:
    assert profile_of(model) == profile_of(family) != None  # noqa: E711 - of both


@pytest.mark.parametrize("model", ["gpt-5.3", "gpt-60", "llama-3", "sim", "simplescaling/s1", ""])
def test_nothing_is_assumed_of_an_unknown_model(model: str) -> None:
    assert profile_of(model) is None
    assert thinking_of(model, "least") == (None, 0)
    assert thinking_of(model, "high").effort == "high"
    require_temperature(model, "least", 0.8)


@pytest.mark.parametrize(
    ("model", "effort", "sent", "room"),
    [
        ("gpt-4o", "least", None, False),
        ("gpt-6-luna", "least", "none", False),
        ("gpt-6-luna", "high", "high", True),
        ("gpt-6-luna", "model", None, True),
        ("gpt-6-astra", "least", "low", True),
        ("gpt-5-mini", "least", "minimal", True),
        ("gpt-5.4", "model", None, False),
        ("gemini-3.8-flash", "least", "low", True),
    ],
)
def test_an_effort_is_sent_with_room_for_it(
    model: str, effort: Effort, sent: str | None, *, room: bool
) -> None:
    thinking = thinking_of(model, effort)
    assert thinking.effort == sent
    assert (thinking.room_tokens > 0) == room
    if room:
        assert thinking_of(model, effort, 77).room_tokens == 77


def test_an_effort_that_a_model_lacks_is_wrong_use() -> None:
    with pytest.raises(UsageError, match=r"no effort 'minimal': choose from least, none, low"):
        thinking_of("gpt-6-luna", "minimal")
    with pytest.raises(UsageError, match="gpt-4o does not think"):
        thinking_of("gpt-4o", "high")


@pytest.mark.parametrize(
    ("model", "effort"), [("gpt-6-luna", "low"), ("gpt-6-luna", "model"), ("o3", "least")]
)
def test_a_temperature_that_a_model_refuses_is_wrong_use(model: str, effort: Effort) -> None:
    with pytest.raises(UsageError, match=f"{model} takes no temperature"):
        require_temperature(model, effort, 0.8)
    require_temperature(model, effort, None)


def test_a_temperature_is_taken_without_thinking() -> None:
    require_temperature("gpt-6-luna", "least", 0.8)
    require_temperature("gemini-3.8-flash", "least", 0.8)
