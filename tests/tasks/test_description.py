"""Descriptions: one turn, refined; the narrative is shared by all tasks of a clip."""

from tests.support.common import DESCRIBE, Watched, generate, make_clip, make_clips
from vcgen.tasks.recipe import Recipe
from vcgen.tasks.registry import builtin_tasks
from vcgen.tasks.templates import Templates


def test_description_is_one_refined_turn() -> None:
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


def test_narrative_is_requested_once_by_all_tasks() -> None:
    transport = Watched()
    result = generate(make_clips(5), transport=transport, tasks=list(builtin_tasks()))
    assert len(result.records) == 15
    assert transport.count(DESCRIBE) == 5
    used = [record.meta["usage"]["prompt_tokens"] for record in result.records]
    assert sum(used) == result.usage.prompt_tokens


def test_prompts_of_a_clip_begin_with_the_same_bytes() -> None:
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
