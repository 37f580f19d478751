import re
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

import vcgen
from tests.support.common import Dying, Watched, generate, make_clip, make_clips
from vcgen.data.hashing import hash_hex
from vcgen.data.records import Reason, Turn
from vcgen.errors import RunStopped, UsageError
from vcgen.pipeline.store.manifest import Manifest
from vcgen.pipeline.store.read import read_rejects
from vcgen.sim import Simulator, parse_faults
from vcgen.tasks.evidence import render_evidence
from vcgen.tasks.recipe import Recipe
from vcgen.tasks.templates import Templates


def task_of(function: Any) -> vcgen.Task:
    return vcgen.Task("mine", function)


async def failing(_clip: Any, _ask: Any) -> Any:
    raise ZeroDivisionError("a\nb")


async def failing_in_a_group(_clip: Any, ask: Any) -> Any:
    async with anyio.create_task_group() as group:
        group.start_soon(failing, None, ask)


async def asking_in_a_group(_clip: Any, ask: Any) -> Any:
    async with anyio.create_task_group() as group:
        for words in range(3):
            group.start_soon(partial(ask, "describe", min_words=words, max_words=9))
    return [Turn("causal", "Why?", "The tide.")]


def returning(value: Any) -> Any:
    async def mine(_clip: Any, _ask: Any) -> Any:
        return value

    return mine


@pytest.mark.parametrize(
    ("function", "reason", "message"),
    [
        (
            failing,
            Reason.TASK_ERROR,
            r"failed at test_samples\.py:\d+: ZeroDivisionError: a b",
        ),
        (
            failing_in_a_group,
            Reason.TASK_ERROR,
            r"at test_samples\.py:\d+: ZeroDivisionError",
        ),
        (returning(None), Reason.TASK_ERROR, r"test_samples\.py:\d+ returned NoneType instead"),
        (returning(["Why?"]), Reason.TASK_ERROR, "returned str instead of a turn"),
        (returning("Why?"), Reason.TASK_ERROR, "returned str instead of a turn"),
        (returning([Turn("odd", "Why?", "So.")]), Reason.TASK_ERROR, "of kind 'odd'; choose from"),  # type: ignore[arg-type]
        (returning([Turn("causal", "Why?", None)]), Reason.TASK_ERROR, "a turn with NoneType"),  # type: ignore[arg-type]
        (returning([Turn("causal", "\ud800", "So.")]), Reason.FAILED_CHECKS, "lone surrogate"),
        (returning([]), Reason.FAILED_CHECKS, "there are no turns"),
        (returning([Turn("causal", "Why?", "")]), Reason.FAILED_CHECKS, "the answer is empty"),
    ],
)
def test_a_task_that_fails_costs_its_own_samples_only(
    tmp_path: Path, function: Any, reason: Reason, message: str
) -> None:
    result = generate(make_clips(2), output=tmp_path, tasks=["description", task_of(function)])
    assert len(result.records) == 2
    assert [reject.reason for reject in result.rejects] == [reason] * 2
    for reject in result.rejects:
        assert re.search(message, reject.message)
        assert "\n" not in reject.message


def test_a_task_asking_from_a_group_ends_as_its_requests_do(
    tmp_path: Path,
) -> None:
    mine = task_of(asking_in_a_group)
    with pytest.raises(RunStopped, match="refuses the key"):
        generate(make_clips(3), transport=Watched(Dying(4)), output=tmp_path / "a", tasks=[mine])
    refused = Watched(Simulator(faults=parse_faults("refusal:1")))
    result = generate(make_clips(3), transport=refused, output=tmp_path / "b", tasks=[mine])
    assert {reject.reason for reject in result.rejects} == {Reason.REFUSAL}
    assert list(read_rejects(tmp_path / "a")) == []


def test_a_template_that_is_wrong_stops_the_run_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "describe.jinja").write_text(
        '{% extends "base.jinja" %}{% block task %}{{ mood }}{% endblock %}'
    )
    with pytest.raises(UsageError, match=r"template describe\.jinja: 'mood' is undefined"):
        generate(make_clips(50), templates=tmp_path)


def test_a_record_says_what_it_was_made_with() -> None:
    clip = make_clip()
    (record,) = generate([clip], tasks=["description"], recipe=Recipe(seed=7)).records
    assert (record.id, record.clip_id, record.task) == (
        "harbour-1/description/0",
        clip.id,
        "description",
    )
    assert record.video == clip.video
    meta = record.meta
    digests = Templates().digests()
    assert meta["templates"] == {name: digests[name] for name in ("describe", "refine")}
    assert (meta["model"], meta["seed"], meta["attempts"], meta["cost"]) == ("sim", 7, 2, 0.0)
    assert meta["usage"]["prompt_tokens"] > 0
    assert meta["version"] == vcgen.__version__
    assert meta["parameters"] == {"temperature": None, "max_tokens": 1024, "effort": "least"}
    assert meta["evidence"] == hash_hex(render_evidence(clip))
    assert meta["repairs"] == 0
    assert "cleaned" not in meta
    assert meta["time"].endswith("+00:00")


def test_a_record_has_the_recipe_hash_of_the_manifest(tmp_path: Path) -> None:
    (one,) = generate([make_clip()], tasks=["description"], output=tmp_path).records
    (other,) = generate([make_clip()], tasks=["description"], recipe=Recipe(seed=1)).records
    assert one.meta["recipe"] == Manifest.read(tmp_path).recipe_hash
    assert one.meta["recipe"] != other.meta["recipe"]


def test_a_record_says_what_was_cleaned_of_its_clip() -> None:
    clip = make_clip(caption="A \u200b boat  leaves.")
    for record in generate([clip]).records:
        assert record.meta["cleaned"] == clip.cleaned != {}


def test_repairs_are_counted_for_the_sample_that_was_asked_again() -> None:
    simulator = Simulator(faults=parse_faults("badjson:1"))
    outcomes = generate([make_clip()], transport=Watched(simulator), recipe=Recipe(max_repairs=2))
    (record,), (reject,) = outcomes.records, outcomes.rejects
    assert (record.meta["repairs"], reject.meta["repairs"]) == (0, 2)


def test_a_reject_says_what_it_cost_and_what_was_said_last() -> None:
    transport = Watched(Simulator(faults=parse_faults("badjson:1")))
    (reject,) = generate([make_clip()], tasks=["conversation"], transport=transport).rejects
    assert (reject.reason, reject.attempts) == (Reason.INVALID_REPLY, 3)
    assert reject.reply.startswith("{")
    assert set(reject.meta["templates"]) == {"describe", "converse", "repair"}
    assert reject.meta["usage"]["prompt_tokens"] > 0
