"""WebVid's CSV: columns by name, broken rows by themselves."""

from pathlib import Path

import pytest

from tests.support.video_text import WEBVID, only_clips, read_with_places, save
from vcgen.data.clips import Clip
from vcgen.data.readers.webvid import columns
from vcgen.data.records import Reject


@pytest.mark.parametrize(
    ("line", "names"),
    [
        (b"videoid,name\r\n", ["videoid", "name"]),
        (b'" id ","cap,tion"', ["id", "cap,tion"]),
        (b"", []),
        (b"a" * 200_000, []),
    ],
)
def test_columns_are_the_names_of_a_csv_header(line: bytes, names: list[str]) -> None:
    assert columns(line) == names


def test_unclosed_quotes_cost_their_own_rows_only(tmp_path: Path) -> None:
    """Each line is complete from within an open quote too, so every row would reach to the end."""
    broken = 2_000
    table = "id,caption\n" + 'a","x\n' * broken + "last,A quay.\n"
    *rejects, clip = read_with_places(save(tmp_path, table, "t.csv"))
    assert [place for place, _ in rejects] == [f"t.csv:{line}" for line in range(2, broken + 2)]
    assert isinstance(clip[1], Clip)


def test_lines_read_for_one_row_are_bounded(tmp_path: Path) -> None:
    table = 'id,caption\na,"' + "x\n" * 5_000 + "last,A quay.\n"
    (_, bad), *rest = read_with_places(save(tmp_path, table))
    assert isinstance(bad, Reject)
    assert "a row of more than 256 lines" in bad.message
    assert isinstance(rest[-1][1], Clip)


def test_webvid_rows_become_clips(tmp_path: Path) -> None:
    one, two = only_clips(save(tmp_path, WEBVID))
    assert one.id == "7001"
    assert one.video == "000004_000005/7001.mp4"
    assert one.caption == "Two cooks, one pan"
    assert one.duration == 65
    assert one.extra == {"page_idx": "4", "contentUrl": "https://example.org/7001.mp4"}
    assert two.caption == 'He says "hot" and laughs'


def test_webvid_columns_are_read_by_name(tmp_path: Path) -> None:
    table = "caption,duration,id\nA ferry.,12.5,f1\nA bus.,,f2\nA tram.,soon,f3\n"
    ferry, bus, tram = only_clips(save(tmp_path, table))
    assert (ferry.id, ferry.video, ferry.duration) == ("f1", "f1", 12.5)
    assert (bus.duration, bus.cleaned) == (None, {})
    assert (tram.duration, tram.cleaned) == (None, {"no_duration": 1})


def test_a_bad_webvid_row_costs_itself_only(tmp_path: Path) -> None:
    table = (
        b"videoid,name\n1,A ferry.\n2\n3,A \xff\xfe ship.\n4,\n\n5,A bus.\n"
        b'6,"never closed\n7,A tram.\n8,"A ""fast"" train\nat night"\n,A nameless boat.\n'
    )
    placed = read_with_places(save(tmp_path, table, "t.csv"))
    kept = [outcome.id for _, outcome in placed if isinstance(outcome, Clip)]
    rejected = [place for place, outcome in placed if isinstance(outcome, Reject)]
    assert kept == ["1", "5", "7", "8"]
    assert rejected == ["t.csv:3", "t.csv:4", "t.csv:5", "t.csv:8", "t.csv:12"]
