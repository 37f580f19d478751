"""`conversation`: all turns in one request. `conversation-selfchat`: two requests per turn.

The kinds of question are those of VideoChat V1: descriptive, temporal, causal. At least half of the
questions are temporal or causal.
"""

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Literal

from pydantic import BaseModel

from vcgen.checks.checker import Checker
from vcgen.checks.codes import Problem
from vcgen.data.clips import Clip
from vcgen.data.records import Kind, Turn
from vcgen.tasks.ask import Accept, Answer, Ask
from vcgen.tasks.description import narrative
from vcgen.tasks.evidence import fence
from vcgen.tasks.task import task

# As in `converse.jinja`. The examples have no content, which models would copy.
MEANING = {
    "descriptive": "what is there and what happens: people, objects, actions, places, positions, "
    "how they interact (What is ... doing? Where is ...? How many ...?)",
    "temporal": "when something happens, in what order, before or after what, how long, or what "
    "changes (When does ...? What does ... do after ...?)",
    "causal": "why something happens, what it is for, how it is done, or what it leads to, as far "
    "as the video shows it (Why does ...? How does ...?)",
}


class ConversationTurn(BaseModel):
    """One turn as the model writes it."""

    kind: Literal["descriptive", "temporal", "causal"]
    question: str
    answer: str


class Conversation(BaseModel):
    """The reply of `converse`."""

    turns: list[ConversationTurn]


def plan_kinds(kinds: Sequence[Kind], count: int, random: Random) -> list[Kind]:
    """Draw the kinds of `count` questions, in order: each of `kinds` once, as far as they fit.

    The others, or the only one, are temporal or causal, which makes these at least half.
    Descriptive questions come first, as in a conversation between people.
    """
    deeper: list[Kind] = [kind for kind in kinds if kind != "descriptive"] or list(kinds)
    drawn = random.sample(list(kinds), len(kinds))[:count] if count > 1 else []
    drawn += random.choices(deeper, k=count - len(drawn))
    return sorted(drawn, key=lambda kind: kind != "descriptive")


def mix_problems(kinds: Sequence[Kind], recipe_kinds: Sequence[Kind]) -> list[str]:
    """Return the problems of the kinds a model wrote, given those of the recipe."""
    counts = Counter(kinds)
    room = len(kinds) >= len(recipe_kinds)
    problems = [
        f"a question of kind {kind} is missing"
        for kind in recipe_kinds
        if room and not counts[kind]
    ]
    if extra := [kind for kind in counts if kind not in recipe_kinds]:
        problems.append(f"kinds that were not asked for: {', '.join(extra)}")
    if len(recipe_kinds) > 1 and 2 * counts["descriptive"] > len(kinds):
        problems.append("more than half of the questions are descriptive")
    return problems


@task
async def conversation(_clip: Clip, ask: Ask) -> list[Turn]:
    """Make turns of mixed kinds from the narrative and the evidence, in one request."""
    story = await narrative(ask)
    least, most = ask.recipe.turns
    kinds = plan_kinds(ask.recipe.kinds, ask.random.randint(least, most), ask.random)

    def accept(answer: Answer) -> list[str | Problem]:
        turns = as_turns(answer)
        if not least <= len(turns) <= most:
            return [f"it has {len(turns)} turns; {len(kinds)} were asked for"]
        problems = mix_problems([turn.kind for turn in turns], ask.recipe.kinds)
        return [*problems, *ask.checks.turns(turns)]

    answer = await ask(
        "converse",
        schema=Conversation,
        accept=accept,
        kinds=kinds,
        narrative=fence("narrative", story.text),
    )
    return as_turns(answer)


def as_turns(answer: Answer) -> list[Turn]:
    return [
        Turn(turn.kind, turn.question.strip(), turn.answer.strip()) for turn in answer.data.turns
    ]


def _accept_answer(kind: Kind, checks: Checker) -> Accept:
    return lambda answer: checks.answer(answer.text, kind)


@task
async def conversation_selfchat(_clip: Clip, ask: Ask) -> list[Turn]:
    """Make such turns one by one; every request continues the conversation of the one before."""
    story = await narrative(ask)
    least, most = ask.recipe.turns
    kinds = plan_kinds(ask.recipe.kinds, ask.random.randint(least, most), ask.random)
    turns: list[Turn] = []
    previous: Answer | None = None
    for kind in kinds:
        question = await ask(
            "question",
            accept=lambda new: ask.checks.question(new.text, [turn.question for turn in turns]),
            after=previous,
            opening=previous is None,
            kind=kind,
            meaning=MEANING[kind],
            narrative=fence("narrative", story.text),
        )
        previous = await ask("answer", accept=_accept_answer(kind, ask.checks), after=question)
        turns.append(Turn(kind, question.text, previous.text))
    return turns
