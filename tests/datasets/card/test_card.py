"""A dataset card: what the hub reads of it, what it says, and that no record can write on it."""

import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import DatasetCard, DatasetCardData
from markdown_it import MarkdownIt
from markdown_it.token import Token

import vcgen
from tests.support.common import CLIPS, ROOT, Command, make_clip
from vcgen.checks.codes import CODES, SeverityOverride
from vcgen.data.records import Outcome, Reason, Record, Reject, Turn
from vcgen.datasets import near_duplicates
from vcgen.datasets.card.card import REASONS, Examples, size_category, write_card
from vcgen.datasets.statistics import DatasetStatistics
from vcgen.pipeline.store.manifest import Manifest
from vcgen.pipeline.store.read import read_records
from vcgen.tasks.recipe_files import parse_recipe

PAGE = (ROOT / "docs/card.md").read_text("utf-8")
SIMULATED = "**This is simulated data. No language model wrote it: "
RENDERER = MarkdownIt("commonmark", {"html": True}).enable("table").enable("strikethrough")
OF_THE_HUB = re.findall(r"'([\w<>-]+)'", str(DatasetCardData.__doc__))
EVIL = (
    "x|y\\|z ```\n```` ~~~\n\n# Evil\n\n<script>alert(1)</script> <img src=http://evil.example/a>"
    " ![a](http://evil.example/b) [c](javascript:d) <http://evil.example/e> www.evil.example"
    " f@evil.org http://evil.example/g\n---\n- **h**\n| i | j |\n|---|---|\n| k | l |\n"
    "[m]: http://n 'o'\n@p &lt; $q$ {{ r }} `s` \\` \x1b[2J\u202e\u2028\x00\x85\ufeff"
)
MANIFEST: dict[str, Any] = {
    "layout": 1,
    "vcgen": "0.1.0",
    "started": "2026-01-02T03:04:05+00:00",
    "recipe_hash": "0123456789abcdef",
    "run": {
        "model": "gpt-4o-mini",
        "tasks": ["description"],
        "recipe": {"turns": [3, 5], "language": "English", "seed": 0, "temperature": None},
        "templates": {"describe": "0123456789abcdef"},
    },
}


def record(name: str, text: str = "A boat leaves.", **changes: Any) -> Record:
    fields = {
        "id": f"{name}/description/0",
        "video": f"{name}.mp4",
        "clip_id": name,
        "task": "description",
        "turns": (Turn("description", "What happens?", text),),
        "meta": {"model": "gpt-4o-mini-2024", "time": "2026-01-02T03:04:06+00:00", "ground": 0.9},
    }
    return Record(**{**fields, **changes})


def card(
    *outcomes: Outcome, manifest: dict[str, Any] = MANIFEST, name: str = "Boats", **options: Any
) -> str:
    data, examples = DatasetStatistics(), Examples()
    for outcome in outcomes:
        data.add(outcome)
        if isinstance(outcome, Record):
            examples.add(outcome)
    about = Manifest.from_json(manifest)
    return write_card(data, about, examples.chosen(), name=name, **options)


def header(text: str) -> dict[str, Any]:
    return values(DatasetCard(text).data)


def values(data: Any) -> dict[str, Any]:
    found: dict[str, Any] = data.to_dict()
    return found


def tokens(text: str) -> list[Token]:
    """All of a page below its header, those within lines too."""
    blocks = RENDERER.parse(DatasetCard(text).text)
    return [each for block in blocks for each in (block, *(block.children or ()))]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, which no test may change."""
    path = tmp_path_factory.mktemp("done") / "run"
    recipe = vcgen.Recipe(turns=(2, 3), temperature=0.5, seed=7, description_words=(60, 120))
    vcgen.run(CLIPS, model="sim", output=path, recipe=recipe, judge="sim")
    return path


def test_the_header_is_what_the_hub_reads() -> None:
    text = card(record("a"), record("b"), license_name="cc-by-4.0")
    assert header(text) == {
        "pretty_name": "Boats",
        "language": ["en"],
        "license": "cc-by-4.0",
        "task_categories": ["video-text-to-text"],
        "size_categories": ["n<1K"],
        "annotations_creators": ["machine-generated"],
        "language_creators": ["machine-generated"],
        "tags": ["synthetic", "video", "instruction-tuning", "vcgen"],
    }
    assert "machine-generated" in OF_THE_HUB
    assert values(DatasetCardData(**header(text))) == header(text)
    assert header(str(DatasetCard(text))) == header(text)


def test_questions_are_a_task_of_their_own() -> None:
    turns = (Turn("causal", "Why does it leave?", "It goes fishing."),)
    assert header(card(record("a", turns=turns)))["task_categories"] == [
        "video-text-to-text",
        "visual-question-answering",
    ]


@pytest.mark.parametrize(
    ("records", "category"),
    [
        (0, "n<1K"),
        (999, "n<1K"),
        (1000, "1K<n<10K"),
        (11_000, "10K<n<100K"),
        (999_999, "100K<n<1M"),
        (10**6, "1M<n<10M"),
        (10**11, "100B<n<1T"),
        (10**12, "n>1T"),
        (10**15, "n>1T"),
    ],
)
def test_sizes_are_the_hubs(records: int, category: str) -> None:
    assert size_category(records) == category
    assert category in OF_THE_HUB


@pytest.mark.parametrize(
    ("language", "codes"),
    [
        ("English", ["en"]),
        ("zh-CN", ["zh"]),
        ("no", ["no"]),
        ("pt_BR", ["pt"]),
        ("Old English", None),
        ("Klingon", None),
    ],
)
def test_a_language_is_named_by_its_code_or_not_at_all(
    language: str, codes: Sequence[str] | None
) -> None:
    recipe = {**MANIFEST["run"]["recipe"], "language": language}
    manifest = {**MANIFEST, "run": {**MANIFEST["run"], "recipe": recipe}}
    assert header(card(record("a"), manifest=manifest)).get("language") == codes


def test_a_card_says_what_the_run_counted(run: Path, command: Command) -> None:
    text = command("card", run).out
    records = list(read_records(run))
    turns = [turn for each in records for turn in each.turns]
    assert f"{len(records)} records with {len(turns)} questions and answers, in English" in text
    assert "| `conversation` | 6 |" in text
    causal = [turn for turn in turns if turn.kind == "causal"]
    assert f"| `causal` | {len(causal)} |" in text
    manifest = Manifest.read(run)
    for name, digest in manifest.templates.items():
        assert f"| `{name}` | `{digest}` |" in text
    assert f"| `{manifest.recipe_hash}` |" in text
    for verdict, count in manifest.counts["judge"]["verdicts"].items():
        assert f"| answers the judge calls: {verdict} | {count} |" in text


def test_what_was_left_out_and_flagged_is_named_with_its_meaning() -> None:
    flagged = record("a", flags=("order", "of-another-version"))
    reject = Reject(id="b", reason=Reason.LEAK, message=EVIL, reply=EVIL)
    text = card(flagged, reject)
    assert "Of 2 samples and rows, 1 became no record (50.0%)." in text
    assert f"| `leak` | 1 | {REASONS[Reason.LEAK]} |" in text
    assert f"| `order` | 1 | {CODES['order'].meaning} |" in text
    assert "| `of-another-version` | 1 |  |" in text
    assert "evil" not in text
    assert "No record is flagged." in card(record("a"))


def test_every_reason_has_its_meaning() -> None:
    assert REASONS.keys() == set(Reason)


def test_simulated_data_says_so_at_the_top_in_bold_and_in_its_name(
    run: Path, command: Command
) -> None:
    text = command("card", run, "--name", "Boats").out
    assert DatasetCard(text).text.strip().startswith(f"# Boats (simulated)\n\n{SIMULATED}")
    assert "Train nothing on it.**\n" in text
    assert header(text)["pretty_name"] == "Boats (simulated)"
    assert "simulated" in header(text)["tags"]
    assert "imulat" not in card(record("a"))
    assert SIMULATED in card(record("a"), record("b", meta={"model": "sim"}))


def test_two_tasks_are_shown_and_always_by_the_same_records() -> None:
    records = [record(f"{n}") for n in range(20)]
    others = [record(f"{n}", task="conversation", id=f"{n}/conversation/0") for n in range(20)]
    text = card(*records, *others)
    shown = [json.loads(each) for each in blocks(text, "json")]
    assert [each["task"] for each in shown] == ["conversation", "description"]
    assert card(*reversed(others), *reversed(records)) == card(*others, *records)
    assert len(blocks(card(*records), "json")) == 2
    assert len(blocks(card(record("a")), "json")) == 1


def test_an_example_is_the_record() -> None:
    text = card(record("a", 'A "boat" leaves.\n船が出る。', flags=("order",)))
    (shown,) = blocks(text, "json")
    assert json.loads(shown) == {
        "id": "a/description/0",
        "video": "a.mp4",
        "clip_id": "a",
        "task": "description",
        "turns": [
            {
                "kind": "description",
                "question": "What happens?",
                "answer": 'A "boat" leaves.\n船が出る。',
            }
        ],
        "flags": ["order"],
    }
    assert "船が出る" in shown


def test_no_text_of_a_record_can_make_anything_of_the_page() -> None:
    evil = record(
        EVIL,
        EVIL,
        id=EVIL,
        video=EVIL,
        task=EVIL,
        turns=(Turn("description", EVIL, EVIL),),
        flags=(EVIL,),
        meta={"model": EVIL},
    )
    harmless = record("a", flags=("a",), meta={"model": "a"})
    manifest = {
        **MANIFEST,
        "vcgen": EVIL,
        "recipe_hash": EVIL,
        "run": {
            **MANIFEST["run"],
            "model": EVIL,
            "judge": EVIL,
            "tasks": [EVIL],
            "recipe": {**MANIFEST["run"]["recipe"], "language": EVIL},
            "templates": {EVIL: EVIL},
        },
    }
    text = card(evil, manifest=manifest, name=EVIL, files=[f"{EVIL}.parquet"])
    run = {**MANIFEST["run"], "judge": "a", "tasks": ["a"]}
    plain = card(harmless, manifest={**MANIFEST, "run": run})
    found, expected = tokens(text), tokens(plain)
    assert not {each.type for each in found} & {"link_open", "image", "html_block", "html_inline"}
    shape = {"table_open", "tr_open", "td_open", "heading_open", "fence", "hr", "list_item_open"}
    assert [each.type for each in found if each.type in shape] == [
        each.type for each in expected if each.type in shape
    ]
    told = " ".join(each.content for each in found if each.type == "text")
    assert not re.search(r"evil|@|www|://", told)
    assert all(each.isprintable() or each == "\n" for each in text)
    assert set(header(text)) - {"language"} == set(header(plain)) - {"language"}


def test_very_long_texts_are_cut() -> None:
    text = card(record("a", "word " * 100_000, task="t" * 100_000))
    assert len(text) < 15_000


def test_the_recipe_and_the_command_on_the_card_make_the_same_records(
    run: Path, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = command("card", run).out
    monkeypatch.chdir(tmp_path)
    (recipe,) = blocks(text, "toml")
    Path("recipe.toml").write_text(recipe)
    Path("clips.jsonl").write_bytes(Path(CLIPS).read_bytes())
    (line,) = blocks(text, "sh")
    assert command(*shlex.split(line)[1:]).code == 0
    done = Path("runs/again")
    assert [Manifest.read(path).to_json()["run"] for path in (done, run)] == [
        Manifest.read(run).to_json()["run"]
    ] * 2
    turns = [{each.id: each.turns for each in read_records(path)} for path in (run, done)]
    assert turns[0] == turns[1]


def test_weights_checks_and_odd_strings_are_in_the_recipe_too(
    tmp_path: Path, command: Command
) -> None:
    language = 'A "b" \\ ⛵'
    tasks = ("description", "conversation")
    checks: dict[str, SeverityOverride] = {"order": "reject", "markdown": "off"}
    recipe = vcgen.Recipe(tasks=tasks, weights=(7.0, 4.5), language=language, checks=checks)
    vcgen.run([make_clip()], model="sim", output=tmp_path / "run", recipe=recipe)
    (written,) = blocks(command("card", tmp_path / "run").out, "toml")
    assert parse_recipe(written) == recipe
    assert "These checks were off: `markdown`." in command("card", tmp_path / "run").out


def test_files_of_parquet_are_named_by_split_for_the_viewer(
    run: Path, tmp_path: Path, command: Command
) -> None:
    (tmp_path / "data").mkdir()
    names = ("data/train-00000-of-00002", "data/train-00001-of-00002", "mine-validation", "other")
    for name in names:
        (tmp_path / f"{name}.parquet").touch()
    assert command("card", run, "-o", tmp_path / "README.md").code == 0
    assert header((tmp_path / "README.md").read_text("utf-8"))["configs"] == [
        {
            "config_name": "default",
            "data_files": [
                {"split": "train", "path": ["data/train-*.parquet", "other.parquet"]},
                {"split": "validation", "path": ["mine-validation.parquet"]},
            ],
        }
    ]


def test_a_data_set_with_its_card_loads(run: Path, tmp_path: Path, command: Command) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    datasets = pytest.importorskip("datasets")
    (tmp_path / "hub/data").mkdir(parents=True)
    for split, rows in (("train", 3), ("validation", 2)):
        table = arrow.table({"id": [f"{split}-{n}" for n in range(rows)]})
        parquet.write_table(table, tmp_path / f"hub/data/{split}-00000-of-00001.parquet")
    command("card", run, "-o", tmp_path / "hub/README.md")
    loaded = datasets.load_dataset(str(tmp_path / "hub"), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in loaded.items()} == {"train": 3, "validation": 2}


def test_a_run_without_records_and_one_of_an_older_version_have_cards(
    tmp_path: Path, command: Command
) -> None:
    vcgen.run([{"id": "none"}], model="sim", output=tmp_path / "empty")
    for path, records in ((tmp_path / "empty", 0), (ROOT / "tests/support/run_of_0_1_0", 4)):
        finished = command("card", path)
        assert finished.code == 0
        assert f" {records} records with " in finished.out
        assert header(finished.out)["size_categories"] == ["n<1K"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["{tmp}"], "not a run directory"),
        (["{run}", "--license", "CC BY 4.0"], "'CC BY 4.0'"),
        (["{run}", "-o", "{tmp}"], "is a directory"),
        (["{run}", "-o", "/dev/null"], "not a regular file"),
    ],
)
def test_wrong_use_is_one_line(
    run: Path, tmp_path: Path, command: Command, arguments: list[str], named: str
) -> None:
    finished = command("card", *(each.format(tmp=tmp_path, run=run) for each in arguments))
    assert (finished.code, finished.out) == (2, "")
    assert finished.err.count("\n") == 1
    assert named in finished.err


def test_the_commands_of_the_page_run(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hub").mkdir()
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    lines = [line for block in blocks(PAGE, "sh") for line in block.splitlines()]
    for line in lines:
        finished = command(*shlex.split(line, comments=True)[1:])
        assert finished.code == 0, (line, finished.err)
    found = header((tmp_path / "hub/README.md").read_text("utf-8"))
    keys = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE))))
    assert keys == found.keys() | {"configs"}
    assert found["license"] == "cc-by-4.0"


def test_a_run_without_records_has_no_empty_tables() -> None:
    text = card(Reject(id="a/t/0", reason=Reason.TIMEOUT, message="late"))
    assert "| task |" not in text
    assert "| kind |" not in text
    assert "| `timeout` | 1 |" in text


def test_a_card_takes_the_place_of_no_file_of_its_run(tmp_path: Path, command: Command) -> None:
    run = tmp_path / "run"
    vcgen.run(CLIPS, model="sim", output=run)
    before = (run / "run.json").read_bytes()
    assert command("card", run, "-o", run / "run.json").code == 2
    assert (run / "run.json").read_bytes() == before


def test_near_duplicates_that_were_not_looked_for_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "| answers nearly as of another record | 0 |" in card(record("a"))
    monkeypatch.setattr(near_duplicates, "RMinHash", None)
    assert "| answers nearly as of another record | not looked for |" in card(record("a"))
