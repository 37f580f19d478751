"""`vcgen report`: what the page says, that it is one file, and that no run can make it fail."""

import json
import re
import shlex
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, strategies as st

import vcgen
from tests.support.common import CLIPS, ROOT, Command
from tests.support.pages import (
    PAYLOADS,
    USAGE,
    hostile_run,
    make_page,
    make_run,
    record,
    reject,
)
from vcgen.data.cleaning import with_visible
from vcgen.datasets import near_duplicates
from vcgen.datasets.report.report import evenly
from vcgen.errors import UsageError
from vcgen.pipeline.store.lines import encode_line
from vcgen.pipeline.store.manifest import GivenRates, Manifest
from vcgen.pipeline.store.read import read_records


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, which no test may change."""
    path = tmp_path_factory.mktemp("done") / "run"
    vcgen.run(CLIPS, model="sim", output=path)
    return path


class Page(HTMLParser):
    """What is in a page: elements with their attributes, and the text outside of style and script.

    Attributes:
        inlined: the contents of each `style` and `script`.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.inlined: dict[str, list[str]] = {"style": [], "script": []}
        self._within = ""
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._within = tag
        if tag in self.inlined:
            self.inlined[tag].append("")

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - the last one is within nothing
        self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within in self.inlined:
            self.inlined[self._within][-1] += data
        else:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def records(self) -> list[dict[str, str | None]]:
        return [each for each in self.all("article") if (each.get("class") or "").startswith("r")]


def test_a_run_is_a_page_of_its_records_beside_their_evidence(
    run: Path, tmp_path: Path, command: Command
) -> None:
    file = tmp_path / "report.html"
    finished = command("report", run, "-o", file, "--clips", CLIPS)
    assert (finished.code, finished.out) == (0, "")
    assert finished.err == f"12 records in {file}\n"
    page = Page(file)
    assert len(page.records) == len(page.all("aside")) == 12
    assert "Simulated." in page.text
    assert "a man in a yellow coat carries two crates along a wooden pier" in page.text
    assert "Kinds" in page.text
    assert all(each.turns[0].answer in page.text for each in read_records(run))


def test_without_clips_there_are_records_and_no_axis(run: Path, tmp_path: Path) -> None:
    page = Page(make_page(make_run(tmp_path / "run", [record("a")])))
    assert (len(page.records), page.all("aside")) == (1, [])
    assert "--clips" in page.text
    assert "Simulated." not in page.text


@pytest.mark.parametrize("is_hostile", [False, True])
def test_the_policy_names_what_is_inlined_and_nothing_else_could_act(
    tmp_path: Path, *, is_hostile: bool
) -> None:
    made = make_run(tmp_path / "run", [record("a"), reject("b")])
    page = Page(hostile_run(tmp_path / "evil") if is_hostile else make_page(made))
    [policy] = [each["content"] or "" for each in page.all("meta") if "http-equiv" in each]
    assert policy.startswith("default-src 'none'; ")
    for kind, [text] in page.inlined.items():
        assert f"{kind}-src 'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" in policy
    for tag, attributes in page.elements:
        assert tag not in {"img", "iframe", "object", "embed", "link", "base", "image", "use"}
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            assert name not in {"style", "src", "srcset", "action", "xlink:href"}, (tag, name)
            assert name != "href" or (value or "").startswith("#"), (tag, value)


def test_only_what_is_ours_is_put_in_unescaped() -> None:
    source = (files("vcgen.datasets.report") / "page.html").read_text("utf-8")
    assert re.findall(r"\{\{ (\S+) \| safe \}\}", source) == ["style", "script"]
    assert source.count("safe") == 2


def test_what_hostile_text_says_is_there_to_be_read(tmp_path: Path) -> None:
    page = Page(hostile_run(tmp_path / "evil"))
    for evil in PAYLOADS:
        assert page.text.count(with_visible(evil)) >= 10, evil


def test_hidden_characters_are_named(tmp_path: Path) -> None:
    page = Page(make_page(make_run(tmp_path / "run", [record("a", "yes\u202eno\u200b\x00")])))
    assert "yes⟨U+202E⟩no⟨U+200B⟩⟨U+0000⟩" in page.text


def test_more_records_than_are_shown_are_sampled_and_all_are_counted(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [record(f"clip-{at}") for at in range(200)])
    first = Page(make_page(run, max_shown=20))
    assert len(first.records) == 20
    assert "20 of 200, drawn evenly from the whole run" in first.text
    assert "of 200 samples" in first.text
    assert first.text == Page(make_page(run, max_shown=20)).text
    assert "All 200" in Page(make_page(run, max_shown=200)).text
    assert Page(make_page(run, max_shown=0)).records == []


@given(st.integers(0, 2_000), st.integers(0, 50))
def test_a_sample_has_one_of_each_of_equal_parts(total: int, most: int) -> None:
    places = list(evenly(total, most))
    assert len(places) == min(total, most)
    for part, place in enumerate(places if total > most else ()):
        assert part * total // most <= place < (part + 1) * total // most


def test_rejects_are_shown_by_reason_three_of_each(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [reject(f"r{at}", "it is wrong", "REPLY") for at in range(5)])
    page = Page(make_page(run))
    assert page.text.count("it is wrong") == page.text.count("REPLY") == 3
    assert "failed checks" in page.text
    assert "100\u00a0%" in page.text


def test_damage_is_counted_and_said(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [record("a"), record("b")])
    lines = (run / "records.jsonl").read_bytes().splitlines(keepends=True)
    (run / "records.jsonl").write_bytes(lines[0] + lines[1].replace(b"dog", b"cat") + lines[1][:40])
    page = Page(make_page(run))
    assert len(page.records) == 1
    assert "records.jsonl: 1 damaged line is in no figure here." in page.text


@pytest.mark.parametrize(
    "fields",
    [
        {"turns": 5},
        {"turns": [{"kind": "sad", "question": "a", "answer": "b"}]},
        {"turns": [{"kind": "causal", "question": 1, "answer": {}}]},
        {"flags": [[]]},
        {"task": None},
        {"meta": []},
        {"meta": {"usage": {"prompt_tokens": "x"}}},
        {"meta": {"usage": {"prompt_tokens": 1, "completion_tokens": 1, "else": 1}}},
        {"meta": {"usage": 5}},
        {"meta": {"ground": "high"}},
        {"meta": {"attempts": "many"}},
        {"meta": {"judge": {}}},
        {"meta": {"judge": None}},
        {"meta": {"model": ["<b>"]}},
        {"meta": {"time": 5}},
    ],
)
def test_a_row_with_its_checksum_right_that_is_no_record_is_damage(
    tmp_path: Path, command: Command, fields: dict[str, Any]
) -> None:
    run = make_run(tmp_path / "run", [record("a")])
    row = {"id": "x", "video": "v", "clip_id": "c", "task": "t", "turns": []} | fields
    with (run / "records.jsonl").open("ab") as file:
        file.write(encode_line(row))
    finished = command("report", run, "-o", tmp_path / "page.html")
    assert finished.code == 0, finished.err
    assert "1 damaged line " in Page(tmp_path / "page.html").text


def test_a_run_of_nothing_and_one_of_rejects_only_have_a_page(tmp_path: Path) -> None:
    empty = Page(make_page(make_run(tmp_path / "empty", [])))
    assert empty.records == []
    assert empty.all("figure") == []
    rejected = Page(make_page(make_run(tmp_path / "rejected", [reject("a")])))
    assert [each for each in rejected.all("section") if each.get("id") == "rejects"]


def test_a_price_that_is_not_known_is_unknown(tmp_path: Path) -> None:
    meta = {**record("a").meta, "cost": None}
    page = Page(make_page(make_run(tmp_path / "run", [record("a", meta=meta)])))
    assert "unknown" in page.text


def test_near_duplicates_that_were_not_looked_for_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near_duplicates, "RMinHash", None)
    page = Page(make_page(make_run(tmp_path / "run", [record("a")])))
    assert "Near duplicates were not looked for: pip install 'vcgen[dedup]'" in page.text


def test_the_page_takes_the_place_of_another_whole_or_not(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [record("a")])
    page = make_page(run)
    before = page.read_bytes()
    (run / "run.json").write_text("{}")
    with pytest.raises(UsageError, match="not a run directory"):
        make_page(run)
    assert page.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page.html", "run"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["{tmp}/missing", "-o", "{tmp}/page.html"], "not a run directory"),
        (["{tmp}/run", "-o", "{tmp}"], "is a directory; name a file"),
        (["{tmp}/run", "-o", "{tmp}/c.jsonl/page.html"], "cannot write"),
        (["{tmp}/run", "-o", "{tmp}/link"], "is a symbolic link"),
        (["{tmp}/run", "-o", "{tmp}/page.html", "--clips", "{tmp}/none"], "none"),
        (["{tmp}/run", "-o", "{tmp}/page.html", "--max-shown", "-1"], "--max-shown"),
        (["{tmp}/run", "-o", "{tmp}/run/run.json"], "is an input of this command"),
        (["{tmp}/run", "-o", "{tmp}/run/records.jsonl"], "is an input of this command"),
        (["{tmp}/run", "-o", "{tmp}/c.jsonl", "--clips", "{tmp}/c.jsonl"], "is an input of this"),
        (
            ["{tmp}/odd", "-o", "{tmp}/page.html"],
            "records.jsonl cannot be read: it is not a regular",
        ),
    ],
)
def test_wrong_use_is_one_line(
    tmp_path: Path, command: Command, arguments: list[str], named: str
) -> None:
    run = make_run(tmp_path / "run", [record("a")])
    (make_run(tmp_path / "odd", []) / "records.jsonl").unlink()
    (tmp_path / "odd" / "records.jsonl").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "theirs")
    (tmp_path / "c.jsonl").write_text('{"id": "a", "caption": "A dog."}\n')
    before = {file: file.read_bytes() for file in (*run.iterdir(), tmp_path / "c.jsonl")}
    finished = command("report", *(each.format(tmp=tmp_path) for each in arguments))
    assert {file: file.read_bytes() for file in before} == before
    assert (finished.code, finished.out) == (2, "")
    assert finished.err.count("\n") == 1
    assert named in finished.err


def test_the_commands_of_its_page_in_the_documentation_run(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    shell = re.findall(r"^vcgen (.*)$", (ROOT / "docs/report.md").read_text("utf-8"), re.MULTILINE)
    assert [line.split()[0] for line in shell] == ["generate", "report"]
    for line in shell:
        assert command(*shlex.split(line)).code == 0
    assert len(Page(tmp_path / "report.html").records) == 12


def test_the_limits_of_a_run_are_drawn_where_they_are_known(tmp_path: Path) -> None:
    def titles(*begun: dict[str, int | None]) -> str:
        path = tmp_path / str(len(list(tmp_path.iterdir())))
        path.mkdir()
        run = make_run(path / "run", [record("a")], limits=list(begun))
        return Page(make_page(run)).text

    assert "allowed were 600 a minute." in titles({"rpm": 600, "tpm": None})
    assert "allowed were 600 or 900 a minute." in titles(
        {"rpm": 900, "tpm": 5}, {"rpm": 600, "tpm": None}
    )
    assert "allowed" not in titles({"rpm": 600, "tpm": None}, {"rpm": None, "tpm": None})
    assert "allowed" not in titles()


@pytest.mark.parametrize(
    "begun",
    [5, None, [5], {"a": 1}, [{"rpm": 5}], [{"rpm": "x", "tpm": []}], [{"rpm": -3, "tpm": 10**99}]],
)
def test_limits_that_somebody_has_edited_are_not_known(tmp_path: Path, begun: object) -> None:
    run = make_run(tmp_path / "run", [record("a")])
    manifest = orjson.loads((run / "run.json").read_bytes())
    (run / "run.json").write_text(json.dumps({**manifest, "limits": begun}))
    assert "allowed were" not in Page(make_page(run)).text.replace("allowed were 5 a minute", "")


def test_what_is_said_of_the_evidence_is_so(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [record("a"), record("b")])
    known, other = tmp_path / "known.jsonl", tmp_path / "other.jsonl"
    known.write_text('{"id": "a", "caption": "A dog."}\n')
    other.write_text('{"id": "c", "caption": "A dog."}\n')
    assert "None of them is about a clip that was given" in Page(make_page(run, other)).text
    said = Page(make_page(run, known, other)).text
    assert "Beside each is" in said
    assert "No clip was given for 1 of the run's records" in said


def test_a_clip_that_is_given_twice_is_found_by_its_video(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [record("a", clip_id="another")])
    file = tmp_path / "clips.jsonl"
    file.write_text('{"id": "x", "video": "a.mp4", "caption": "A dog."}\n')
    assert len(Page(make_page(run, file, file)).all("aside")) == 1


def test_what_a_judge_said_is_counted_and_its_cost_is_its_own(tmp_path: Path) -> None:
    said = {"verdicts": [{"verdict": "supported", "span": "x"}], "usage": USAGE, "cost": None}
    run = make_run(tmp_path / "run", [record("a", meta={**record("a").meta, "judge": said})])
    assert re.search(r"Judge's verdicts\s*1\s*1 supported; cost unknown", Page(make_page(run)).text)


def test_a_run_names_all_limits_that_it_was_begun_with(tmp_path: Path) -> None:
    def begin(**limits: int) -> object:
        vcgen.run(CLIPS, model="sim", output=tmp_path / "run", limits=vcgen.Limits(**limits))
        return Manifest.read(tmp_path / "run").limits

    first, second = GivenRates(rpm=600_000), GivenRates(tpm=9_000_000)
    assert begin(rpm=600_000) == (first,)
    before = (tmp_path / "run" / "run.json").read_bytes()
    assert begin(rpm=600_000) == (first,)
    assert (tmp_path / "run" / "run.json").read_bytes() == before
    assert begin(tpm=9_000_000) == (first, second)
    assert begin(rpm=600_000) == (first, second)
