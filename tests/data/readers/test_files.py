"""Access to files: unusable ones are refused by name, faulty values are left to their clip."""

import os
from pathlib import Path

import pytest

from tests.support.video_text import save
from vcgen.data.readers.files import BOM, load_json, load_object, read_head, read_lines
from vcgen.data.readers.read import read_clips
from vcgen.errors import UsageError


def test_a_head_is_bounded_and_has_no_byte_order_mark(tmp_path: Path) -> None:
    assert read_head(save(tmp_path, BOM + b"a" * 100_000)) == b"a" * (65_536 - len(BOM))


def test_a_named_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(UsageError, match="is not a regular file; save the input to a file first"):
        read_head(pipe)


def test_lines_end_at_a_line_feed_only(tmp_path: Path) -> None:
    path = save(tmp_path, BOM + "a\r\nb\u2028c\nd".encode())
    assert list(read_lines(path)) == [b"a\r\n", "b\u2028c\n".encode(), b"d"]


@pytest.mark.parametrize(
    ("text", "value"), [("[NaN]", "[nan]"), ('"\\ud800"', "'\\ud800'"), ("1" * 400, "1" * 400)]
)
def test_json_that_only_python_accepts_is_loaded(tmp_path: Path, text: str, value: str) -> None:
    assert repr(load_json(save(tmp_path, text))) == value


def test_an_object_is_required_where_keys_are_videos(tmp_path: Path) -> None:
    assert load_object(save(tmp_path, '{"a": 1}')) == {"a": 1}
    with pytest.raises(UsageError, match="must be one JSON object with a video's id as each key"):
        load_object(save(tmp_path, "[]"))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf \n\n", "is empty"),
        (b"\x1f\x8b\x08zipped", r"first bytes b'\x1f\x8b\x08zipped'"),
        (b"{}", "cannot tell"),
        (b"[{]", "not valid JSON"),
        (b'{"v_1": {"duration": 3', "not valid JSON"),
        (b"[" * 5000, "not valid JSON"),
    ],
)
def test_a_useless_file_is_refused_at_the_call(
    tmp_path: Path, content: bytes, expected: str
) -> None:
    path = save(tmp_path, content)
    with pytest.raises(UsageError) as caught:
        read_clips(path)
    assert expected in str(caught.value)
    assert "barn.dat" in str(caught.value)


def test_what_is_no_file_is_refused_at_the_call(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_clips(tmp_path / "none.jsonl")
    with pytest.raises(UsageError, match="is a directory"):
        read_clips(tmp_path)
