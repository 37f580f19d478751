"""Shared options: what their values mean, and how wrong or renamed ones are refused."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.canary import KEY
from tests.support.common import CLIPS, Command
from vcgen.cli.options import (
    AdvancedOptions,
    BudgetOptions,
    EndpointOptions,
    JudgeOptions,
    WhatToMake,
    split_names,
)
from vcgen.engine.budget import Budget
from vcgen.engine.config import DEFAULT_TIMEOUT_S, Limits
from vcgen.errors import UsageError
from vcgen.tasks.recipe_files import read_recipe


def test_options_override_the_recipe_and_the_rest_stays() -> None:
    recipe = WhatToMake(
        recipe="videochat", turns="2-4", kinds="temporal, causal", language="German", seed=7
    ).chosen()
    plain = read_recipe("videochat")
    assert (recipe.turns, recipe.kinds) == ((2, 4), ("temporal", "causal"))
    assert (recipe.language, recipe.seed) == ("German", 7)
    assert (recipe.tasks, recipe.weights) == (plain.tasks, plain.weights)
    assert WhatToMake(recipe="videochat").chosen() == plain


def test_named_tasks_replace_those_of_the_recipe_and_their_weights() -> None:
    recipe = WhatToMake(recipe="videochat", tasks="description").chosen()
    assert (recipe.tasks, recipe.weights) == (("description",), None)


def test_one_number_of_turns_is_a_range() -> None:
    assert WhatToMake(turns="3").chosen().turns == (3, 3)


def test_names_are_split_at_commas() -> None:
    assert split_names(" a, b,,c ") == ("a", "b", "c")


def test_a_single_endpoint_comes_from_options_and_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "https://a.example/v1")
    monkeypatch.setenv("OTHER", KEY)
    options = EndpointOptions(model="m", key_env="OTHER", rpm=60, price="1,2", json_mode="prompt")
    (spec,) = options.specs()
    assert (spec.endpoint.base_url, spec.endpoint.key) == ("https://a.example/v1", None)
    assert (spec.key_variable, spec.limits) == ("OTHER", Limits(rpm=60))
    assert (spec.endpoint.price, spec.endpoint.json_mode) == ((1.0, 2.0), "prompt")


@pytest.mark.parametrize(
    "options",
    [
        {"judge_rpm": 5},
        {"judge_tpm": 5},
        {"judge_concurrency": 5},
        {"judge_base_url": "https://a.example/v1"},
        {"judge_key_env": "OTHER"},
        {"judge_price": "1,2"},
    ],
)
def test_options_of_a_judge_need_a_judge(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="add --judge MODEL"):
        JudgeOptions(**options).spec(use_env_proxy=False)
    spec = JudgeOptions(judge="m", **options).spec(use_env_proxy=True)
    assert spec is not None
    assert spec.endpoint.use_env_proxy
    assert JudgeOptions().spec(use_env_proxy=False) is None


def test_a_budget_is_what_the_options_give() -> None:
    options = BudgetOptions(max_cost=5.0, max_requests=6, token_budget=7, time_limit="1h30m")
    assert options.budget() == Budget(cost=5.0, requests=6, tokens=7, seconds=5400.0)
    assert BudgetOptions().budget() == Budget()


def test_the_timeout_of_the_command_is_that_of_the_engine() -> None:
    assert AdvancedOptions().timeout == DEFAULT_TIMEOUT_S


GENERATE = ("generate", CLIPS, "--model", "sim", "-o", "{tmp}/run")


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        ((*GENERATE, "--format"), "--input-format"),
        ((*GENERATE, "--max-tokens"), "--max-reply-tokens"),
        ((*GENERATE, "--max-total-tokens"), None),
        ((*GENERATE, "--samples"), None),
        ((*GENERATE, "--fresh"), None),
        ((*GENERATE, "--strict"), None),
        ((*GENERATE, "--deadline"), None),
        ((*GENERATE, "--repairs"), "--max-repairs"),
        ((*GENERATE, "--speech"), None),
        ((*GENERATE, "--trust-env"), "--use-env-proxy"),
        ((*GENERATE, "--structured"), None),
        ((*GENERATE, "--endpoint"), "--endpoints"),
        ((*GENERATE, "--api-key-env"), "--key-env"),
        ((*GENERATE, "--judge-api-key-env"), "--judge-key-env"),
        (("export", "{tmp}", "--format", "llava", "-o", "x", "--max-tokens"), "--max-record-tok"),
        (("check", "{tmp}", "--format"), None),
        (("show", "{tmp}", "--limit"), None),
        (("report", "{tmp}", "-o", "x", "--limit"), None),
    ],
    ids=lambda value: str(value[-1]) if isinstance(value, tuple) else "",
)
def test_a_renamed_option_is_wrong_use_that_names_a_near_one(
    command: Command, tmp_path: Path, arguments: tuple[object, ...], near: str | None
) -> None:
    finished = command(*(str(part).format(tmp=tmp_path) for part in arguments), "1")
    assert (finished.code, finished.out, finished.err.count("\n")) == (2, "", 1)
    assert f"No such option: {arguments[-1]}" in finished.err
    assert near is None or near in finished.err
    assert f"see vcgen {arguments[0]} --help" in finished.err
    assert not (tmp_path / "run").exists()
