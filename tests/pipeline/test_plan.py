"""A plan: what a run would take, close to what it does take, and nothing sent."""

import orjson
import pytest

from tests.support.common import CLIPS, Command, Watched, generate, make_clip, run
from vcgen.data.clips import Clip, Segment
from vcgen.data.readers.inputs import open_input
from vcgen.engine.chat import Usage
from vcgen.engine.config import Endpoint, Limits
from vcgen.engine.pricing import per_million
from vcgen.errors import UsageError
from vcgen.pipeline.plan import Plan, draw, duration, estimate
from vcgen.pipeline.session import Options
from vcgen.sim import Simulator
from vcgen.tasks.recipe import Recipe

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


def planned(
    clips: list[Clip], limits: Limits, latency_s: float = 0.0, judge: Endpoint | None = None
) -> Plan:
    plans: list[Plan] = []

    async def main() -> None:
        options = Options(tasks=TASKS, recipe=Recipe(), limits=limits)
        plans.append(
            await estimate(open_input(clips), per_million(1.0, 2.0), options, latency_s, judge)
        )

    run(main)
    return plans[0]


@pytest.mark.parametrize(
    ("limits", "limited_by"),
    [
        (Limits(rpm=600, tpm=900_000), "rpm"),
        (Limits(rpm=6000, tpm=300_000), "tpm"),
        (Limits(rpm=6000, concurrency=10), "concurrency"),
    ],
)
def test_a_plan_is_close_to_what_the_run_takes(limits: Limits, limited_by: str) -> None:
    clips, latency_s = uneven(450), 1.0
    plan = planned(clips, limits, latency_s)
    simulator = Simulator(rpm=limits.rpm, tpm=limits.tpm, latency_s=latency_s)
    result = generate(clips, transport=Watched(simulator), limits=limits, tasks=TASKS)
    used, summary = result.usage, result.summary
    assert plan.sampled < plan.clips == 450
    assert (plan.samples, plan.requests) == (summary.samples, summary.requests)
    assert plan.prompt_tokens == pytest.approx(used.prompt_tokens, rel=0.05)
    # The recipe asks for more words than the simulated model finds in so little evidence.
    assert used.completion_tokens < plan.completion_tokens < 1.35 * used.completion_tokens
    assert plan.seconds == pytest.approx(result.seconds, rel=0.15)
    assert plan.limited_by == limited_by == next(iter(summary.limited_by))
    assert plan.cost == per_million(1.0, 2.0).of(
        Usage(plan.prompt_tokens, plan.completion_tokens),
    )


@pytest.mark.parametrize(
    ("judges", "limited_by"),
    [
        (Limits(rpm=300, concurrency=30), "judge rpm"),
        (Limits(tpm=200_000, concurrency=30), "judge tpm"),
        (Limits(concurrency=4), "judge concurrency"),
        (Limits(concurrency=100), "rpm"),
    ],
)
def test_a_judge_is_counted_apart_and_may_be_what_limits(judges: Limits, limited_by: str) -> None:
    clips, latency_s, limits = uneven(400), 1.0, Limits(rpm=600, concurrency=20)
    judge = Endpoint(model="sim", limits=judges, price=(3.0, 4.0))
    plan = planned(clips, limits, latency_s, judge)
    simulator = Simulator(latency_s=latency_s)
    result = generate(clips, transport=Watched(simulator), limits=limits, tasks=TASKS, judge=judge)
    used = result.summary.judge
    assert plan.judge is not None
    assert used is not None
    assert plan.requests == result.summary.requests
    assert plan.judge.requests == pytest.approx(used.requests, rel=0.02)
    assert plan.judge.prompt_tokens == pytest.approx(used.usage.prompt_tokens, rel=0.05)
    assert plan.judge.cost == pytest.approx(used.cost, rel=0.1)
    assert plan.limited_by == limited_by
    assert plan.seconds == pytest.approx(result.seconds, rel=0.15)


def test_replies_are_as_long_as_the_recipe_asks() -> None:
    async def tokens(recipe: Recipe) -> int:
        options = Options(tasks=TASKS, recipe=recipe, limits=Limits())
        plan = await estimate(open_input(uneven(4)), None, options)
        assert plan.requests == 12
        return plan.completion_tokens

    async def main() -> None:
        usual = await tokens(Recipe())
        longer = await tokens(Recipe(description_words=(180, 260)))
        fewer = await tokens(Recipe(turns=(1, 1)))
        # 100 words are 133 tokens, twice a clip: in the draft and in its refinement.
        assert longer - usual == pytest.approx(4 * 2 * 133, rel=0.01)
        assert fewer < usual

    run(main)


def test_a_clip_waits_for_its_judge_too() -> None:
    judge = Endpoint(model="sim", limits=Limits(concurrency=64))
    plan = planned(uneven(7), Limits(concurrency=64), 20.0, judge)
    assert (plan.seconds, plan.limited_by) == (100.0, "concurrency")


def test_few_clips_take_as_long_as_one_of_them() -> None:
    plan = planned(uneven(7), Limits(concurrency=64), 20.0)
    assert (plan.seconds, plan.limited_by) == (60.0, "concurrency")


@pytest.mark.parametrize(
    ("limits", "waiting_s", "expected"),
    [
        (Limits(rpm=60), 0.0, (100.0, "rpm")),
        (Limits(tpm=6000), 0.0, (600.0, "tpm")),
        (Limits(rpm=60, tpm=6000), 599.0, (600.0, "tpm")),
        (Limits(rpm=60, tpm=6000), 601.0, (601.0, "concurrency")),
        (Limits(tpm=60_000, input_tpm=30_000), 0.0, (80.0, "tpm")),
        (Limits(tpm=60_000, output_tpm=1000), 0.0, (1200.0, "tpm")),
        (Limits(), 2.0, (2.0, "concurrency")),
        (Limits(), 0.0, (None, "")),
    ],
)
def test_the_limit_that_binds_is_named(
    limits: Limits, waiting_s: float, expected: tuple[float | None, str]
) -> None:
    assert duration(100, Usage(40_000, 20_000), waiting_s, limits) == expected


def test_a_sample_is_spread_over_the_input_in_its_order() -> None:
    async def main() -> None:
        count, rows = await draw(open_input({"id": f"{n}"} for n in range(10_000)), 100, seed=0)
        numbers = [int(row["id"]) for _, row in rows]
        assert (count, len(numbers)) == (10_000, 100)
        assert numbers == sorted(set(numbers))
        assert 4000 < sum(numbers) / 100 < 6000

    run(main)


def test_an_empty_input_is_wrong_use() -> None:
    async def main() -> None:
        with pytest.raises(UsageError, match="no clips"):
            await estimate(open_input([]), None, SETTINGS)

    run(main)


def test_the_command_prints_a_plan_without_a_key(command: Command) -> None:
    arguments = ("plan", CLIPS, "--model", "gpt-4o-mini", "--rpm", 600)
    shown = command(*arguments)
    assert shown.code == 0
    assert "limited by rpm" in shown.out
    assert "$" in shown.out
    told = orjson.loads(command(*arguments, "--json").out)
    assert told["clips"] == told["sampled"] == 6
    assert told["samples"] == 12
    assert told["cost"] > 0
    assert "unknown" in command("plan", CLIPS, "--model", "no-such").out
    judged = command(*arguments, "--judge", "gpt-4o", "--judge-rpm", 60)
    assert "limited by judge rpm" in judged.out
    assert "judge       gpt-4o\n  requests  12\n" in judged.out
    assert judged.out.count("$") == 2
    unknown = orjson.loads(command(*arguments, "--judge", "none-such", "--json").out)["judge"]
    assert unknown["cost"] is None
    assert command(*arguments, "--judge-rpm", 60).code == 2
    waiting = ("plan", CLIPS, "--model", "sim", "--concurrency", 2, "--latency", 2)
    assert "18.0 s, limited by concurrency" in command(*waiting).out


def test_a_plan_is_as_large_in_another_language(command: Command) -> None:
    plans = [
        orjson.loads(command("plan", CLIPS, "--model", "sim", "--json", *language).out)
        for language in ((), ("--language", "Chinese"))
    ]
    assert plans[0]["requests"] == plans[1]["requests"] == 18


def test_a_plan_prices_the_endpoint_the_environment_names(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    assert "unknown" in command("plan", CLIPS, "--model", "my-own").out
    monkeypatch.setenv("OPENAI_BASE_URL", "no address")
    assert command("plan", CLIPS, "--model", "my-own").code == 2
    assert command("plan", CLIPS, "--model", "sim").code == 0
