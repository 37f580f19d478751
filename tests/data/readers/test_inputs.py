from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.common import make_clip, make_clips
from vcgen.data.clips import Clip
from vcgen.data.readers.inputs import Clips, InputStream, open_input, open_input_files
from vcgen.data.readers.read import to_clip
from vcgen.data.records import Reason, Reject
from vcgen.errors import UsageError
from vcgen.sim import virtual_clock


def taken(stream: InputStream) -> list[tuple[str, Clip | Reject]]:
    async def main() -> list[tuple[str, Clip | Reject]]:
        return [(place, to_clip(place, row)) async for place, row in stream]

    with virtual_clock() as runner:
        return runner.run(main())


def write(path: Path, *clips: Clip, more: bytes = b"") -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"".join(orjson.dumps(clip.model_dump()) + b"\n" for clip in clips) + more)
    return path


async def later(items: list[Any]) -> AsyncIterator[Any]:
    for item in items:
        yield item


class Stream:
    """An async iterable that is no generator."""

    def __aiter__(self) -> AsyncIterator[Any]:
        return later(ROWS)


ROWS = make_clips(3)
NAMES = ["clip-0", "clip-1", "clip-2"]


@pytest.mark.parametrize(
    "clips",
    [
        ROWS,
        tuple(ROWS),
        iter(ROWS),
        later(ROWS),
        Stream(),
        [row.model_dump() for row in ROWS],
        later([row.model_dump() for row in ROWS]),
    ],
)
def test_any_iterable_of_clips_or_dicts_will_do(clips: Clips) -> None:
    placed = taken(open_input(clips))
    assert [place for place, _ in placed] == ["clips[0]", "clips[1]", "clips[2]"]
    assert [item.id for _, item in placed] == NAMES


def test_a_path_is_read_with_its_lines_as_places(tmp_path: Path) -> None:
    path = write(tmp_path / "clips.jsonl", *ROWS, more=b"{broken\n")
    for given in (path, str(path)):
        placed = taken(open_input(given))
        assert [place for place, _ in placed] == [f"clips.jsonl:{line}" for line in (1, 2, 3, 4)]
        reject = placed[3][1]
        assert isinstance(reject, Reject)
        assert reject.message.startswith("clips.jsonl:4: not valid JSON")


@pytest.mark.parametrize("item", [{}, {"id": "a"}, 7, None, "a", {"id": "\ud800", "caption": "b"}])
def test_what_is_no_clip_is_a_reject_with_its_place(item: object) -> None:
    (_, (place, reject)) = taken(open_input([make_clip(), item]))  # type: ignore[list-item]
    assert isinstance(reject, Reject)
    assert (place, reject.id, reject.reason) == ("clips[1]", "clips[1]", Reason.INVALID_CLIP)
    assert reject.message.startswith("clips[1]: ")


def test_a_reject_handed_in_stays_one() -> None:
    reject = Reject(id="a:7", reason=Reason.INVALID_CLIP, message="a:7: no evidence")
    assert taken(open_input([reject])) == [("clips[0]", reject)]


@pytest.mark.parametrize(
    "clips", [3, None, {"id": "a", "caption": "b"}, b"clips.jsonl", make_clip()]
)
def test_what_is_no_source_of_clips_is_an_error_at_once(clips: Any) -> None:
    with pytest.raises(UsageError, match="clips must be a path or an iterable of clips, not "):
        open_input(clips)


def test_a_file_that_cannot_be_read_is_an_error_at_once(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    for path, expected in [
        (tmp_path / "nothing.jsonl", "No such file"),
        (tmp_path / "empty.jsonl", "is empty"),
        (tmp_path, "is a directory"),
    ]:
        with pytest.raises(UsageError, match=expected):
            open_input(path)
        with pytest.raises(UsageError, match=expected):
            open_input_files([write(tmp_path / "good.jsonl", *ROWS), path], "auto", None)


def test_nothing_is_read_ahead() -> None:
    asked = []

    def endless() -> Iterator[Clip]:
        for number in range(10**9):
            asked.append(number)
            yield make_clip(f"clip-{number}")

    async def main() -> None:
        await anext(open_input(endless()))

    with virtual_clock() as runner:
        runner.run(main())
    assert asked == [0]


def test_rows_of_files_of_one_name_have_places_of_their_own(tmp_path: Path) -> None:
    paths = [
        write(tmp_path / day / "clips.jsonl", make_clip(day), more=b"{broken\n")
        for day in ("monday", "tuesday", "friday")
    ]
    placed = taken(open_input_files(paths, "auto", None))
    marks = ["", "", "#2 ", "#2 ", "#3 ", "#3 "]
    lines = [1, 2] * 3
    assert [place for place, _ in placed] == [
        f"{mark}clips.jsonl:{line}" for mark, line in zip(marks, lines, strict=True)
    ]
    for place, item in placed[1::2]:
        assert isinstance(item, Reject)
        assert item.id == place
        assert item.message.startswith(f"{place}: ")
