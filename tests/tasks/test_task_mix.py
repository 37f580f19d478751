"""Which tasks a clip gets: all, or one drawn by weight."""

from collections import Counter
from pathlib import Path

from hypothesis import given, strategies as st

from tests.support.common import (
    generate,
    make_clips,
)
from vcgen.tasks.recipe_files import read_recipe
from vcgen.tasks.registry import builtin_tasks
from vcgen.tasks.task_mix import TaskMix

VIDEOCHAT = read_recipe("videochat")
TASKS = tuple(builtin_tasks().values())[:2]


def test_mix_of_videochat_is_seven_to_four() -> None:
    mix = TaskMix(TASKS, VIDEOCHAT.weights)
    drawn = Counter(mix.of(f"video{number}")[0].name for number in range(11_000))
    assert drawn["description"] + drawn["conversation"] == 11_000
    assert 6_850 < drawn["description"] < 7_150  # three standard deviations


@given(st.text(), st.integers(0, 9))
def test_draw_depends_on_seed_and_clip_alone(clip_id: str, seed: int) -> None:
    tasks = [TaskMix(TASKS, (7.0, 4.0), seed).of(clip_id) for _ in range(2)]
    assert tasks[0] == tasks[1]
    assert len(tasks[0]) == 1


def test_another_seed_draws_other_tasks() -> None:
    ids = [f"video{number}" for number in range(100)]
    assert (
        len({tuple(TaskMix(TASKS, (1, 1), seed).of(x)[0].name for x in ids) for seed in range(3)})
        == 3
    )


def test_run_by_weights_makes_one_sample_per_clip(tmp_path: Path) -> None:
    clips = make_clips(40)
    generate(clips[:25], output=tmp_path, recipe=VIDEOCHAT)
    result = generate(clips, output=tmp_path, recipe=VIDEOCHAT)
    assert {record.clip_id for record in result.records} == {clip.id for clip in clips}
    assert len(result.records) == 40
    assert {record.task for record in result.records} == {"description", "conversation"}
    assert result.summary.resumed == 25


def test_named_tasks_replace_those_of_the_recipe() -> None:
    result = generate(make_clips(3), recipe=VIDEOCHAT, tasks=["description", "conversation"])
    assert len(result.records) == 6
