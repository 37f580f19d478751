"""Tasks are done with placeholders: every prompt is rendered, nothing is sent."""

from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field, field_validator

import vcgen
from tests.support.common import make_clip, run
from vcgen.errors import UsageError
from vcgen.pipeline.dry_run import BYTES_PER_TOKEN, TOKENS_PER_WORD, DryRun, filler, unsent
from vcgen.tasks.clip_context import ClipContext
from vcgen.tasks.recipe import Recipe
from vcgen.tasks.registry import find_task
from vcgen.tasks.templates import Templates


def dry(*tasks: str | vcgen.Task, is_judged: bool = False) -> DryRun:
    runs: list[DryRun] = []

    async def main() -> None:
        async with unsent() as engine:
            runs.append(DryRun(ClipContext(make_clip(), engine, None), Templates(), Recipe()))
            for task in tasks:
                await runs[0].make(find_task(task), is_judged=is_judged)

    run(main)
    return runs[0]


def test_a_filler_is_as_long_as_its_words() -> None:
    assert len(filler("describe", 120)) == round(120 * TOKENS_PER_WORD * BYTES_PER_TOKEN)


def test_a_request_of_two_tasks_is_counted_once() -> None:
    made = dry("description", "conversation")
    assert len(made.writing) == 3  # the narrative, its clean-up pass, the conversation
    assert set(made.rendered) == {"describe", "refine", "converse"}
    assert not made.judging


def test_replies_have_the_words_of_the_recipe() -> None:
    narrative, refined, conversation = dry("description", "conversation").writing.values()
    assert narrative.usage.completion_tokens == refined.usage.completion_tokens == 160
    turns = len(conversation.data.turns)
    assert 3 <= turns <= 5
    assert conversation.usage.completion_tokens > turns * 40 * TOKENS_PER_WORD


def test_self_chat_has_a_request_a_question_and_answer() -> None:
    made = dry("conversation-selfchat")
    assert len(made.writing) % 2 == 1
    assert len(made.writing) >= 7


def test_a_judge_has_a_verdict_on_each_answer() -> None:
    (judged,) = dry("conversation", is_judged=True).judging.values()
    assert {verdict.verdict for verdict in judged.data.verdicts} == {"supported"}
    assert len(judged.data.verdicts) >= 3


class Part(BaseModel):
    name: str
    kind: Literal["big", "small"]


class Rating(BaseModel):
    parts: list[Part]
    score: int = Field(ge=3)
    note: str | None
    is_clear: bool


class Even(BaseModel):
    number: int

    @field_validator("number")
    @classmethod
    def is_even(cls, number: int) -> int:
        if number % 2:
            raise ValueError("odd")
        return number


def asking(*schemas: type[BaseModel]) -> vcgen.Task:
    async def mine(_clip: Any, ask: Any) -> list[vcgen.Turn]:
        for number, schema in enumerate(schemas):
            await ask("describe", schema=schema, min_words=number, max_words=90)
        return []

    return vcgen.Task("mine", mine)


def test_a_schema_of_ones_own_gets_a_value_that_it_accepts() -> None:
    (answer,) = dry(asking(Rating)).writing.values()
    rating = answer.data
    assert (len(rating.parts), rating.parts[0].kind, rating.score) == (3, "big", 3)
    assert rating.note is None


def test_a_task_is_followed_until_no_placeholder_fits() -> None:
    assert len(dry(asking(Rating, Even, Rating)).writing) == 1


def test_a_task_that_fails_on_a_placeholder_counts_until_then() -> None:
    async def mine(_clip: Any, ask: Any) -> list[vcgen.Turn]:
        answer = await ask("describe", min_words=1, max_words=90)
        return [vcgen.Turn("causal", "Why?", answer.text.split("|")[1])]

    assert len(dry(vcgen.Task("mine", mine), "description").writing) == 3


def test_a_wrong_template_is_an_error() -> None:
    async def mine(_clip: Any, ask: Any) -> list[vcgen.Turn]:
        await ask("no-such")
        return []

    with pytest.raises(UsageError, match="no-such"):
        dry(vcgen.Task("mine", mine))
