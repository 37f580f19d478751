"""A plan: what a run would take, close to what it does take, and nothing sent."""

import orjson
import pytest
from conftest import CLIPS, Command, Watched, generate, make_clip, run

from vcgen.api import Options
from vcgen.clips import Clip, Segment
from vcgen.config import Limits, Recipe
from vcgen.errors import UsageError
from vcgen.intake import intake
from vcgen.plan import Plan, draw, duration, estimate
from vcgen.pricing import per_million
from vcgen.sim import Simulator

TASKS = ["description", "conversation"]
SETTINGS = Options(tasks=TASKS, recipe=Recipe(), limits=Limits())


def uneven(count: int) -> list[Clip]:
    """Clips of one to thirty segments."""
    return [
        make_clip(
            f"clip-{n}",
            duration=None,
            segments=[
                Segment(start=at, end=at + 1, text=f"the crew of boat {n} pulls rope {at}")
                for at in range(1 + n * 7 % 30)
            ],
        )
        for n in range(count)
    ]


def planned(clips: list[Clip], limits: Limits) -> Plan:
    plans: list[Plan] = []

    async def main() -> None:
        options = Options(tasks=TASKS, recipe=Recipe(), limits=limits)
        plans.append(await estimate(intake(clips), per_million(1.0, 2.0), options))

    run(main)
    return plans[0]


def test_a_plan_is_close_to_what_the_run_takes() -> None:
    clips, limits = uneven(900), Limits(rpm=600, tpm=900_000, concurrency=64)
    plan = planned(clips, limits)
    simulator = Simulator(rpm=600, tpm=900_000, latency_s=1.0)
    result = generate(clips, transport=Watched(simulator), limits=limits, tasks=TASKS)
    used = result.usage
    assert plan.sampled < plan.clips == 900
    assert plan.samples == result.summary["samples"]
    assert plan.prompt_tokens == pytest.approx(used.prompt_tokens, rel=0.05)
    assert plan.completion_tokens == pytest.approx(used.completion_tokens, rel=0.05)
    assert plan.seconds == pytest.approx(result.seconds, rel=0.15)
    assert plan.cost == per_million(1.0, 2.0).of(
        type(used)(plan.prompt_tokens, plan.completion_tokens)
    )


@pytest.mark.parametrize(
    ("rpm", "tpm", "expected"),
    [
        (60, None, (100.0, "rpm")),
        (None, 6000, (600.0, "tpm")),
        (60, 6000, (600.0, "tpm")),
        (None, None, (None, "")),
    ],
)
def test_the_limit_that_binds_is_named(
    rpm: int | None, tpm: int | None, expected: tuple[float | None, str]
) -> None:
    assert duration(100, 60_000, Limits(rpm=rpm, tpm=tpm)) == expected


def test_a_sample_is_spread_over_the_input_in_its_order() -> None:
    async def main() -> None:
        count, rows = await draw(intake({"id": f"{n}"} for n in range(10_000)), 100, seed=0)
        numbers = [int(row["id"]) for _, row in rows]
        assert (count, len(numbers)) == (10_000, 100)
        assert numbers == sorted(set(numbers))
        assert 4000 < sum(numbers) / 100 < 6000

    run(main)


def test_an_empty_input_is_wrong_use() -> None:
    async def main() -> None:
        with pytest.raises(UsageError, match="no clips"):
            await estimate(intake([]), None, SETTINGS)

    run(main)


def test_the_command_prints_a_plan_without_a_key(command: Command) -> None:
    arguments = ("plan", CLIPS, "--model", "gpt-4o-mini", "--rpm", 600)
    shown = command(*arguments)
    assert shown.code == 0
    assert "for rpm" in shown.out
    assert "$" in shown.out
    told = orjson.loads(command(*arguments, "--json").out)
    assert told["clips"] == told["sampled"] == 6
    assert told["samples"] == 12
    assert told["cost"] > 0
    assert "unknown" in command("plan", CLIPS, "--model", "no-such").out


def test_a_plan_prices_the_endpoint_the_environment_names(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    assert "unknown" in command("plan", CLIPS, "--model", "my-own").out
    monkeypatch.setenv("OPENAI_BASE_URL", "no address")
    assert command("plan", CLIPS, "--model", "my-own").code == 2
    assert command("plan", CLIPS, "--model", "sim").code == 0
