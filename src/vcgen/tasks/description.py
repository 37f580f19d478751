"""`description`: a narrative of the video in order of time, and a second request to clean it up.

After VideoChat V1 (arXiv 2305.06355): a narrative of the video text, a post-processing prompt that
removes repeats and completes broken sentences, and a question drawn from a list of phrasings.
"""

from vcgen.data.clips import Clip
from vcgen.data.records import Turn
from vcgen.tasks.ask import Answer, Ask
from vcgen.tasks.evidence import fence
from vcgen.tasks.task import task

QUESTIONS = "description_questions.txt"


async def narrative(ask: Ask) -> Answer:
    """Ask for a narrative of the video. All tasks of a clip share it, so it is paid once."""
    least, most = ask.recipe.description_words
    return await ask(
        "describe",
        accept=lambda answer: ask.checks.answer(answer.text),
        min_words=least,
        max_words=most,
    )


@task
async def description(_clip: Clip, ask: Ask) -> list[Turn]:
    """Make one turn: a request for a description, and the narrative."""
    answer = await narrative(ask)
    if ask.recipe.refine:
        answer = await ask(
            "refine",
            accept=lambda refined: ask.checks.answer(refined.text),
            draft=fence("draft", answer.text),
        )
    question = ask.pick(ask.prompts.lines(QUESTIONS))
    return [Turn("description", question, answer.text)]
