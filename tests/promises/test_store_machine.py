"""The run directory against a model of it: append, crash, damage, open again, in any order."""

import os
import shutil
from collections import defaultdict
from pathlib import Path
from tempfile import mkdtemp

import orjson
import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from vcgen.data.records import Reason, Record, Reject, Turn
from vcgen.pipeline.store.directory import RunDirectory
from vcgen.pipeline.store.layout import CALLS, RECORDS, REJECTS
from vcgen.pipeline.store.lines import encode_line
from vcgen.pipeline.store.manifest import Manifest
from vcgen.pipeline.store.read import read_records, read_rejects

MANIFEST = Manifest(model="sim")
NAMES = st.sampled_from((RECORDS, REJECTS, CALLS))
TEXTS = st.text(max_size=30) | st.sampled_from(('{"id":"', '"}', "\u2028\n", "x" * 9000))


class Directory(RuleBasedStateMachine):
    """The model is the lines that each file must hold after opening, byte for byte."""

    @initialize()
    def begin(self) -> None:
        self.path = Path(mkdtemp())
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(os, "fsync", lambda _: None)  # it only takes time
        self.lines: defaultdict[str, list[bytes]] = defaultdict(list)
        self.added = 0
        self.run = RunDirectory.open(self.path, MANIFEST)

    def teardown(self) -> None:
        self.run.close()
        self.patch.undo()
        shutil.rmtree(self.path)

    @rule(name=NAMES, text=TEXTS, worker=st.sampled_from((1, 1, 2)))
    def add(self, name: str, text: str, worker: int) -> None:
        row = self.new_row(name, text)
        run = self.run if worker == 1 else RunDirectory.join(self.path, worker)
        if isinstance(row, dict):
            run.keep_call(row)
        else:
            run.add(row)
        if worker != 1:
            run.close()
        part = name if worker == 1 else name.replace(".", f"-{worker}.")
        self.lines[part].append(encode_line(row))

    def new_row(self, name: str, text: str) -> Record | Reject | dict[str, str]:
        self.added += 1
        key = f"{self.added}/{text[:9]}"
        if name == CALLS:
            return {"id": key, "text": text}
        if name == REJECTS:
            return Reject(id=key, reason=Reason.REFUSAL, message=text)
        turns = (Turn("causal", "Why?", text),)
        return Record(id=key, video="a.mp4", clip_id="a", task="x", turns=turns)

    @rule()
    def sync(self) -> None:
        self.run.sync()

    @rule(name=NAMES, share=st.floats(0, 1))
    def crash_within_a_write(self, name: str, share: float) -> None:
        self.run.close()
        line = encode_line(self.new_row(name, "torn"))
        torn = line[: int(share * (len(line) - 1))]
        with (self.path / name).open("ab") as file:
            file.write(torn)
        if len(torn) == len(line) - 1:
            self.lines[name].append(line)
        self.open_again()

    @precondition(lambda self: any(self.lines.values()))
    @rule(data=st.data())
    def crash_and_lose_the_end(self, data: st.DataObject) -> None:
        self.run.close()
        name = data.draw(st.sampled_from(sorted(key for key in self.lines if self.lines[key])))
        whole = b"".join(self.lines[name])
        size = data.draw(st.integers(0, len(whole)))
        (self.path / name).write_bytes(whole[:size])
        kept, end = [], 0
        for line in self.lines[name]:
            end += len(line)
            if end <= size + 1:  # a line that lacks its end only is whole
                kept.append(line)
        self.lines[name] = kept
        self.open_again()

    @precondition(lambda self: any(self.lines.values()))
    @rule(data=st.data(), bit=st.integers(0, 7))
    def crash_and_rot(self, data: st.DataObject, bit: int) -> None:
        self.run.close()
        name = data.draw(st.sampled_from(sorted(key for key in self.lines if self.lines[key])))
        whole = bytearray(b"".join(self.lines[name]))
        at = data.draw(st.integers(0, len(whole) - 1))
        if whole[at] != ord("\n"):  # the lines on both sides of a damaged end are whole
            end = 0
            for line in self.lines[name]:
                end += len(line)
                if at < end:
                    self.lines[name].remove(line)
                    break
        whole[at] ^= 1 << bit
        (self.path / name).write_bytes(whole)
        self.open_again()

    def open_again(self) -> None:
        self.run = RunDirectory.open(self.path, MANIFEST)
        for name, lines in [*self.lines.items()]:
            path = self.path / name
            assert (path.read_bytes() if path.exists() else b"") == b"".join(lines)
        records = self.lines[RECORDS] + self.lines["records-2.jsonl"]
        rejects = self.lines[REJECTS] + self.lines["rejects-2.jsonl"]
        assert list(map(encode_line, read_records(self.path))) == records
        assert list(map(encode_line, read_rejects(self.path))) == rejects
        assert self.run.records == len(records)
        assert self.run.rejects.total() == len(rejects)
        assert all(self.run.is_done(row.id) for row in read_records(self.path))
        for name in (CALLS, "calls-2.jsonl"):
            for line in self.lines[name]:
                assert encode_line(self.run.find_call(orjson.loads(line)["id"])) == line


TestDirectory = Directory.TestCase
TestDirectory.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
