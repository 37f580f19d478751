"""The format of a file is detected from its content."""

from pathlib import Path

import orjson
import pytest

from tests.support.video_text import CLIP_LINES, EXAMPLES, only_clips, save
from vcgen.data.readers.read import read_clips
from vcgen.data.readers.sniff import detect
from vcgen.data.records import Reject


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_layout_is_detected(name: str) -> None:
    assert detect(EXAMPLES[name]) == name


@pytest.mark.parametrize("head", [b"hello", b"{}", b"a,b\n1,2", b"\x1f\x8b\x08", b"\xff\xfe{"])
def test_another_content_has_no_format(head: bytes) -> None:
    assert detect(head) is None


@pytest.mark.timeout(20)
@pytest.mark.parametrize("filler", [b"\n", b" \n", b"\t", b'{"', b"{\n", b"The ", b'"\\'])
def test_a_hostile_head_is_examined_in_linear_time(filler: bytes) -> None:
    """A pattern that takes n * n steps on 64 MiB would take days."""
    assert detect(b"x" + filler * (1 << 22)) is None


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_the_format_is_detected_from_the_content(tmp_path: Path, name: str, bom: bytes) -> None:
    path = save(tmp_path, bom + EXAMPLES[name])
    detected = [clip.model_dump() for clip in only_clips(path)]
    assert detected
    assert detected == [clip.model_dump() for clip in only_clips(path, format=name)]


def test_a_broken_first_line_does_not_hide_the_format(tmp_path: Path) -> None:
    first, *rest = read_clips(save(tmp_path, b"broken\n" + CLIP_LINES))
    assert isinstance(first, Reject)
    assert len(rest) == 2


@pytest.mark.parametrize("first", ["tags", "segments", "extra", "caption"])
def test_clips_are_known_by_any_first_field(tmp_path: Path, first: str) -> None:
    values = {"tags": ["kite"], "segments": [], "extra": {}, "caption": "A kite."}
    row = {first: values[first], "summary": "A kite.", "id": "kite-1"}
    (clip,) = only_clips(save(tmp_path, orjson.dumps(row)))
    assert clip.id == "kite-1"
