import json
import os
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, strategies as st

from tests.support import hostile
from tests.support.common import Command, Watched, generate, make_clip
from tests.support.replies import survive
from tests.support.simulated import PROMPTS, prompt
from vcgen.checks.checker import check
from vcgen.checks.leaks import find_leaks
from vcgen.data.readers.read import read_clips
from vcgen.data.records import Turn
from vcgen.datasets.export import FORMATS
from vcgen.tasks.conversation import Conversation
from vcgen.tasks.evidence import fence, render_evidence
from vcgen.tasks.parsing import MAX_REPLY_CHARACTERS, parse

TASKS = ["description", "conversation", "conversation-selfchat"]
IN_A_RUN = {"run.json", "records.jsonl", "rejects.jsonl", "calls.jsonl", ".lock"}


def test_hostile_replies_are_records_or_rejects(tmp_path: Path) -> None:
    answered, outcomes, _ = survive(tmp_path, replies=600, seed=1)
    assert answered >= 600
    assert outcomes["record"]
    assert len(outcomes) >= 3


@pytest.mark.parametrize("piece", hostile.REPEATED)
def test_a_long_reply_is_judged_in_time_that_grows_with_its_length_alone(piece: str) -> None:
    # One that grows with its square takes hours for these, and the test's time is over.
    text = "<" + piece * (MAX_REPLY_CHARACTERS // 8 // len(piece))
    check([Turn("causal", "Why?", text)], make_clip())
    find_leaks(text, [PROMPTS.render("refine", {"draft": ""})[0].content], text)
    parse(text, Conversation)


def test_hostile_ids_name_no_file(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = Random(0)  # noqa: S311 - repeatable draws
    work = tmp_path / "a" / "b" / "work"
    work.mkdir(parents=True)
    (work / "speech").mkdir()
    (work / "speech" / "some.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nHello.\n")
    (tmp_path / "a" / "escape.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nSecret.\n")
    monkeypatch.chdir(work)
    names = [*hostile.IDS, *(hostile.name(random, at) for at in range(500))]
    rows = [
        {"id": name, "video": random.choice((name, "", "../escape.mp4")), "caption": "A boat."}
        for name in names
    ]
    (work / "clips.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    asked = ("generate", "clips.jsonl", "--model", "sim", "--tasks", "description", "-o", "run")
    assert command(*asked, "--transcripts", "speech").code == 0
    (work / "out").mkdir()
    for form in FORMATS:
        assert command("export", "run", "--format", form, "-o", f"out/{form}.jsonl").code == 0
    assert command("show", "run").code == 0
    made = {Path(at) / file for at, _, files in os.walk(tmp_path) for file in files}
    inside = {path.relative_to(work) for path in made - {tmp_path / "a" / "escape.srt"}}
    expected = {Path("run") / name for name in IN_A_RUN} | {
        Path("out", name)
        for name in (
            *(f"{form}.jsonl" for form, each in FORMATS.items() if not each.is_directory),
            "internvl.meta.json",
            "dataset_info.json",
            "datasets.jsonl/.vcgen-export",
            "datasets.jsonl/data/train-00000-of-00001.parquet",
            "webdataset.jsonl/.vcgen-export",
            "webdataset.jsonl/train-000000.tar",
        )
    }
    assert inside == expected | {Path("clips.jsonl"), Path("speech/some.srt")}
    told = (work / "run" / "records.jsonl").read_text("utf-8")
    assert "Secret" not in told
    assert told.count("\n") >= 500


def test_hostile_evidence_is_placed_as_it_is_and_changes_no_message() -> None:
    random = Random(0)  # noqa: S311 - repeatable draws
    transport = Watched()
    clips = [hostile.clip(random, f"clip-{at}") for at in range(150)]
    generate(clips, tasks=TASKS, transport=transport)
    assert len(transport.bodies) >= 450
    for body in transport.bodies:
        roles = [message["role"] for message in body["messages"]]
        assert roles == ["system", *(["user", "assistant"] * len(roles))[: len(roles) - 1]]
        assert len(roles) % 2 == 0
        system, user = (message["content"] for message in body["messages"][:2])
        assert not any(bit in system for bit in ("{{", "evil", "<|", "\u202e", "8191"))
        assert "\u202e" not in user


@pytest.mark.parametrize("seed", range(20))
def test_strangers_text_is_never_evaluated_and_stays_between_its_fences(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - repeatable draws
    for at in range(100):
        clip = hostile.clip(random, f"clip-{at}")
        evidence = render_evidence(clip)
        first, *lines, last = evidence.split("\n")
        assert last == first.replace("=== evidence", "=== end of evidence")
        assert not any(first in line or last in line for line in lines)
        assert clip.caption is None or f"Caption: {clip.caption}" in lines
        system, user = prompt("describe", clip, min_words=4, max_words=9)
        calm = prompt("describe", make_clip(), min_words=4, max_words=9)
        assert system == calm[0]
        assert user.content.startswith(evidence)
        assert user.content.removeprefix(evidence) == calm[1].content.removeprefix(
            render_evidence(make_clip())
        )


def test_no_two_texts_share_a_fence() -> None:
    fences = {fence("evidence", str(number)).split("\n")[0] for number in range(100_000)}
    assert len(fences) == 100_000


HIDDEN = "\u0000\u001b\u007f\u0085\u061c\u200b\u200e\u202e\u2066\u2069\ufeff\U000e0041\U000e007f"


@given(st.text("a \n" + HIDDEN))
def test_what_hides_in_evidence_is_not_shown(text: str) -> None:
    spoken = {"start": 1, "end": 2, "text": f"{text}!", "source": "speech"}
    clip = make_clip(caption=f"A {text} boat.", summary=text, tags=[text, "b"], segments=[spoken])
    assert not set(render_evidence(clip)) & set(HIDDEN)


def test_ids_are_data_of_every_reader(tmp_path: Path) -> None:
    captioned = {name: {"timestamps": [[0, 1]], "sentences": ["A boat."]} for name in hostile.IDS}
    path = tmp_path / "captions.json"
    path.write_text(json.dumps(captioned), "utf-8")
    assert len(list(read_clips(path))) == len(hostile.IDS)
    assert sorted(tmp_path.iterdir()) == [path]
