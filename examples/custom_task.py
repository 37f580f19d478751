r"""A task of your own: the steps of a video, numbered. Its prompt: templates/steps.jinja.

python examples/custom_task.py
vcgen generate examples/clips.jsonl --model sim -o runs/steps \
    --tasks examples/custom_task.py:steps --templates examples/templates
"""

from pathlib import Path

from pydantic import BaseModel

import vcgen

HERE = Path(__file__).parent
MAX_STEPS = 6


class Steps(BaseModel):
    steps: list[str]


def accept(answer: vcgen.Answer) -> list[str]:
    """List the faults of an answer; the model gets them and is asked once more."""
    count = len(answer.data.steps)
    return [] if 1 <= count <= MAX_STEPS else [f"it has {count} steps, not 1 to {MAX_STEPS}"]


@vcgen.task
async def steps(_clip: vcgen.Clip, ask: vcgen.Ask) -> list[vcgen.Turn]:
    answer = await ask("steps", schema=Steps, accept=accept, most=MAX_STEPS)
    listed = " ".join(f"{number}. {step}" for number, step in enumerate(answer.data.steps, 1))
    return [vcgen.Turn("temporal", "Which steps does the video show, in order?", listed)]


if __name__ == "__main__":
    done = vcgen.run(HERE / "clips.jsonl", model="sim", tasks=[steps], templates=HERE / "templates")
    for record in done.records:
        print(record.clip_id, record.turns[0].answer, sep="\n", end="\n\n")
