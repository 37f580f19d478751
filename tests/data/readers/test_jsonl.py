"""vcgen's own layout: a clip per line, or an array of clips."""

import tracemalloc
from pathlib import Path

import orjson
import pytest

from tests.support.video_text import CLIP_LINES, only_clips, read_with_places, save
from vcgen.data.clips import Clip
from vcgen.data.readers.read import read_clips
from vcgen.data.records import Reason, Reject


def test_one_clip_a_line_with_its_place(tmp_path: Path) -> None:
    placed = read_with_places(save(tmp_path, CLIP_LINES, "kites.jsonl"))
    assert [place for place, _ in placed] == ["kites.jsonl:1", "kites.jsonl:3"]
    assert [outcome.id for _, outcome in placed] == ["kite-1", "kite-2"]


def test_an_array_is_read_by_item(tmp_path: Path) -> None:
    rows = [{"id": "kite-1", "caption": "A kite."}, 7, {"id": "kite-2", "tags": ["kite"]}]
    placed = read_with_places(save(tmp_path, orjson.dumps(rows), "kites.json"))
    assert [type(outcome) for _, outcome in placed] == [Clip, Reject, Clip]
    assert [place for place, _ in placed] == ["kites.json:1", "kites.json:2", "kites.json:3"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"id": "x", ', "not valid JSON"),
        (b'{"id": "x", "caption": "\xff"}', "UTF-8"),
        (b'{"id": "x", "caption": "\\ud800"}', "not valid JSON"),
        (b'{"id": "x", "caption": "x", "duration": 1e999}', "not valid JSON"),
        (b'{"id": "x", "extra": ' + b"[" * 3000 + b"]" * 3000 + b"}", "depth"),
        (b'{"id": "x"}', "no evidence"),
        (b'{"caption": "x"}', "id: Field required"),
        (b'"x"', "valid dictionary"),
    ],
)
def test_a_bad_line_is_rejected_by_place_and_the_rest_goes_on(
    tmp_path: Path, line: bytes, expected: str
) -> None:
    path = save(tmp_path, b'{"id": "a", "tags": ["a"]}\n' + line + b"\n" + CLIP_LINES, "k.jsonl")
    first, bad, *rest = read_clips(path)
    assert isinstance(bad, Reject)
    assert (bad.id, bad.reason) == ("k.jsonl:2", Reason.INVALID_CLIP)
    assert bad.message.startswith("k.jsonl:2: ")
    assert expected in bad.message
    assert [outcome.id for outcome in [first, *rest]] == ["a", "kite-1", "kite-2"]


def test_only_a_line_feed_ends_a_line(tmp_path: Path) -> None:
    line = '{"id": "a", "caption": "one\u2028two\u0085three"}\r\n'
    (clip,) = only_clips(save(tmp_path, line))
    assert clip.caption is not None
    assert clip.caption.startswith("one two")


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    row = b'{"id": "%d", "caption": "' + b"a long walk on the beach " * 40 + b'"}\n'
    path = save(tmp_path, b"".join(row % number for number in range(5000)))
    tracemalloc.start()
    count = sum(1 for _ in read_clips(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 5000
    assert peak < path.stat().st_size / 5
