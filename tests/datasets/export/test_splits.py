"""A clip is on one side, always the same one."""

from collections import Counter

from vcgen.datasets.export.splits import Split


def test_a_clip_is_always_on_the_same_side() -> None:
    # Known values: another version of vcgen must not move clips between the sides.
    split = Split((0.5, 0.3, 0.2))
    assert [split.side_of(f"clip-{at}") for at in range(12)] == [
        1, 2, 2, 0, 0, 0, 2, 2, 1, 0, 2, 0,
    ]  # fmt: skip
    assert split.sides == ("train", "validation", "test")
    assert Split().side_of("clip-1") == 0


def test_shares_are_about_as_large_as_asked_for_and_differ_by_seed() -> None:
    names = [f"v_{at}" for at in range(20_000)]
    sides = [Split((0.98, 0.02)).side_of(name) for name in names]
    assert 320 < Counter(sides)[1] < 480
    assert sides != [Split((0.98, 0.02), seed=1).side_of(name) for name in names]


def test_more_for_training_takes_no_clip_from_it() -> None:
    names = [f"v_{at}" for at in range(1000)]
    few = {name for name in names if Split((0.9, 0.1)).side_of(name) == 0}
    assert few < {name for name in names if Split((0.95, 0.05)).side_of(name) == 0}
