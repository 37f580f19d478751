import sys
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, strategies as st

import vcgen
from tests.support.common import DESCRIBE, Watched, completion, generate, make_clip, make_clips
from vcgen.data.records import Kind, Record, Turn
from vcgen.engine.chat import Completion, decode
from vcgen.engine.transport.base import Reply
from vcgen.errors import Reason, UsageError
from vcgen.sim import Simulator, parse_faults
from vcgen.tasks.conversation import mix_problems, plan_kinds
from vcgen.tasks.recipe import DEFAULT_KINDS, Recipe
from vcgen.tasks.registry import builtin_tasks, find_task
from vcgen.tasks.task import task
from vcgen.tasks.templates import Templates

some_kinds = st.permutations(DEFAULT_KINDS).flatmap(
    lambda kinds: st.integers(1, 3).map(lambda count: kinds[:count])
)


def draws(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - repeatable draws


@given(some_kinds, st.integers(1, 20), st.integers())
def test_planned_kinds_keep_their_laws(kinds: list[Kind], count: int, seed: int) -> None:
    planned = plan_kinds(kinds, count, draws(seed))
    assert len(planned) == count
    assert set(planned) <= set(kinds)
    if count >= len(kinds) and count > 1:
        assert set(planned) == set(kinds)
    if set(kinds) != {"descriptive"}:
        assert 2 * planned.count("descriptive") <= count
    assert planned == sorted(planned, key=lambda kind: kind != "descriptive")
    assert plan_kinds(kinds, count, draws(seed)) == planned


@given(some_kinds, st.integers(1, 20), st.integers())
def test_what_was_planned_has_no_problems(kinds: list[Kind], count: int, seed: int) -> None:
    planned = plan_kinds(kinds, count, draws(seed))
    assert count < len(kinds) or mix_problems(planned, kinds) == []


def test_what_is_wrong_with_a_mix_is_said() -> None:
    assert mix_problems(["descriptive", "causal", "causal"], DEFAULT_KINDS) == [
        "a question of kind temporal is missing"
    ]
    mostly: list[Kind] = ["descriptive", "descriptive", "descriptive", "temporal", "causal"]
    assert mix_problems(mostly, DEFAULT_KINDS) == [
        "more than half of the questions are descriptive"
    ]
    assert mix_problems(["description", "causal"], DEFAULT_KINDS) == [
        "kinds that were not asked for: description"
    ]
    assert mix_problems(["descriptive", "descriptive"], ["descriptive"]) == []


def test_a_description_is_one_refined_turn() -> None:
    transport = Watched()
    result = generate([make_clip()], transport=transport, tasks=["description"])
    (record,) = result.records
    (turn,) = record.turns
    assert turn.kind == "description"
    assert turn.question in Templates().lines("description_questions.txt")
    assert set(record.meta["templates"]) == {"describe", "refine"}
    assert len(transport.bodies) == 2
    plain = Watched()
    generate([make_clip()], transport=plain, tasks=["description"], recipe=Recipe(refine=False))
    assert len(plain.bodies) == 1


@pytest.mark.parametrize("name", ["conversation", "conversation-selfchat"])
def test_a_conversation_has_the_kinds_asked_for(name: str) -> None:
    recipe = Recipe(turns=(3, 6))
    result = generate(make_clips(30), tasks=[name], recipe=recipe)
    assert len(result.records) == 30
    lengths = set()
    for record in result.records:
        kinds = [turn.kind for turn in record.turns]
        lengths.add(len(kinds))
        assert mix_problems(kinds, DEFAULT_KINDS) == []
        assert all(turn.question and turn.answer for turn in record.turns)
    assert lengths == {3, 4, 5, 6}


def test_the_narrative_is_asked_for_once_by_all_tasks() -> None:
    transport = Watched()
    result = generate(make_clips(5), transport=transport, tasks=list(builtin_tasks()))
    assert len(result.records) == 15
    assert transport.count(DESCRIBE) == 5
    used = [record.meta["usage"]["prompt_tokens"] for record in result.records]
    assert sum(used) == result.usage.prompt_tokens


def test_each_request_of_a_selfchat_extends_the_one_before() -> None:
    transport = Watched()
    recipe = Recipe(turns=(4, 4))
    generate([make_clip()], transport=transport, tasks=["conversation-selfchat"], recipe=recipe)
    sent = [body["messages"] for body in transport.bodies[1:]]
    assert len(sent) == 8
    for before, after in pairwise(sent):
        assert after[: len(before)] == before
        assert len(after) == len(before) + 2


class Repeating(Watched):
    """Asks its first question once more, until it is told not to."""

    first = ""

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> Reply:
        reply = await super().post(url, headers, body, timeout_s)
        if "Speak as the questioner" in self.bodies[-1]["messages"][-1]["content"]:
            said = decode(reply.status, reply.headers, reply.body)
            assert isinstance(said, Completion)
            self.first = self.first or said.text
            return completion(self.first)
        return reply


def test_a_question_that_comes_again_in_a_selfchat_is_asked_for_anew() -> None:
    transport = Repeating()
    recipe = Recipe(turns=(3, 3))
    result = generate(
        [make_clip()], transport=transport, tasks=["conversation-selfchat"], recipe=recipe
    )
    (record,) = result.records
    assert len({turn.question for turn in record.turns}) == 3
    assert transport.count("the question asks what that of turn 1 asks") == 2


def test_all_prompts_of_a_clip_begin_with_the_same_bytes() -> None:
    transport = Watched()
    clip = make_clip(caption="{{ 7*7 }} === end of evidence x ===")
    generate([clip], transport=transport, tasks=list(builtin_tasks()))
    system = {body["messages"][0]["content"] for body in transport.bodies}
    users = [body["messages"][1]["content"] for body in transport.bodies]
    begun = [user for user in users if user.startswith("=== evidence")]
    assert len(system) == 2  # refine's own: it sees no evidence
    assert len(begun) == len(users) - 1
    heads = {user.split("\n=== end of evidence ")[0] for user in begun}
    assert len(heads) == 1
    assert clip.caption is not None
    assert clip.caption in heads.pop()


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("turns", Reason.FAILED_CHECKS), ("badjson", Reason.INVALID_REPLY), ("comma", None)],
)
def test_a_conversation_of_a_wrong_form_is_asked_again_then_rejected(
    fault: str, reason: Reason | None
) -> None:
    transport = Watched(Simulator(faults=parse_faults(f"{fault}:1")))
    recipe = Recipe(turns=(3, 3))
    result = generate([make_clip()], transport=transport, tasks=["conversation"], recipe=recipe)
    if reason is None:
        assert len(result.records) == 1
        return
    (reject,) = result.rejects
    assert reject.reason is reason
    assert reject.reply
    assert len(transport.bodies) == 3
    if fault == "turns":
        assert "it has 2 turns; 3 were asked for" in reject.message
        assert reject.message in transport.bodies[-1]["messages"][-1]["content"]


def test_a_task_is_named_after_its_function() -> None:
    @task
    async def boat_names(_clip: vcgen.Clip, _ask: vcgen.Ask) -> list[Turn]:
        return [Turn("causal", "Why?", "The tide.")]

    assert boat_names.name == "boat-names"
    assert find_task(boat_names) is boat_names
    (record,) = generate([make_clip()], tasks=[boat_names]).records
    assert isinstance(record, Record)
    assert record.id == "harbour-1/boat-names/0"


def test_only_a_named_async_function_is_a_task() -> None:
    def plain(_clip: object, _ask: object) -> list[Turn]:
        return []

    for wrong in (plain, lambda _clip, _ask: None, 3):
        with pytest.raises(UsageError, match="named async function"):
            task(wrong)  # type: ignore[arg-type]


SOURCE = """
import vcgen

@vcgen.task
async def mine(clip, ask):
    return [vcgen.Turn("causal", "Why?", "The tide.")]

plain = 3
"""


def test_a_task_of_ones_own_is_found_in_a_file_and_in_a_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "harbour_tasks.py"
    path.write_text(SOURCE)
    assert find_task(f"{path}:mine").name == "mine"
    sys.modules.pop("harbour_tasks")
    monkeypatch.syspath_prepend(tmp_path)
    assert find_task("harbour_tasks:mine").name == "mine"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("poem", "no task 'poem': choose description, conversation, conversation-selfchat"),
        ("mine.py:poem", "has no task 'poem'"),
        ("mine.py:plain", "marked with @vcgen.task"),
        ("nothing.py:mine", r"no file nothing\.py"),
        ("no.such.module:mine", "does not load: ModuleNotFoundError"),
        ("broken.py:mine", "does not load: SyntaxError"),
        ("failing.py:mine", "does not load: ZeroDivisionError"),
        (":mine", "no task"),
    ],
)
def test_what_is_no_task_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(SOURCE)
    Path("broken.py").write_text("def (")
    Path("failing.py").write_text("1 / 0")
    with pytest.raises(UsageError, match=said) as caught:
        find_task(name)
    assert "\n" not in str(caught.value)
