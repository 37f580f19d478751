"""Paths are looked at again: a run whose directory is deleted or moved stops, and says so."""

import json
import os
import shutil
import socket
from collections.abc import Callable, Mapping
from contextlib import closing
from itertools import product
from pathlib import Path

import pytest

from tests.support.common import Command, Finished, Serving, generate, lines_of, make_clips
from vcgen.errors import StoreError
from vcgen.pipeline.store.directory import RunDirectory
from vcgen.pipeline.store.manifest import Manifest
from vcgen.pipeline.store.read import read_records
from vcgen.sim import SimReply, SimTransport, Simulator

CLIPS = 3000
LATENCY_S = 0.1
IN_FLIGHT = 8
# Two looks a quarter of a second apart, and what is in flight when the second one is over.
MOST_MORE = int(1.0 / LATENCY_S * IN_FLIGHT)


class Meddling(Simulator):
    """Does something to the run directory at the n-th request."""

    def __init__(self, number: int, meddle: Callable[[], object]) -> None:
        super().__init__(latency_s=LATENCY_S)
        self._number = number
        self._meddle = meddle

    def answer(self, headers: Mapping[str, str], body: bytes, now: float) -> SimReply:
        answer = super().answer(headers, body, now)
        if self.requests == self._number:
            self._meddle()
        return answer


def replace_records(run: Path) -> None:
    other = run.parent / "other"
    other.write_text("")
    other.rename(run / "records.jsonl")


MEDDLING: dict[str, tuple[Callable[[Path], object], str]] = {
    "deleted": (shutil.rmtree, "run was deleted or replaced"),
    "moved": (lambda run: run.rename(run.with_name("elsewhere")), "run was moved"),
    "without its records": (
        lambda run: (run / "records.jsonl").unlink(),
        "records.jsonl was deleted or replaced",
    ),
    "with other records": (replace_records, "records.jsonl was deleted or replaced"),
    "with emptied records": (
        lambda run: os.truncate(run / "records.jsonl", 0),
        "records.jsonl was cut short",
    ),
    "without its lock": (lambda run: (run / ".lock").unlink(), ".lock was deleted or replaced"),
}


@pytest.mark.parametrize("how", MEDDLING)
def test_a_run_stops_within_a_second_of_the_loss_of_its_path(tmp_path: Path, how: str) -> None:
    meddle, message = MEDDLING[how]
    run = tmp_path / "run"
    simulator = Meddling(400, lambda: meddle(run))
    with pytest.raises(StoreError, match=message):
        generate(make_clips(CLIPS), output=run, transport=SimTransport(simulator))
    assert 400 <= simulator.requests <= 400 + MOST_MORE


def test_a_directory_that_took_the_place_of_a_moved_one_is_left_alone(tmp_path: Path) -> None:
    run, other = tmp_path / "run", tmp_path / "other"
    generate(make_clips(5), output=other)
    with (other / "records.jsonl").open("ab") as records:
        records.write(b'{"id":"clip-9/x/0","torn')  # it is not this run's to repair
    before = {path.name: path.read_bytes() for path in other.iterdir()}

    def swap() -> None:
        run.rename(tmp_path / "moved")
        other.rename(run)

    with pytest.raises(StoreError, match="run was moved"):
        generate(make_clips(50), output=run, transport=SimTransport(Meddling(99, swap)))
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before
    made = [*read_records(tmp_path / "moved")]
    assert made
    generate(make_clips(50), output=tmp_path / "moved")
    assert [*read_records(tmp_path / "moved")][: len(made)] == made


def test_a_run_that_changes_its_working_directory_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    simulator = Meddling(20, lambda: os.chdir("/"))
    result = generate(make_clips(50), output="run", transport=SimTransport(simulator))
    assert result.summary.samples == 100
    assert json.loads((tmp_path / "run" / "run.json").read_bytes())["counts"]["records"]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("how", ["deleted", "moved"])
def test_the_command_says_in_one_line_that_the_directory_is_gone(
    command: Command, serving: Serving, tmp_path: Path, workers: int, how: str
) -> None:
    run, clips = tmp_path / "run", tmp_path / "clips.jsonl"
    rows = [{"id": clip.id, "caption": clip.caption} for clip in make_clips(CLIPS)]
    clips.write_text("".join(json.dumps(row) + "\n" for row in rows))
    meddle, message = MEDDLING[how]
    simulator = Meddling(100, lambda: meddle(run))
    where = ("--base-url", serving(simulator), "--concurrency", IN_FLIGHT, "-o", run)
    asked = ("generate", clips, "--model", "sim", *where, "--workers", workers, "--json")
    finished = command(*asked)
    assert finished.code == 1
    assert finished.err.count("\n") == 1
    assert message in finished.err
    assert "records so far" not in finished.err
    assert json.loads(finished.out)["records"] == 0
    assert simulator.requests <= 100 + 2 * MOST_MORE  # the machine may be slow
    assert not run.exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_lines_that_are_gone_are_not_counted(
    command: Command, serving: Serving, tmp_path: Path, workers: int
) -> None:
    run, clips = tmp_path / "run", tmp_path / "clips.jsonl"
    rows = [{"id": clip.id, "caption": clip.caption} for clip in make_clips(CLIPS)]
    clips.write_text("".join(json.dumps(row) + "\n" for row in rows))
    last = run / ("records.jsonl" if workers == 1 else "records-2.jsonl")
    where = ("--base-url", serving(Meddling(100, last.unlink)), "--concurrency", IN_FLIGHT)
    asked = ("generate", clips, "--model", "sim", *where, "-o", run, "--workers", workers)
    finished = command(*asked, "--json")
    assert finished.code == 1
    assert f"{last.name} was deleted" in finished.err
    left = sum(len(lines_of(path)) for path in run.glob("records*.jsonl"))
    assert json.loads(finished.out)["records"] == left


def test_what_a_moved_run_has_left_to_do_is_done_in_its_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two looks, nothing is read from or written to what has taken its path."""
    run, moved = tmp_path / "run", tmp_path / "moved"
    manifest = Manifest(model="sim")
    with closing(RunDirectory.open(run, manifest)) as store:
        store.keep_call({"id": "key", "text": "ours"})
    with closing(RunDirectory.open(run, manifest)) as store:
        store.records = 1  # so that there are totals to write
        run.rename(moved)
        other = RunDirectory.open(run, manifest)
        other.keep_call({"id": "key", "text": "theirs"})
        other.close()
        before = (run / "run.json").read_bytes()
        call = store.find_call("key")
        assert call is not None
        assert call["text"] == "ours"
        monkeypatch.setattr(RunDirectory, "_require_in_place", lambda _: None)
        store.finish()
    assert (run / "run.json").read_bytes() == before
    assert "counts" in json.loads((moved / "run.json").read_bytes())


def test_a_run_that_adds_nothing_does_not_end_well_without_its_directory(tmp_path: Path) -> None:
    with closing(RunDirectory.open(tmp_path / "run", Manifest())) as store:
        shutil.rmtree(tmp_path / "run")
        with pytest.raises(StoreError, match="deleted"):
            store.finish()


def test_a_worker_without_its_file_leaves_those_of_others_alone(tmp_path: Path) -> None:
    with closing(RunDirectory.open(tmp_path, Manifest())):
        torn = b'{"id":"clip-1/x/0","half a line'
        (tmp_path / "records.jsonl").write_bytes(torn)
        with closing(RunDirectory.join(tmp_path, 2)) as worker:
            (tmp_path / "records-2.jsonl").unlink()
            with pytest.raises(StoreError, match=r"records-2\.jsonl was deleted"):
                worker.settle()
        assert (tmp_path / "records.jsonl").read_bytes() == torn


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        # A socket's path is short.
        directory = os.open(path.parent, os.O_RDONLY)
        listening.bind(f"/proc/self/fd/{directory}/{path.name}")
        os.close(directory)


SPECIAL: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "socket": make_socket,
    "directory": Path.mkdir,
    "link to itself": lambda path: path.symlink_to(path.name),
}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run; tests copy it."""
    run = tmp_path_factory.mktemp("done") / "run"
    generate(make_clips(3), output=run)
    return run


def commands_on(command: Command, run: Path, clips: Path) -> dict[str, Finished]:
    aside = run.with_name("aside")
    aside.mkdir()
    return {
        "show": command("show", run),
        "check": command("check", run),
        "export": command("export", run, "--format", "llava", "-o", aside / "out.json"),
        "shuffled": command(
            "export", run, "--format", "llava", "-o", aside / "out.json", "--shuffle"
        ),
        "card": command("card", run),
        "report": command("report", run, "-o", aside / "page.html"),
        "retry": command("retry", run),
        "generate": command("generate", clips, "--model", "sim", "-o", run),
    }


READ_BY = {
    "run.json": {"show", "check", "export", "shuffled", "card", "report", "retry", "generate"},
    "records.jsonl": {"show", "check", "export", "shuffled", "card", "report", "retry", "generate"},
    "records-2.jsonl": {"show", "check", "export", "shuffled", "card", "report", "generate"},
    "rejects.jsonl": {"card", "report", "retry", "generate"},
    "calls.jsonl": {"retry", "generate"},
    "retried.jsonl": {"retry", "generate"},
    ".lock": {"retry", "generate"},
    "records.jsonl.bad": {"retry", "generate"},
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("name", "kind"),
    [*product(READ_BY, ["pipe"]), *product(["run.json", "records.jsonl", ".lock"], SPECIAL)],
)
def test_what_is_no_regular_file_is_an_error_and_no_wait(
    command: Command, done: Path, tmp_path: Path, name: str, kind: str
) -> None:
    run, clips = tmp_path / "run", tmp_path / "clips.jsonl"
    shutil.copytree(done, run)
    clips.write_text('{"id": "a", "caption": "A boat leaves."}\n')
    (run / name).unlink(missing_ok=True)
    SPECIAL[kind](run / name)
    finished = commands_on(command, run, clips)
    failed = {which for which, each in finished.items() if each.code}
    assert failed >= READ_BY[name]
    for which in failed:
        assert finished[which].code in {1, 2}
        assert finished[which].err.count("\n") == 1


def test_a_run_of_another_directory_is_not_repaired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task may change the working directory, and the path of the run may be relative."""
    torn = tmp_path / "b/run/records.jsonl"
    for place in (tmp_path / "a", torn.parent):
        place.mkdir(parents=True)
    torn.write_text("another run's line")
    monkeypatch.chdir(tmp_path / "a")
    store = RunDirectory.open(Path("run"), Manifest(model="sim"))
    monkeypatch.chdir(tmp_path / "b")
    (tmp_path / "a/run/rejects.jsonl").unlink()
    with closing(store), pytest.raises(StoreError, match="was deleted"):
        store.settle()
    assert torn.read_text() == "another run's line"
