import tracemalloc
from collections import Counter
from contextlib import suppress
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.support.common import SHARED
from vcgen.data.clips import Clip, Segment
from vcgen.data.readers.read import FORMATS, read_clips, read_rows, to_clip
from vcgen.data.records import Reject
from vcgen.errors import Reason, UsageError

DATA = SHARED
needs_evidence = pytest.mark.skipif(
    not (DATA / "evidence").is_dir(), reason="shared/data/evidence is not here"
)

CLIP_LINES = b"""{"id": "kite-1", "caption": "A child flies a red kite."}

{"id": "kite-2", "duration": 8, "segments": [{"start": 1, "end": 3, "text": "the kite falls"}]}
"""
WEBVID = (
    b"videoid,name,page_idx,page_dir,duration,contentUrl\r\n"
    b'7001,"Two cooks, one pan",4,000004_000005,PT00H01M05S,https://example.org/7001.mp4\r\n'
    b'7002,"He says ""hot""\r\nand laughs",5,000004_000005,PT00H00M09S,\r\n'
)
ACTIVITYNET = (
    b'{"v_barn": {"duration": 30.5, "timestamps": [[12, 30], [0, 11.5]],'
    b' "sentences": [" She milks the goat.", "A girl opens the barn."], "split": "val"}}'
)
TIMECHAT = (
    b'{"barn_2.mp4": [{"timestamp": [3.0, 9.5], "caption": "a goat eats hay."},'
    b' {"timestamp": [14.0, 12.0], "caption": "it lies down."}]}'
)
VIDEOCHAT_TEXT = b"""Video tags are: goat | barn | hay

The second description of the video is: Second 1:a barn door.
 Second 2:a goat in a barn.

The dense caption of the video is: Second 1 : brown goat,wooden door.
 Second 6 : pile of hay: [10, 20, 300, 400]; bucket: [1, 2, 3, 4]; .

The general description of the video is: A goat eats in a barn.
0-4second: come here
4-6second: good girl
"""
VLOG = b"""When 0:00:00 - 0:00:12
I saw a barn door opening.
I found a brown goat, a bucket.
I heard someone say "komm her "


When 0:01:05 - 1:00:00.5
I saw a goat asleep.
"""
EXAMPLES = {
    "clips": CLIP_LINES,
    "webvid": WEBVID,
    "activitynet": ACTIVITYNET,
    "timechat": TIMECHAT,
    "videochat-text": VIDEOCHAT_TEXT,
    "vlog": VLOG,
}


def save(folder: Path, content: bytes | str, name: str = "barn.dat") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def only_clips(path: Path, **options: str | Path) -> list[Clip]:
    outcomes = list(read_clips(path, **options))  # type: ignore[arg-type]  # options by name
    assert not [outcome for outcome in outcomes if isinstance(outcome, Reject)]
    return [outcome for outcome in outcomes if isinstance(outcome, Clip)]


def spans(clip: Clip, source: str) -> list[tuple[float, float, str]]:
    return [(one.start, one.end, one.text) for one in clip.segments if one.source == source]


def test_every_format_has_an_example_here() -> None:
    assert set(EXAMPLES) == set(FORMATS)


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_the_format_is_told_from_the_content(tmp_path: Path, name: str, bom: bytes) -> None:
    path = save(tmp_path, bom + EXAMPLES[name])
    found = [clip.model_dump() for clip in only_clips(path)]
    assert found
    assert found == [clip.model_dump() for clip in only_clips(path, format=name)]


@pytest.mark.parametrize("name", EXAMPLES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(junk=st.binary(max_size=12), at=st.integers(0, 400), gone=st.integers(0, 20))
def test_damage_is_refused_in_words_never_with_a_crash(
    tmp_path: Path, name: str, junk: bytes, at: int, gone: int
) -> None:
    example = EXAMPLES[name]
    path = save(tmp_path, example[:at] + junk + example[at + gone :])
    with suppress(UsageError):
        assert all(isinstance(one, Clip | Reject) for one in read_clips(path, format=name))


@pytest.mark.parametrize(
    ("content", "said"),
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
def test_a_useless_file_is_refused_at_the_call(tmp_path: Path, content: bytes, said: str) -> None:
    path = save(tmp_path, content)
    with pytest.raises(UsageError) as caught:
        read_clips(path)
    assert said in str(caught.value)
    assert "barn.dat" in str(caught.value)


def test_what_is_no_file_is_refused_at_the_call(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_clips(tmp_path / "none.jsonl")
    with pytest.raises(UsageError, match="is a directory"):
        read_clips(tmp_path)


def test_an_unknown_format_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    path = save(tmp_path, CLIP_LINES)
    with pytest.raises(UsageError, match="'jsonl' is unknown; name one of: auto, clips, webvid"):
        read_clips(path, format="jsonl")
    with pytest.raises(UsageError, match=r"name one of: clips, webvid.* with --format"):
        read_clips(save(tmp_path, "hello"))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("webvid", b"videoid,duration\n1,2\n", "no column name or caption"),
        ("activitynet", b"[1]", "must be one JSON object"),
        ("timechat", CLIP_LINES, "not valid JSON"),
    ],
)
def test_a_file_of_another_format_is_refused_at_the_call(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        read_clips(save(tmp_path, content), format=name)


def read_placed(path: Path, **options: str) -> list[tuple[str, Clip | Reject]]:
    return [(place, to_clip(place, row)) for place, row in read_rows(path, **options)]


def test_one_clip_a_line_with_its_place(tmp_path: Path) -> None:
    placed = read_placed(save(tmp_path, CLIP_LINES, "kites.jsonl"))
    assert [place for place, _ in placed] == ["kites.jsonl:1", "kites.jsonl:3"]
    assert [outcome.id for _, outcome in placed] == ["kite-1", "kite-2"]


def test_an_array_is_read_by_item(tmp_path: Path) -> None:
    rows = [{"id": "kite-1", "caption": "A kite."}, 7, {"id": "kite-2", "tags": ["kite"]}]
    placed = read_placed(save(tmp_path, orjson.dumps(rows), "kites.json"))
    assert [type(outcome) for _, outcome in placed] == [Clip, Reject, Clip]
    assert [place for place, _ in placed] == ["kites.json:1", "kites.json:2", "kites.json:3"]


@pytest.mark.parametrize(
    ("line", "said"),
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
    tmp_path: Path, line: bytes, said: str
) -> None:
    path = save(tmp_path, b'{"id": "a", "tags": ["a"]}\n' + line + b"\n" + CLIP_LINES, "k.jsonl")
    first, bad, *rest = read_clips(path)
    assert isinstance(bad, Reject)
    assert (bad.id, bad.reason) == ("k.jsonl:2", Reason.INVALID_CLIP)
    assert bad.message.startswith("k.jsonl:2: ")
    assert said in bad.message
    assert [outcome.id for outcome in [first, *rest]] == ["a", "kite-1", "kite-2"]


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
    placed = read_placed(save(tmp_path, table, "t.csv"))
    kept = [outcome.id for _, outcome in placed if isinstance(outcome, Clip)]
    rejected = [place for place, outcome in placed if isinstance(outcome, Reject)]
    assert kept == ["1", "5", "7", "8"]
    assert rejected == ["t.csv:3", "t.csv:4", "t.csv:5", "t.csv:8", "t.csv:12"]


def test_activitynet_events_become_captions_in_order(tmp_path: Path) -> None:
    (clip,) = only_clips(save(tmp_path, ACTIVITYNET))
    assert (clip.id, clip.duration, clip.extra) == ("v_barn", 30.5, {"split": "val"})
    assert spans(clip, "caption") == [
        (0, 11.5, "A girl opens the barn."),
        (12, 30, "She milks the goat."),
    ]


def test_timechat_events_become_captions_of_the_named_video(tmp_path: Path) -> None:
    (clip,) = only_clips(save(tmp_path, TIMECHAT))
    assert (clip.id, clip.video) == ("barn_2", "barn_2.mp4")
    assert spans(clip, "caption") == [(3, 9.5, "a goat eats hay."), (14, 14, "it lies down.")]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("activitynet", {"timestamps": [[1, 2]], "sentences": []}),
        ("activitynet", {"timestamps": [[1]], "sentences": ["x"]}),
        ("activitynet", {"timestamps": [[1, "x"]], "sentences": ["x"]}),
        ("activitynet", {"timestamps": [], "sentences": []}),
        ("activitynet", [1]),
        ("timechat", [{"timestamp": 3, "caption": "x"}]),
        ("timechat", [{"timestamp": [1, 2]}]),
        ("timechat", [4]),
        ("timechat", {}),
    ],
)
def test_a_bad_video_is_rejected_by_its_key(tmp_path: Path, name: str, value: object) -> None:
    good = orjson.loads(EXAMPLES[name])
    path = save(tmp_path, orjson.dumps({"b\nd": value, **good}), "v.json")
    (place, bad), (_, clip) = read_placed(path, format=name)
    assert place == bad.id == "v.json:b d"
    assert isinstance(bad, Reject)
    assert bad.message.startswith("v.json:b d: ")
    assert isinstance(clip, Clip)


def test_a_value_that_only_python_writes_costs_one_video(tmp_path: Path) -> None:
    text = (
        '{"v_nan": {"duration": NaN, "timestamps": [[0, 1]], "sentences": ["x"]},'
        ' "v_odd": {"timestamps": [[0, 1]], "sentences": ["a \\ud800dog"]}}'
    )
    bad, odd = read_clips(save(tmp_path, text))
    assert isinstance(bad, Reject)
    assert isinstance(odd, Clip)
    assert odd.segments[0].text == "a dog"


def test_a_videochat_text_document_becomes_one_clip(tmp_path: Path) -> None:
    (clip,) = only_clips(save(tmp_path, VIDEOCHAT_TEXT, "goat.txt"))
    assert clip.id == "goat"
    assert clip.tags == ("goat", "barn", "hay")
    assert clip.summary == "A goat eats in a barn."
    assert spans(clip, "caption") == [(0, 1, "a barn door."), (1, 2, "a goat in a barn.")]
    assert spans(clip, "dense") == [
        (0, 1, "brown goat, wooden door"),
        (5, 6, "pile of hay, bucket"),
    ]
    assert spans(clip, "speech") == [(0, 4, "come here"), (4, 6, "good girl")]


def test_speech_may_follow_its_heading_on_the_same_line(tmp_path: Path) -> None:
    text = (
        "Video tags are: goat\n   The subtitile of the video is: 0-4second: come\n5-6second: here"
    )
    (clip,) = only_clips(save(tmp_path, text))
    assert spans(clip, "speech") == [(0, 4, "come"), (5, 6, "here")]
    assert clip.tags == ("goat",)


@pytest.mark.parametrize(("frames", "timed"), [(7, True), (8, False), (9, True)])
def test_eight_frames_may_not_be_seconds_and_lose_their_times(
    tmp_path: Path, frames: int, *, timed: bool
) -> None:
    seconds = " ".join(f"Second {second}:frame {second}.\n" for second in range(1, frames + 1))
    text = (
        f"The second description of the video is: {seconds}\n"
        "The dense caption of the video is: Second 6 : red ball,grass.\n\n"
        "The general description of the video is: A game.\n0-2second: go"
    )
    (clip,) = only_clips(save(tmp_path, text))
    assert spans(clip, "speech") == [(0, 2, "go")]
    if timed:
        assert len(spans(clip, "caption")) == frames
        assert clip.summary == "A game."
    else:
        assert len(clip.segments) == 1
        assert clip.summary is not None
        assert clip.summary.startswith("A game. In order: frame 1. frame 2. ")
        assert clip.tags == ("red ball", "grass")
        assert clip.cleaned["untimed_frames"] == 8


def test_a_vlog_becomes_one_clip(tmp_path: Path) -> None:
    (clip,) = only_clips(save(tmp_path, VLOG, "goat.log"))
    assert clip.id == "goat"
    assert spans(clip, "caption") == [
        (0, 12, "a barn door opening."),
        (65, 3600.5, "a goat asleep."),
    ]
    assert spans(clip, "dense") == [(0, 12, "a brown goat, a bucket.")]
    assert spans(clip, "speech") == [(0, 12, "komm her")]


def test_a_vlog_block_without_times_is_counted(tmp_path: Path) -> None:
    (clip,) = only_clips(save(tmp_path, VLOG + b"\nWhen later - much later\nI saw the end.\n"))
    assert len(clip.segments) == 4
    assert clip.cleaned["no_time"] == 1


def test_a_document_that_is_no_text_is_one_reject(tmp_path: Path) -> None:
    (bad,) = read_clips(save(tmp_path, VLOG + b"\xff"))
    assert isinstance(bad, Reject)
    assert "UTF-8" in bad.message


@needs_evidence
@pytest.mark.parametrize(
    ("file", "clips", "repaired"),
    [
        ("youcook2_first300.json", 300, set()),
        ("activitynet_first300.json", 300, {"padding", "unsorted", "past_end"}),
        ("timechat_first60.json", 60, {"start_after_end", "repeats"}),
        ("vlog_buy_watermelon.log", 1, {"padding"}),
    ],
)
def test_real_evidence_is_read_whole(file: str, clips: int, repaired: set[str]) -> None:
    read = only_clips(DATA / "evidence" / file)
    counts: Counter[str] = Counter()
    for clip in read:
        counts.update(clip.cleaned)
    assert len(read) == clips
    assert set(counts) >= repaired
    assert all(isinstance(one, Segment) for clip in read for one in clip.segments)
