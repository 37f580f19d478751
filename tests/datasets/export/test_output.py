"""Where an export or a card goes: made where it is missing, never over what is another's."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.common import Command
from tests.support.exports import DIRECTORIES, everything, named, record, run_of
from vcgen.data.records import Record
from vcgen.datasets.export import FORMATS, export_records, read_shuffled
from vcgen.errors import UsageError


def manifest(run: Path) -> None:
    recipe = {"language": "English", "seed": 0}
    about = {"model": "m", "tasks": ["t"], "templates": {}, "recipe": recipe}
    (run / "run.json").write_text(json.dumps({"layout": 1, "vcgen": "0.1.0", "run": about}))


@pytest.mark.parametrize("form", FORMATS)
def test_of_two_exports_at_once_the_second_is_refused(tmp_path: Path, form: str) -> None:
    output = named(form, tmp_path / "out")
    export_records([record(0), record(1)], form, output)
    alone = everything(tmp_path)

    def disturbed() -> Iterator[Record]:
        yield record(0)
        with pytest.raises(UsageError, match="cannot write: another process is writing it"):
            export_records([record(2)], form, output)
        yield record(1)

    export_records(disturbed(), form, output)
    assert everything(tmp_path) == alone


@pytest.mark.parametrize("form", FORMATS)
def test_directories_above_are_made(tmp_path: Path, form: str) -> None:
    assert export_records([record(0)], form, named(form, tmp_path / "a/b")).records == 1


@pytest.mark.parametrize("form", sorted(FORMATS.keys() - set(DIRECTORIES)))
@pytest.mark.parametrize("target", ["theirs", "nowhere"])
def test_a_link_is_neither_followed_nor_replaced(tmp_path: Path, form: str, target: str) -> None:
    (tmp_path / "theirs").write_text("theirs")
    link = named(form, tmp_path)
    link.symlink_to(tmp_path / target)
    with pytest.raises(UsageError, match="is a symbolic link"):
        export_records([record(0)], form, link)
    assert link.is_symlink()
    assert (tmp_path / "theirs").read_text() == "theirs"
    assert not (tmp_path / "nowhere").exists()


def test_an_array_of_nothing_is_short(tmp_path: Path) -> None:
    export_records([], "llava", tmp_path / "out.json")
    export_records([], "llava", tmp_path / "out.jsonl")
    assert (tmp_path / "out.json").read_text() == "[\n]\n"
    assert (tmp_path / "out.jsonl").read_text() == ""


def test_the_files_of_a_run_are_not_written_over(tmp_path: Path, command: Command) -> None:
    run = run_of(tmp_path / "run", (2, 2))
    manifest(run)
    before = everything(run)
    for name in ("records.jsonl", "records-2.jsonl", "run.json"):
        for asked in (["export", run, "--format", "llava"], ["card", run], ["check", run]):
            done = command(*asked, "-o", run / name)
            assert done.code == 2
            assert "is an input of this command" in done.err
    for form in DIRECTORIES:
        assert command("export", run, "--format", form, "-o", run).code == 2
    assert everything(run) == before


@pytest.mark.parametrize(
    "asked", ["export --format llava", "export --format llava --shuffle", "card"]
)
def test_damaged_lines_are_told(tmp_path: Path, command: Command, asked: str) -> None:
    run = run_of(tmp_path / "run", (3, 2))
    manifest(run)
    path = run / "records-2.jsonl"
    path.write_bytes(path.read_bytes().replace(b"Why?", b"Who?", 1))
    name, *options = asked.split()
    done = command(name, run, *options, "-o", tmp_path / "out.json")
    assert done.code == 0
    assert "skipped damaged lines in records-2.jsonl: 1;" in done.err
    assert "damaged lines in records.jsonl" not in done.err


def test_a_card_that_stays_is_named(tmp_path: Path, command: Command) -> None:
    run, hub = run_of(tmp_path / "run", (3,)), tmp_path / "hub"
    manifest(run)
    asked = ("export", run, "--format", "datasets", "-o", hub)
    assert "README.md" not in command(*asked, "--split", "0.5/0.5").err
    assert command("card", run, "-o", hub / "README.md").code == 0
    assert f"`vcgen card {run} -o {hub / 'README.md'}`" in command(*asked).err


@pytest.mark.parametrize("options", ["--kinds=", "--kinds=,", "--tokenizer some/model"])
def test_an_option_that_says_nothing_is_an_error(
    tmp_path: Path, command: Command, options: str
) -> None:
    run = run_of(tmp_path / "run", (1,))
    manifest(run)
    asked = ("export", run, "--format", "llava", "-o", tmp_path / "out.json")
    assert command(*asked, *options.split()).code == 2
    assert not (tmp_path / "out.json").exists()


def test_a_path_may_be_a_string(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", (3,))
    assert export_records(read_shuffled(str(run)), "llava", f"{tmp_path}/out.json").records == 3
    assert len(json.loads((tmp_path / "out.json").read_bytes())) == 3
