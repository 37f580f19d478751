"""The judge: a verdict on every answer; nothing passes unjudged."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

import vcgen
from tests.support.common import (
    CLIPS,
    Command,
    Dying,
    Servers,
    Watched,
    completion,
    generate,
    lines_of,
    make_clip as make,
    make_clips,
)
from vcgen.data.records import Reason, Turn
from vcgen.engine.budget import Budget
from vcgen.engine.config import Endpoint, Limits
from vcgen.engine.transport.base import Reply
from vcgen.errors import RunStopped, UsageError
from vcgen.pipeline.store.manifest import Manifest
from vcgen.pipeline.store.read import read_records, read_rejects
from vcgen.sim import Simulator, parse_faults
from vcgen.tasks.judge import Verdict, verdict_problems
from vcgen.tasks.recipe import Recipe

ASKED = "Judge each of the answers"
EVIDENCE = "Caption: A man pushes a blue boat.\n[0-5] two gulls circle above the pier"


def saying(*answers: str) -> vcgen.Task:
    """A task without requests."""

    async def mine(_clip: Any, _ask: Any) -> list[Turn]:
        questions = ("What does the man push?", "What circles above the pier?")
        pairs = zip(questions, answers, strict=False)
        return [Turn("descriptive", question, answer) for question, answer in pairs]

    return vcgen.Task("mine", mine)


class Judging(Watched):
    """The simulator, with scripted replies of the judge."""

    def __init__(self, *verdicts: Mapping[str, Any] | str) -> None:
        super().__init__()
        self._verdicts = iter(verdicts)

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> Reply:
        reply = await super().post(url, headers, body, timeout_s)
        if "You judge answers" not in self.bodies[-1]["messages"][0]["content"]:
            return reply
        said = next(self._verdicts)
        return completion(said if isinstance(said, str) else orjson.dumps(said).decode())


def verdict(answer: int = 1, span: str = "", said: str = "supported") -> dict[str, Any]:
    return {"answer": answer, "span": span, "verdict": said}


def test_record_has_one_verdict_per_answer_and_separate_usage() -> None:
    clips = make_clips(6)
    judged, plain = generate(clips, judge="sim"), generate(clips)
    without = {record.id: record.meta["usage"] for record in plain.records}
    assert judged.records
    for record in judged.records:
        said = record.meta["judge"]
        assert len(said["verdicts"]) == len(record.turns)
        assert (said["model"], set(said["templates"]), said["attempts"]) == ("sim", {"judge"}, 1)
        assert record.meta["usage"] == without[record.id]
    used = judged.summary.judge
    assert used is not None
    assert (used.model, used.requests, used.cost) == (
        "sim",
        judged.summary.samples,
        0.0,
    )
    assert used.usage.prompt_tokens > 0
    assert judged.usage == plain.usage
    assert plain.summary.judge is None


def test_contradicted_answer_rejects_its_sample_with_verdicts(tmp_path: Path) -> None:
    clip = make(caption="A man pushes a blue boat.", segments=[])
    transport = Judging({"verdicts": [verdict(1, "A man pushes a blue boat.", "contradicted")]})
    options: dict[str, Any] = {"tasks": [saying("The man pushes a red boat.")], "judge": "sim"}
    (reject,) = generate([clip], transport=transport, output=tmp_path, **options).rejects
    assert reject.reason is Reason.CONTRADICTED
    assert reject.message == "the evidence contradicts answer 1: 'A man pushes a blue boat.'"
    assert reject.reply == "The man pushes a red boat."
    assert [each["verdict"] for each in reject.meta["judge"]["verdicts"]] == ["contradicted"]
    assert Manifest.read(tmp_path).counts["judge"]["verdicts"] == {"contradicted": 1}


def test_a_judge_that_gives_no_usable_verdict_rejects_the_sample() -> None:
    transport = Judging("I cannot say.", {"verdicts": []})
    tasks = [saying("The man pushes the boat away.")]
    (reject,) = generate([make()], tasks=tasks, judge="sim", transport=transport).rejects
    assert reject.reason is Reason.UNJUDGED
    assert "one verdict on each of the answers 1 to 1" in reject.message
    assert (reject.meta["judge"]["attempts"], reject.meta["judge"]["repairs"]) == (2, 1)
    assert reject.attempts == 0


def test_a_judge_is_asked_again_with_what_is_wrong() -> None:
    wrong = {"verdicts": [verdict(span="a red boat", said="contradicted")]}
    right = {"verdicts": [verdict(2), verdict(1)]}
    transport = Judging(wrong, right)
    tasks = [saying("He pushes the boat away.", "The man carries crates there.")]
    (record,) = generate([make()], tasks=tasks, judge="sim", transport=transport).records
    assert [each["verdict"] for each in record.meta["judge"]["verdicts"]] == ["supported"] * 2
    assert "one verdict on each of the answers 1 to 2" in str(transport.bodies[-1]["messages"])


@pytest.mark.parametrize(
    ("given", "count", "wrong"),
    [
        ([verdict(1), verdict(2)], 2, ""),
        ([verdict(2), verdict(1)], 2, ""),
        ([verdict(1)], 2, "one verdict on each"),
        ([verdict(1), verdict(1)], 2, "one verdict on each"),
        ([verdict(0)], 1, "one verdict on each"),
        ([verdict(1, "two gulls  Circle", "contradicted")], 1, ""),
        ([verdict(1, "“blue boat”.", "contradicted")], 1, ""),
        ([verdict(1, "a red boat", "contradicted")], 1, "word for word"),
        ([verdict(1, " ", "contradicted")], 1, "word for word"),
        ([verdict(1, "a red boat")], 1, ""),
    ],
)
def test_verdicts_cover_each_answer_and_quote_contradictions(
    given: list[dict[str, Any]], count: int, wrong: str
) -> None:
    found = verdict_problems([Verdict(**each) for each in given], count, EVIDENCE)
    assert bool(found) == bool(wrong)
    assert wrong in " ".join(found)


def test_no_answer_can_pass_for_two() -> None:
    transport = Judging({"verdicts": [verdict()]})
    answer = "A man leaves.\n2. Question: Why? He\n   walks away.\n"
    generate([make()], tasks=[saying(answer)], judge="sim", transport=transport)
    (asked,) = [body["messages"][-1]["content"] for body in transport.bodies]
    lines = asked.split("\n")
    assert sum("Question:" in line and line[0].isdigit() for line in lines) == 1


def test_unreachable_judge_stops_the_run_and_loses_no_call(tmp_path: Path) -> None:
    servers = Servers([Simulator(), Dying(3)])
    model, judging = servers.endpoints
    clips = make_clips(8)
    options: dict[str, Any] = {"model": model, "judge": judging, "output": tmp_path}
    with pytest.raises(RunStopped, match="refuses the key"):
        generate(clips, transport=servers, **options)
    assert len(list(read_records(tmp_path))) == 3
    again = Servers([Simulator(), Simulator()])
    result = generate(clips, transport=again, **options)
    assert (len(result.records), len(result.rejects)) == (16, 0)
    judged = sum(record.meta["judge"]["attempts"] for record in result.records)
    asked = sum(record.meta["attempts"] for record in result.records)
    assert judged == 16 == 3 + again.simulators[1].requests
    assert asked == servers.simulators[0].requests + again.simulators[0].requests


def test_what_a_judge_has_answered_is_not_asked_again(tmp_path: Path) -> None:
    servers = Servers([Simulator(), Dying(1, faults=parse_faults("badjson:1"))])
    options: dict[str, Any] = {"output": tmp_path, "tasks": ["description"]}
    model, judging = servers.endpoints
    with pytest.raises(RunStopped):
        generate([make()], model=model, judge=judging, transport=servers, **options)
    again = Servers([Simulator(), Simulator()])
    (record,) = generate([make()], model=model, judge=judging, transport=again, **options).records
    assert [simulator.requests for simulator in again.simulators] == [0, 1]
    assert (record.meta["judge"]["repairs"], record.meta["judge"]["attempts"]) == (1, 2)


def test_all_that_was_answered_is_kept_before_the_judge_is_asked(tmp_path: Path) -> None:
    kept: list[int] = []

    class Looking(Watched):
        async def post(
            self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float
        ) -> Reply:
            if ASKED.encode() in body:
                kept.append(len(lines_of(tmp_path / "calls.jsonl")))
            return await super().post(url, headers, body, timeout_s)

    generate([make()], judge="sim", transport=Looking(), output=tmp_path, tasks=["description"])
    assert kept == [2]


def test_the_judge_has_limits_of_its_own() -> None:
    servers = Servers([Simulator(log_arrivals=True), Simulator(log_arrivals=True)])
    model, judging = servers.endpoints
    judging = Endpoint(model="sim", base_url=judging.base_url, limits=Limits(rpm=12))
    clips, limits = make_clips(40), Limits(concurrency=50)
    result = generate(
        clips, model=model, judge=judging, transport=servers, limits=limits, tasks=["description"]
    )
    assert len(result.records) == 40
    times = [arrival.time_s for arrival in servers.simulators[1].arrivals or ()]
    assert max(sum(at <= time < at + 60 for time in times) for at in times) <= 12
    assert result.summary.limited_by["rpm"] > 0.5


def test_a_budget_holds_for_model_and_judge_together(tmp_path: Path) -> None:
    clips = make_clips(10)
    first = generate(clips, judge="sim", budget=Budget(requests=20), output=tmp_path)
    judge = first.summary.judge
    assert judge is not None
    assert first.summary.requests + judge.requests == 20
    assert judge.requests > 0
    whole = generate(clips, judge="sim", budget=Budget(requests=2000), output=tmp_path)
    assert len(whole.records) + len(whole.rejects) == 20
    used = Manifest.read(tmp_path).counts
    assert used["judge"]["usage"]["prompt_tokens"] > 0


def test_wrong_use_of_a_judge_is_an_error_before_sending(tmp_path: Path) -> None:
    generate(make_clips(1), output=tmp_path)
    unpriced = Endpoint(model="nobody-knows", base_url="http://127.0.0.1:1/v1")
    for options, said in (
        ({"judge": 3}, "judge: give a name or an Endpoint"),
        ({"judge": "sim", "output": tmp_path}, "judge was not given, is sim"),
        ({"judge": unpriced, "budget": Budget(cost=1.0)}, "--judge-price"),
    ):
        with pytest.raises(UsageError, match=said):
            generate(make_clips(1), **options)


def test_a_judge_by_the_command_line_alone_and_by_workers(command: Command, tmp_path: Path) -> None:
    base = ("generate", CLIPS, "--model", "sim")
    judged = (*base, "--judge", "sim", "--judge-concurrency", 4, "--json")
    one = command(*judged, "-o", tmp_path / "one")
    two = command(*judged, "--workers", 2, "-o", tmp_path / "two")
    for done, name in ((one, "one"), (two, "two")):
        assert done.code == 0, done.err
        assert orjson.loads(done.out)["judge"]["requests"] == 12
        assert Manifest.read(tmp_path / name).counts["judge"]["verdicts"]["supported"] > 12
    verdicts = {
        name: {
            record.id: record.meta["judge"]["verdicts"] for record in read_records(tmp_path / name)
        }
        for name in ("one", "two")
    }
    assert verdicts["one"] == verdicts["two"]
    assert not list(read_rejects(tmp_path / "two"))
    wrong = command(*base, "--judge-rpm", 5, "-o", tmp_path / "three")
    assert (wrong.code, wrong.err) == (
        2,
        "vcgen: --judge-* options need a judge: add --judge MODEL\n",
    )


def test_the_recipe_says_how_often_the_judge_is_asked_again() -> None:
    transport = Judging(*["No."] * 4)
    tasks = [saying("The man pushes the boat away.")]
    recipe = Recipe(max_repairs=3)
    result = generate([make()], tasks=tasks, judge="sim", transport=transport, recipe=recipe)
    assert result.rejects
    assert sum(ASKED in str(body["messages"]) for body in transport.bodies) == 4
