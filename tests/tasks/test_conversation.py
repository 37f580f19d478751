"""Conversations: the kinds of their questions, in one request and turn by turn."""

from collections.abc import Mapping
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, strategies as st

from tests.support.common import Watched, completion, generate, make_clip, make_clips
from vcgen.data.records import Kind, Reason
from vcgen.engine.chat import Completion
from vcgen.engine.transport.base import Reply
from vcgen.engine.wire.completions import decode
from vcgen.sim import Simulator, parse_faults
from vcgen.tasks.conversation import mix_problems, plan_kinds
from vcgen.tasks.recipe import DEFAULT_KINDS, Recipe

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
def test_planned_kinds_have_no_problems(kinds: list[Kind], count: int, seed: int) -> None:
    planned = plan_kinds(kinds, count, draws(seed))
    assert count < len(kinds) or mix_problems(planned, kinds) == []


def test_wrong_mix_of_kinds_is_described() -> None:
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


@pytest.mark.parametrize("name", ["conversation", "conversation-selfchat"])
def test_conversation_has_the_requested_kinds(name: str) -> None:
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


def test_selfchat_request_extends_the_one_before() -> None:
    transport = Watched()
    recipe = Recipe(turns=(4, 4))
    generate([make_clip()], transport=transport, tasks=["conversation-selfchat"], recipe=recipe)
    sent = [body["messages"] for body in transport.bodies[1:]]
    assert len(sent) == 8
    for before, after in pairwise(sent):
        assert after[: len(before)] == before
        assert len(after) == len(before) + 2


class Repeating(Watched):
    """Repeats its first question until that is sent back."""

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


def test_selfchat_question_asked_twice_is_repaired() -> None:
    transport = Repeating()
    recipe = Recipe(turns=(3, 3))
    result = generate(
        [make_clip()], transport=transport, tasks=["conversation-selfchat"], recipe=recipe
    )
    (record,) = result.records
    assert len({turn.question for turn in record.turns}) == 3
    assert transport.count("the question asks what that of turn 1 asks") == 2


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("turns", Reason.FAILED_CHECKS), ("badjson", Reason.INVALID_REPLY), ("comma", None)],
)
def test_malformed_conversation_is_repaired_then_rejected(
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
