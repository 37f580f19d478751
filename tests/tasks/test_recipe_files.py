"""Recipes: what a file says, which task a clip draws, and how many records a run makes."""

from pathlib import Path
from typing import Any

import orjson
import pytest

import vcgen
from tests.pipeline.workers.test_supervisor import write_clips
from tests.support.common import (
    CLIPS,
    Command,
    Dying,
    Watched,
    generate,
    make_clip,
    make_clips,
    outcome_ids,
)
from vcgen.checks.checker import Checker
from vcgen.checks.codes import CODES, SeverityOverride
from vcgen.data.records import Turn
from vcgen.engine.config import Limits
from vcgen.errors import RunStopped, UsageError
from vcgen.sim import Simulator, parse_faults
from vcgen.tasks.recipe_files import builtin_recipes, parse_recipe, read_recipe, recipe_text
from vcgen.tasks.registry import builtin_tasks

VIDEOCHAT = read_recipe("videochat")
TASKS = tuple(builtin_tasks().values())[:2]


def test_the_default_recipe_is_what_python_defaults_to() -> None:
    assert read_recipe("default") == vcgen.Recipe()


@pytest.mark.parametrize("name", builtin_recipes())
def test_a_built_in_recipe_is_a_file_that_can_be_begun_from(name: str, tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(recipe_text(name), "utf-8")
    assert read_recipe(str(mine)) == read_recipe(name)


CAPTION = "The caption says that a dog runs on a beach and catches the ball that was thrown."


def says_caption(severity: str | None) -> list[str]:
    """The severities of what is found in a text that mentions a caption."""
    recipe = parse_recipe(f'[checks]\nevidence-mention = "{severity}"' if severity else "")
    checker = Checker(None, severities=recipe.checks)
    said = (Turn("description", "Describe this video in detail.", CAPTION),)
    found = checker.answer(CAPTION)
    assert checker.turns(said) == [each._replace(turn=1) for each in found]
    return [each.severity for each in found]


def test_a_recipe_may_weigh_a_check_otherwise_or_turn_it_off() -> None:
    assert says_caption(None) == ["re-ask"]
    assert says_caption("flag") == ["flag"]
    assert says_caption("reject") == ["reject"]
    assert says_caption("off") == []


def test_an_unknown_check_or_severity_is_told_with_what_there_is() -> None:
    with pytest.raises(UsageError, match="unknown check 'markdwn'; did you mean 'markdown'"):
        parse_recipe('[checks]\nmarkdwn = "off"')
    with pytest.raises(UsageError, match=r"checks.markdown: Input should be 'reject'"):
        parse_recipe('[checks]\nmarkdown = "never"')
    with pytest.raises(UsageError, match="check markdown: reject, re-ask, flag, off, not 'no'"):
        vcgen.Recipe(checks={"markdown": "no"})  # type: ignore[dict-item] # to be refused


@vcgen.task
async def list_steps(clip: vcgen.Clip, ask: vcgen.Ask) -> list[Turn]:
    del clip, ask
    return [Turn("description", "Which steps are there?", "1. Cut the bread.\n2. Eat it all.")]


@pytest.mark.parametrize(
    ("severity", "records", "flags", "codes"),
    [
        ("re-ask", 0, set(), {}),
        ("flag", 2, {"markdown"}, {"markdown": "flag"}),
        ("off", 2, set(), {}),
    ],
)
def test_a_run_and_vcgen_check_go_by_the_checks_of_its_recipe(
    severity: SeverityOverride,
    records: int,
    flags: set[str],
    codes: dict[str, str],
    tmp_path: Path,
    command: Command,
) -> None:
    recipe = vcgen.Recipe(
        checks={"markdown": severity, "too-short": "off", "duplicate-answer": "off"}
    )
    run = tmp_path / "run"
    made = generate(make_clips(2), tasks=[list_steps], recipe=recipe, output=run).records
    assert len(made) == records
    assert {flag for record in made for flag in record.flags if flag == "markdown"} == flags
    found = orjson.loads(command("check", run, "--json").out)["codes"]
    assert {code: each["severity"] for code, each in found.items()} == codes


def test_a_run_says_which_checks_were_weighed_otherwise(tmp_path: Path) -> None:
    run = tmp_path / "run"
    generate(make_clips(1), recipe=vcgen.Recipe(checks={"order": "re-ask"}), output=run)
    with pytest.raises(UsageError, match=r"\(recipe.checks.order was re-ask, is not given\)"):
        generate(make_clips(1), output=run)
    off = vcgen.Recipe(checks=dict.fromkeys(CODES, "off"))
    with pytest.raises(UsageError, match=f"and {len(CODES) - 8} more"):
        generate(make_clips(1), recipe=off, output=run)


def test_a_recipe_says_only_what_differs() -> None:
    recipe = parse_recipe('turns = [2, 3]\nlanguage = "German"\nrefine = false\ntemperature = 0.7')
    expected = vcgen.Recipe(turns=(2, 3), language="German", refine=False, temperature=0.7)
    assert recipe == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("turnz = [3, 5]", "did you mean 'turns'"),
        ("zzz = 1", "keys are tasks, turns"),
        ("weights = [1]", "unknown key 'weights'"),
        ("turns = [5, 3]", "turns 5-3"),
        ("turns = 3", "turns"),
        ("turns = ['a', 'b']", "turns"),
        ("turns = [3, 5", "invalid TOML"),
        ("tasks = []", "at least one"),
        ("[tasks]\n", "at least one"),
        ("[tasks]\ndescription = 0", "weights"),
        ("[tasks]\ndescription = 'much'", "weights"),
        ("tasks = 3", "tasks"),
        ("kinds = ['funny']", "kinds"),
        ("[seed]\na = 1", "seed"),
        ("a = " + "[" * 5000, "invalid TOML"),
    ],
)
def test_what_is_no_recipe_is_one_clear_line(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said.replace("[", r"\[")) as caught:
        parse_recipe(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["nothing", "missing.toml", str(CLIPS.parent)])
def test_a_recipe_that_is_not_there_is_one_clear_line(name: str) -> None:
    with pytest.raises(UsageError, match=r"recipe|cannot be read"):
        read_recipe(name)


@pytest.mark.parametrize("wanted", [1, 7, 30, 41])
@pytest.mark.parametrize("concurrency", [1, 16])
def test_a_run_ends_with_the_wanted_records_despite_rejects(
    wanted: int, concurrency: int, tmp_path: Path
) -> None:
    faults = parse_faults("refusal:0.2,429:0.1,500:0.05")
    options: Any = {"max_records": wanted, "limits": Limits(concurrency=concurrency)}
    transport = Watched(Simulator(latency_s=0.1, faults=faults))
    clips = make_clips(60)
    result = generate(clips, output=tmp_path, transport=transport, **options)
    assert len(result.records) == wanted
    again = Watched(Simulator(latency_s=0.1))
    generate(clips, output=tmp_path, transport=again, **options)
    assert not again.bodies


def test_a_run_that_wants_more_continues_with_the_rest(tmp_path: Path) -> None:
    clips = make_clips(10)
    first = generate(clips, output=tmp_path, max_records=7)
    ids = outcome_ids(tmp_path)
    assert len(first.records) == len(ids) == 7
    second = generate(clips, output=tmp_path, max_records=100)
    assert len(second.records) == 20
    assert set(ids) < set(outcome_ids(tmp_path))


def test_a_run_refused_while_samples_wait_for_a_slot_ends() -> None:
    with pytest.raises(RunStopped):
        generate(
            make_clips(30),
            max_records=3,
            transport=Watched(Dying(5, latency_s=1.0)),
            limits=Limits(concurrency=16),
        )


def test_max_records_of_zero_is_wrong_use() -> None:
    with pytest.raises(UsageError, match="max_records must be at least 1"):
        generate([make_clip()], max_records=0)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_command_makes_a_recipes_mix_and_as_many_as_wanted(
    command: Command, tmp_path: Path, workers: int
) -> None:
    clips = write_clips(tmp_path / "clips.jsonl", [f"c{number}" for number in range(60)])
    arguments = ("generate", clips, "--model", "sim", "-o", tmp_path / "run", "--json")
    mine = tmp_path / "mine.toml"
    mine.write_text(recipe_text("videochat").replace("refine = true", "refine = false"))
    asked = ("--recipe", mine, "--max-records", 21, "--workers", workers)
    summary = orjson.loads(command(*arguments, *asked).out)
    assert summary["records"] == 21
    assert summary["requests"] < 21 * 2.5
    summary = orjson.loads(command(*arguments, *asked).out)
    assert (summary["records"], summary["requests"]) == (21, 0)
