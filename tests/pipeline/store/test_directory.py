import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from vcgen.data.records import Reason, Record, Reject, Turn
from vcgen.errors import StoreError, UsageError
from vcgen.pipeline.store.directory import RunDirectory
from vcgen.pipeline.store.manifest import Manifest
from vcgen.pipeline.store.read import read_records, read_rejects

CONTENT: dict[str, Any] = {
    "layout": 1,
    "run": {
        "model": "sim",
        "recipe": {"turns": (3, 5), "seed": 0},
        "templates": {"describe": "0a1b", "converse": "2c3d"},
    },
}
MANIFEST = Manifest.from_json(CONTENT)


def record(at: int) -> Record:
    turns = (Turn("causal", "Why?", "So that the boat is free."),)
    return Record(id=f"clip-{at}/x/0", video="a.mp4", clip_id=f"clip-{at}", task="x", turns=turns)


def reject(at: int) -> Reject:
    return Reject(id=f"clip-{at}/y/0", reason=Reason.REFUSAL, message="the model refused")


@contextmanager
def opened(path: Path) -> Iterator[RunDirectory]:
    run = RunDirectory.open(path, MANIFEST)
    try:
        yield run
    finally:
        run.close()


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file may grow past `size` bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def fill(path: Path, count: int = 5) -> None:
    with opened(path) as run:
        for at in range(count):
            run.add(record(at))
            run.add(reject(at))
            run.keep_call({"id": f"key-{at}", "completion": {"text": "x" * at}})
        run.sync()


def add_until_full(run: RunDirectory) -> None:
    for at in range(2, 50):
        run.add(record(at))


def test_added_outcomes_are_there_after_reopening(tmp_path: Path) -> None:
    fill(tmp_path / "run", 3)
    with opened(tmp_path / "run") as run:
        assert (run.records, run.rejects) == (3, {"refusal": 3})
        assert run.is_done("clip-1/x/0")
        assert run.is_done("clip-1/y/0")
        assert not run.is_done("clip-3/x/0")
        assert run.find_call("key-2") == {"id": "key-2", "completion": {"text": "xx"}}
        assert run.find_call("key-9") is None
        assert run.damaged == {}
    assert list(read_records(tmp_path / "run")) == [record(at) for at in range(3)]
    assert list(read_rejects(tmp_path / "run")) == [reject(at) for at in range(3)]


def test_opening_and_closing_changes_no_byte(tmp_path: Path) -> None:
    fill(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with opened(tmp_path):
        pass
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("name", ["records.jsonl", "rejects.jsonl", "calls.jsonl"])
def test_a_cut_anywhere_costs_only_the_line_it_is_in(tmp_path: Path, name: str) -> None:
    fill(tmp_path)
    whole = (tmp_path / name).read_bytes()
    starts = [0] + [at + 1 for at, byte in enumerate(whole) if byte == ord("\n")]
    for end in range(starts[-4], len(whole)):
        (tmp_path / name).write_bytes(whole[:end])
        with opened(tmp_path) as run:
            assert run.damaged == {}
        assert (tmp_path / name).read_bytes() == whole[: max(s for s in starts if s <= end + 1)]


@pytest.mark.parametrize("name", ["records.jsonl", "rejects.jsonl", "calls.jsonl"])
def test_damaged_lines_are_moved_aside_and_named(tmp_path: Path, name: str) -> None:
    fill(tmp_path)
    lines = (tmp_path / name).read_bytes().splitlines(keepends=True)
    lines[1] = (
        lines[1].replace(b"clip_id", b"clip_1d").replace(b"key", b"kez").replace(b"no", b"nn")
    )
    lines[1] = lines[1].replace(b"refused", b"refuzed")
    lines[3] = b"\x00" * 40 + b"\n"
    (tmp_path / name).write_bytes(b"".join(lines) + lines[0][:10])
    with opened(tmp_path) as run:
        assert run.damaged == {name: 2}
    assert (tmp_path / name).read_bytes() == lines[0] + lines[2] + lines[4]
    assert (tmp_path / f"{name}.bad").read_bytes() == lines[1] + lines[3]
    with opened(tmp_path) as run:
        assert run.damaged == {}


def test_calls_are_found_after_a_repair(tmp_path: Path) -> None:
    fill(tmp_path)
    path = tmp_path / "calls.jsonl"
    path.write_bytes(path.read_bytes().replace(b"key-1", b"key-x"))
    for _ in range(2):
        with opened(tmp_path) as run:
            found = [run.find_call(f"key-{at}") for at in range(5)]
        assert [row and row["completion"]["text"] for row in found] == [
            "",
            None,
            "xx",
            "x" * 3,
            "x" * 4,
        ]


def test_the_first_of_two_answers_of_one_key_is_found(tmp_path: Path) -> None:
    with opened(tmp_path) as run:
        for text in ("first", "second"):
            run.keep_call({"id": "key", "text": text * 50_000})
    with opened(tmp_path) as run:
        assert run.find_call("key") == {"id": "key", "text": "first" * 50_000}


def test_an_answer_under_another_key_is_not_taken(tmp_path: Path) -> None:
    fill(tmp_path, 1)
    with opened(tmp_path) as run:
        # As if the hashes of the two keys were the same.
        path = tmp_path / "calls.jsonl"
        path.write_bytes(path.read_bytes().replace(b"key-0", b"key-1"))
        assert run.find_call("key-0") is None


def test_a_damaged_outcome_is_not_done(tmp_path: Path) -> None:
    fill(tmp_path)
    path = tmp_path / "records.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"clip-2/x/0"', b'"clip-7/x/0"'))
    with opened(tmp_path) as run:
        assert [at for at in range(9) if run.is_done(f"clip-{at}/x/0")] == [0, 1, 3, 4]
        assert run.records == 4


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path), pytest.raises(UsageError, match="another process is writing"):
        RunDirectory.open(tmp_path, MANIFEST)
    with opened(tmp_path):
        pass


def test_a_directory_another_process_writes_is_refused(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from vcgen.pipeline.store.directory import RunDirectory\n"
        "from vcgen.pipeline.store.manifest import Manifest\n"
        "run = RunDirectory.open(Path(sys.argv[1]), Manifest())\n"
        "print('open', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(UsageError, match="another process is writing"):
            RunDirectory.open(tmp_path, MANIFEST)
        other.communicate()


def test_a_process_that_inherits_the_lock_holds_the_directory(tmp_path: Path) -> None:
    with opened(tmp_path) as run:
        command = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"]
        worker = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=(run.lock_descriptor,),
        )
    with worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"\n"
        with pytest.raises(UsageError, match="another process is writing"):
            RunDirectory.open(tmp_path, MANIFEST)
        worker.communicate()
    with opened(tmp_path):
        pass


@pytest.mark.parametrize(
    ("part", "value", "said"),
    [
        ("model", "gpt-4o", "model was sim, is gpt-4o"),
        ("recipe", {"turns": (2, 4), "seed": 0}, r"recipe.turns was \[3, 5\], is \[2, 4\]"),
        (
            "templates",
            {"describe": "ffff", "converse": "2c3d"},
            "templates.describe was 0a1b, is ffff",
        ),
        ("templates", {"converse": "2c3d"}, "templates.describe was 0a1b, is not given"),
    ],
)
def test_another_run_is_refused_with_the_change(
    tmp_path: Path, part: str, value: object, said: str
) -> None:
    fill(tmp_path)
    with pytest.raises(UsageError, match=f"{said}; choose another|\\({said}\\)"):
        RunDirectory.open(tmp_path, Manifest.from_json({"run": CONTENT["run"] | {part: value}}))
    with opened(tmp_path):
        pass


def test_every_change_is_named(tmp_path: Path) -> None:
    fill(tmp_path)
    now = {"model": "b", "recipe": {"turns": (3, 5), "seed": 1}, "templates": {}}
    with pytest.raises(UsageError) as caught:
        RunDirectory.open(tmp_path, Manifest.from_json({"run": now}))
    assert all(word in str(caught.value) for word in ("model", "recipe.seed", "templates.describe"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b'{"layout": 2, "run": {}, "vcgen": "9.1"}',
            r"layout 2, written by vcgen 9\.1, is not known to this version",
        ),
        (b'{"layout": 1}', "not a run directory"),
        (b'{"layout": 1, "run": 3}', "not a run directory"),
        (b"[]", "not a run directory"),
        (b"", "not a run directory"),
    ],
)
def test_an_unreadable_manifest_is_one_clear_error(
    tmp_path: Path, content: bytes, said: str
) -> None:
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(UsageError, match=said):
        Manifest.read(tmp_path)
    with pytest.raises(UsageError, match=said):
        RunDirectory.open(tmp_path, MANIFEST)


@pytest.mark.parametrize("room", [0, 1, 100, 1_000])
def test_a_full_disk_leaves_whole_lines_behind(tmp_path: Path, room: int) -> None:
    fill(tmp_path, 2)
    size = (tmp_path / "records.jsonl").stat().st_size
    with opened(tmp_path) as run:
        with (
            full_disk(size + room),
            pytest.raises(StoreError, match=r"records\.jsonl: cannot write"),
        ):
            add_until_full(run)
        run.add(record(99))
        added = run.records
    with opened(tmp_path) as run:
        assert (run.records, run.damaged) == (added, {})
        assert run.is_done("clip-99/x/0")


def test_a_failing_sync_is_an_error_from_then_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_file: int) -> None:
        raise OSError(5, "Input/output error")

    with opened(tmp_path) as run:
        run.add(record(0))
        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(StoreError, match="not on the disk: Input/output error"):
            run.sync()
        monkeypatch.undo()
        with pytest.raises(StoreError, match="not on the disk: Input/output error"):
            run.sync()


def test_a_torn_line_that_stays_costs_no_later_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_file: int, _size: int) -> None:
        raise OSError(5, "Input/output error")

    fill(tmp_path, 2)
    size = (tmp_path / "records.jsonl").stat().st_size
    with opened(tmp_path) as run:
        monkeypatch.setattr(os, "ftruncate", fail)
        with full_disk(size + 50), pytest.raises(StoreError, match="cannot write"):
            run.add(record(2))
        run.add(record(3))
    with opened(tmp_path) as run:
        assert [at for at in range(5) if run.is_done(f"clip-{at}/x/0")] == [0, 1, 3]
        assert run.damaged == {"records.jsonl": 1}


def test_a_disk_without_room_for_the_manifest_is_an_error(tmp_path: Path) -> None:
    with full_disk(10), pytest.raises(StoreError, match=r"run\.json: cannot write"):
        RunDirectory.open(tmp_path, MANIFEST)
    with opened(tmp_path):
        pass


def test_counts_are_written_only_when_they_change(tmp_path: Path) -> None:
    with opened(tmp_path) as run:
        run.add(record(1))
        run.finish()
        first = (tmp_path / "run.json").stat().st_mtime_ns
        run.finish()
        assert (tmp_path / "run.json").stat().st_mtime_ns == first
    assert Manifest.read(tmp_path).counts["records"] == 1


def fill_parts(path: Path) -> None:
    """One outcome of each kind and one call by each of the workers 1, 2 and 10."""
    with opened(path):
        for number in (10, 2, 1):
            worker = RunDirectory.join(path, number)
            worker.add(record(number))
            worker.add(reject(number))
            worker.keep_call({"id": f"key-{number}", "completion": {"text": "x" * number}})
            worker.sync()
            worker.close()


def test_files_of_several_workers_are_read_in_a_fixed_order(tmp_path: Path) -> None:
    fill_parts(tmp_path)
    (tmp_path / "records-1.jsonl").write_text("not ours")
    (tmp_path / "records-2.jsonl.old").write_text("not ours")
    for run in (RunDirectory.open(tmp_path, MANIFEST), RunDirectory.join(tmp_path, 3)):
        assert (run.records, run.rejects, run.damaged) == (3, {"refusal": 3}, {})
        assert all(run.is_done(f"clip-{at}/{task}/0") for at in (1, 2, 10) for task in "xy")
        for at in (1, 2, 10):
            assert run.find_call(f"key-{at}") == {
                "id": f"key-{at}",
                "completion": {"text": "x" * at},
            }
        run.close()
    assert (tmp_path / "records-1.jsonl").read_text() == "not ours"
    assert [row.id for row in read_records(tmp_path)] == [f"clip-{at}/x/0" for at in (1, 2, 10)]
    assert [row.id for row in read_rejects(tmp_path)] == [f"clip-{at}/y/0" for at in (1, 2, 10)]


def test_opening_repairs_files_of_workers_and_joining_does_not(
    tmp_path: Path,
) -> None:
    fill_parts(tmp_path)
    whole = (tmp_path / "records-2.jsonl").read_bytes()
    broken = b"\x00" * 40 + b"\n" + whole + whole[:30]
    (tmp_path / "records-2.jsonl").write_bytes(broken)

    RunDirectory.join(tmp_path, 1).close()
    assert (tmp_path / "records-2.jsonl").read_bytes() == broken

    with opened(tmp_path) as run:
        assert run.damaged == {"records-2.jsonl": 1}
        assert run.records == 3
    assert (tmp_path / "records-2.jsonl").read_bytes() == whole
    assert (tmp_path / "records-2.jsonl.bad").read_bytes() == b"\x00" * 40 + b"\n"


def test_counts_include_lines_a_dead_worker_left(tmp_path: Path) -> None:
    fill_parts(tmp_path)
    with opened(tmp_path) as run:
        run.count(2, {"refusal": 1, "timeout": 1})
        assert (run.records, run.rejects) == (5, {"refusal": 4, "timeout": 1})
        worker = RunDirectory.join(tmp_path, 2)
        worker.add(record(99))
        worker.close()
        run.recount()
        assert (run.records, run.rejects) == (4, {"refusal": 3})


def test_a_directory_without_an_outcome_takes_another_run(tmp_path: Path) -> None:
    """What stopped the first run, such as a wrong parameter, may be corrected."""
    RunDirectory.open(tmp_path, Manifest(model="a", recipe={"seed": 1})).close()
    store = RunDirectory.open(tmp_path, Manifest(model="b"))
    store.add(Reject(id="x", reason=Reason.REFUSAL, message="no"))
    store.close()
    assert Manifest.read(tmp_path).model == "b"
    with pytest.raises(UsageError, match="model was b, is a"):
        RunDirectory.open(tmp_path, Manifest(model="a"))
