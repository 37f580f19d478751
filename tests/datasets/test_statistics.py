"""What a data set is like: the survey of a run, and what it stands on."""

import statistics
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import orjson
import pytest
from hypothesis import given, strategies as st

import vcgen
from tests.support.common import make_clips
from vcgen.data.records import KINDS, Outcome, Record, Reject, Turn
from vcgen.datasets.histograms import LONGEST, MOMENTS, SHARES, Lengths, Names, Shares, Timeline
from vcgen.datasets.statistics import MOST_FIRST, MOST_SECOND, DatasetStatistics
from vcgen.errors import Reason
from vcgen.pipeline.store.directory import read_manifest, read_records, read_rejects

START = datetime(2026, 1, 1, tzinfo=UTC)
ZONES = [UTC, timezone(timedelta(hours=-12)), timezone(timedelta(hours=14))]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with rejects and flags, which no test may change."""
    path = tmp_path_factory.mktemp("done") / "run"
    vcgen.run(make_clips(60), model="sim:sloppy", output=path)
    return path


def outcomes(path: Path) -> list[Outcome]:
    return [*read_records(path), *read_rejects(path)]


def surveyed(outcomes: list[Outcome]) -> DatasetStatistics:
    survey = DatasetStatistics()
    for outcome in outcomes:
        survey.add(outcome)
    return survey


def record(name: str, *turns: Turn, **fields: object) -> Record:
    whole = {"id": f"{name}/conversation/0", "video": f"{name}.mp4", "clip_id": name}
    return Record(**{**whole, "task": "conversation", "turns": turns, **fields})  # type: ignore[arg-type]


def test_it_agrees_with_the_manifest_and_with_the_records(run: Path) -> None:
    found = surveyed(outcomes(run)).summary()
    counts = read_manifest(run)["counts"]
    assert counts["rejects"]
    assert counts["flags"]
    assert {name: found[name] for name in counts} == counts
    records = list(read_records(run))
    assert found["tasks"] == dict(Counter(each.task for each in records).most_common())
    assert found["kinds"] == Counter(turn.kind for each in records for turn in each.turns)
    assert found["repaired"] == sum(each.meta["repairs"] > 0 for each in records)
    assert found["requests"] == sum(each.meta["attempts"] for each in outcomes(run))
    assert found["ground"]["mean"] == pytest.approx(
        statistics.mean(each.meta["ground"] for each in records), abs=1e-4
    )
    asked = Counter(turn.question.split()[0].lower() for each in records for turn in each.turns)
    assert {each["word"]: each["count"] for each in found["first_words"]} == dict(
        asked.most_common(MOST_FIRST)
    )


def test_all_parts_count_the_same_outcomes(run: Path) -> None:
    found = surveyed(outcomes(run)).summary()
    turns = sum(found["kinds"].values())
    for side in ("questions", "answers"):
        words = found["words"][side]
        assert words["all"]["count"] == turns
        assert {kind: each["count"] for kind, each in words.items() if kind != "all"} == found[
            "kinds"
        ]
    assert found["turns"]["count"] == found["records"] == sum(found["time"]["records"])
    assert sum(found["time"]["rejects"]) == sum(found["rejects"].values())
    assert sum(found["time"]["requests"]) == found["requests"]
    usage = found["usage"]
    assert sum(found["time"]["tokens"]) == usage["prompt_tokens"] + usage["completion_tokens"]


def test_it_is_plain_json_and_says_the_same_again(run: Path) -> None:
    found = surveyed(outcomes(run)).summary()
    assert orjson.loads(orjson.dumps(found)) == found
    assert surveyed(outcomes(run)).summary() == found


def test_records_that_say_nothing_of_their_making_are_surveyed() -> None:
    bare = record("a", Turn("causal", "Why does he run?", "He is late for the bus."))
    row = Reject(id="rows.json:2", reason=Reason.INVALID_CLIP, message="not JSON")
    found = surveyed([bare, row]).summary()
    assert (found["records"], found["rejects"]) == (1, {"invalid_clip": 1})
    assert found["ground"] == {"count": 0, "without": 1, "mean": None, "bins": [0] * SHARES}
    assert (found["time"], found["models"], found["requests"]) == (None, {}, 0)


def test_nothing_at_all_has_a_summary() -> None:
    found = DatasetStatistics().summary()
    assert (found["records"], found["turns"], found["time"]) == (0, None, None)
    assert found["words"] == {"questions": {}, "answers": {}}


def test_a_price_that_is_unknown_once_is_unknown() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "cached_tokens": 0}
    priced = record("a", meta={"usage": usage, "cost": 0.5})
    assert surveyed([priced, priced]).summary()["cost"] == 1.0
    unpriced = record("b", meta={"usage": usage, "cost": None})
    assert surveyed([priced, unpriced, priced]).summary()["cost"] is None


def test_repeats_are_counted() -> None:
    said = "A man carries two crates along a pier and unties the rope of his boat."
    turn = Turn("descriptive", "What happens?", said)
    found = surveyed([record("a", turn), record("b", turn), record("a", turn)]).summary()
    assert found["duplicates"] == {"records": 1, "same_answers": 1, "near_answers": 0}


def test_first_words_are_two_deep_also_without_spaces() -> None:
    asked = ["What is he doing?", "What is that?", "WHAT does she do?", "视频12秒发生了什么", "?"]
    turns = [Turn("descriptive", each, "He waves.") for each in asked]
    assert surveyed([record("a", *turns)]).summary()["first_words"] == [
        {
            "word": "what",
            "count": 3,
            "next": [{"word": "is", "count": 2}, {"word": "does", "count": 1}],
        },
        {"word": "", "count": 1, "next": [{"word": "", "count": 1}]},
        {"word": "视频", "count": 1, "next": [{"word": "12", "count": 1}]},
    ]


def test_only_the_most_frequent_first_words_are_named() -> None:
    turns = [
        Turn("descriptive", f"{first} {second}?", "Yes.")
        for first in "abcdefghijklmnopq"
        for second in "rstuvwxyz"
    ]
    found = surveyed([record("a", *turns)]).summary()["first_words"]
    assert [each["word"] for each in found] == list("abcdefghijkl")
    assert all(len(each["next"]) == MOST_SECOND for each in found)


@given(st.lists(st.integers(0, 2 * LONGEST), min_size=1))
def test_lengths_are_exact_and_all_are_in_a_bin(numbers: list[int]) -> None:
    lengths = Lengths()
    for number in numbers:
        lengths.add(number)
    found = lengths.summary()
    assert found is not None
    known = sorted(min(number, LONGEST) for number in numbers)
    assert (found["count"], found["least"], found["most"]) == (len(known), known[0], known[-1])
    assert found["mean"] == pytest.approx(statistics.mean(known), abs=0.01)
    for percent, value in found["percentiles"].items():
        assert sum(each <= value for each in known) * 100 >= int(percent) * len(known)
        assert sum(each < value for each in known) * 100 < int(percent) * len(known)
    width, bins = found["width"], found["bins"]
    assert len(bins) <= 30
    assert bins == [sum(each // width == place for each in known) for place in range(len(bins))]
    assert found["beyond"] == sum(each >= width * len(bins) for each in known)


@given(st.lists(st.none() | st.floats(0, 1)))
def test_every_share_is_in_a_bin(numbers: list[float | None]) -> None:
    shares = Shares()
    for number in numbers:
        shares.add(number)
    found = shares.summary()
    assert found["without"] == numbers.count(None)
    assert sum(found["bins"]) == found["count"] == len(numbers) - found["without"]


def test_a_share_is_in_the_bin_of_its_size() -> None:
    shares = Shares()
    for share in (0.0, 0.049, 0.05, 0.999, 1.0):
        shares.add(share)
    assert shares.summary()["bins"] == [2, 1, *[0] * 17, 2]


@given(
    st.lists(
        st.tuples(st.datetimes(timezones=st.sampled_from(ZONES)), st.integers(0, 9)),
        min_size=1,
        max_size=50,
    )
)
def test_a_timeline_counts_everything_in_few_bins_in_any_order(
    done: list[tuple[datetime, int]],
) -> None:
    forth, back = Timeline(), Timeline()
    for moment, count in done:
        forth.add(moment, {"records": 1, "tokens": count})
    for moment, count in reversed(done):
        back.add(moment, {"records": 1, "tokens": count})
    found = forth.summary()
    assert found == back.summary()
    assert found is not None
    assert len(found["records"]) <= MOMENTS
    assert sum(found["records"]) == len(done)
    assert sum(found["tokens"]) == sum(count for _, count in done)


def test_a_moment_is_in_the_bin_of_its_time() -> None:
    timeline = Timeline()
    for minute in range(60):
        timeline.add(START + timedelta(minutes=minute), {"requests": minute})
    found = timeline.summary()
    assert found is not None
    assert found["width_s"] == 32
    at = START.timestamp() - found["start_s"]
    for minute in range(60):
        assert found["requests"][int((at + 60 * minute) // 32)] == minute
    assert datetime.fromisoformat(found["last"]) == START + timedelta(minutes=59)


def test_a_time_without_a_zone_is_utc() -> None:
    timeline = Timeline()
    timeline.add(START.replace(tzinfo=None), {"records": 1})
    timeline.add(START, {"records": 1})
    found = timeline.summary()
    assert found is not None
    assert found["records"] == [2]


def test_very_many_names_take_no_more_room_and_the_frequent_ones_stay() -> None:
    names = Names()
    for number in range(50_000):
        names.add("what is")
        names.add(f"{number} {'x' * 1_000}")
    found = names.summary()
    assert found["what is"] == 50_000
    assert len(found) <= 10_000
    assert max(map(len, found)) == 80
    assert names.summary(1) == {"what is": 50_000}


def test_the_survey_of_many_records_takes_no_more_room() -> None:
    survey = DatasetStatistics()
    held = []
    for number in range(3_000):
        turn = Turn(KINDS[number % 4], f"What is {number}?", "word " * (number % 300))
        moment = (START + timedelta(hours=number)).isoformat()
        survey.add(record(str(number), turn, meta={"time": moment, "model": f"m-{number}"}))
        held.append(len(orjson.dumps({**survey.summary(), "models": {}})))
    assert held[-1] < 1.5 * held[500]
