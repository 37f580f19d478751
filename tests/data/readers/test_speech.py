from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.support.common import SHARED, requires_shared
from vcgen.data.clips import Clip
from vcgen.data.readers.read import read_clips
from vcgen.data.readers.speech import read_transcript
from vcgen.errors import UsageError

TRANSCRIPTS = SHARED / "transcripts"

WEBVTT = """WEBVTT - a harbour tour

NOTE recorded in May

intro
00:01.000 --> 00:04.000 align:start
<v Ada>Welcome aboard &amp; <00:02.500><c>mind</c> <00:03.000>your head

NOTE the gangway is wet

second stop
00:00:05.250 --> 00:00:07.000
we leave at
10
"""
SUBRIP = """1\r
00:00:01,000 --> 00:00:04,000\r
<i>Welcome</i> aboard\r
\r
2\r
00:00:05,250 --> 00:00:07,000 X1:10 X2:20\r
{\\an8}we leave\r
\r
at ten\r
"""
WHISPER = (
    '{"language": "en", "segments": ['
    '{"start": 1.0, "end": 4, "text": " Welcome aboard", "avg_logprob": NaN},'
    '{"start": NaN, "end": 5, "text": "lost"}, {"start": 5}, 7,'
    '{"start": 5.25, "end": 7.0, "text": " we leave at ten"}]}'
)
# As YouTube writes them: each line is spoken below, then stays above.
ROLLING = """WEBVTT
Kind: captions

00:00:00.000 --> 00:00:02.000
{blank}
so<00:00:00.500><c> this</c><00:00:01.000><c> is</c>

00:00:02.000 --> 00:00:02.010
so this is
{blank}

00:00:02.010 --> 00:00:04.000
so this is
the<00:00:03.000><c> harbour</c>

00:00:04.000 --> 00:00:04.010
the harbour
{blank}

00:00:09.000 --> 00:00:10.000
the harbour
""".format(blank=" ")


def read(folder: Path, content: str | bytes, name: str = "tour.vtt") -> list[tuple[object, ...]]:
    return read_counted(folder, content, name)[0]


def read_counted(
    folder: Path, content: str | bytes, name: str = "tour.vtt"
) -> tuple[list[tuple[object, ...]], Counter[str]]:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    segments, counts = read_transcript(path)
    assert all(segment["source"] == "speech" for segment in segments)
    return [(one["start"], one["end"], one["text"]) for one in segments], counts


def test_webvtt_gives_its_words_without_comments_and_markup(tmp_path: Path) -> None:
    assert read(tmp_path, WEBVTT) == [
        (1.0, 4.0, "Welcome aboard & mind your head"),
        (5.25, 7.0, "we leave at 10"),
    ]


def test_subrip_gives_its_words_without_numbers_and_markup(tmp_path: Path) -> None:
    assert read(tmp_path, SUBRIP, "tour.srt") == [
        (1.0, 4.0, "Welcome aboard"),
        (5.25, 7.0, "we leave at ten"),
    ]


def test_whisper_gives_the_segments_that_have_times(tmp_path: Path) -> None:
    assert read_counted(tmp_path, WHISPER, "tour.json") == (
        [(1.0, 4, "Welcome aboard"), (5.25, 7.0, "we leave at ten")],
        {"no_time": 3},
    )


def test_rolling_captions_give_each_line_once(tmp_path: Path) -> None:
    assert read(tmp_path, ROLLING) == [
        (0.0, 2.01, "so this is"),
        (2.01, 4.01, "the harbour"),
        (9.0, 10.0, "the harbour"),
    ]


def test_a_line_of_words_with_two_stamps_is_no_new_cue(tmp_path: Path) -> None:
    cue = "WEBVTT\n\n00:01.000 --> 00:04.000\nslowly <00:00:02.000>we <00:00:03.000>turn\n"
    assert read(tmp_path, cue) == [(1.0, 4.0, "slowly we turn")]


@pytest.mark.parametrize(
    ("times", "segments", "counted"),
    [
        ("00:00:02.000 --> 00:00:x3.000", [(2.0, 2.0, "starboard")], {"no_end": 1}),
        ("00:00:02.000 -->", [(2.0, 2.0, "starboard")], {"no_end": 1}),
        ("00:00:z2.000 --> 00:00:03.000", [], {"no_time": 1}),
    ],
)
def test_a_broken_cue_costs_no_other(
    tmp_path: Path,
    times: str,
    segments: list[tuple[object, ...]],
    counted: dict[str, int],
) -> None:
    text = f"WEBVTT\n\n00:00.000 --> 00:01.000\nport\n\n{times}\nstarboard\n"
    assert read_counted(tmp_path, text) == ([(0.0, 1.0, "port"), *segments], counted)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "gb18030"])
def test_other_encodings_are_recognized(tmp_path: Path, encoding: str) -> None:
    words = "我们的船十点钟离开港口请大家注意安全坐好扶稳"
    text = f"1\n00:00:01,000 --> 00:00:04,000\n{words}\n"
    assert read(tmp_path, text.encode(encoding), "tour.srt") == [(1.0, 4.0, words)]


@pytest.mark.parametrize("name", ["tour.vtt", "tour.srt", "tour.json"])
@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfe\x81", b"no cue here", b"[" * 100_000])
def test_an_unreadable_transcript_adds_nothing_and_is_counted(
    tmp_path: Path, name: str, content: bytes
) -> None:
    assert read_counted(tmp_path, content, name) == ([], {"unreadable_speech": 1})


@pytest.mark.parametrize("name", ["tour.vtt", "tour.srt", "tour.json"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(junk=st.binary(max_size=12), at=st.integers(0, 300), gone=st.integers(0, 20))
def test_a_damaged_transcript_never_raises(
    tmp_path: Path, name: str, junk: bytes, at: int, gone: int
) -> None:
    examples = {"tour.vtt": WEBVTT, "tour.srt": SUBRIP, "tour.json": WHISPER}
    content = examples[name].encode()
    read(tmp_path, content[:at] + junk + content[at + gone :], name)


def test_a_time_among_the_words_is_words_and_no_warning(tmp_path: Path) -> None:
    text = "1\n00:00:01,000 --> 00:00:04,000\nThe clock shows 00:00:02,500 now.\n"
    assert read(tmp_path, text.encode(), "tour.srt") == [
        (1.0, 4.0, "The clock shows 00:00:02,500 now.")
    ]


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "words", ["<i", "< i", "<font ", "{", "{\\\\", "<" + " " * 1000, "a\n", "&", "> <", "} {"]
)
def test_hostile_words_are_read_in_linear_time(tmp_path: Path, words: str) -> None:
    """Tags and lines that take n * n steps would take minutes here."""
    cue = "00:00:0{},000 --> 00:00:0{},000\n{}\n\n"
    text = "".join(cue.format(at, at + 1, words * (600_000 // len(words))) for at in range(3))
    (tmp_path / "tour.srt").write_text(text)
    read_transcript(tmp_path / "tour.srt")


def test_a_tag_that_nothing_closes_is_words(tmp_path: Path) -> None:
    cue = "1\n00:00:01,000 --> 00:00:04,000\n<i>2 &lt; 3</i> and 3 < 4 {\\an8}and {5 <b\n"
    assert read(tmp_path, cue, "tour.srt") == [(1.0, 4.0, "2 < 3 and 3 < 4 and {5 <b")]


def transcribed(folder: Path, lines: str) -> list[Clip]:
    (folder / "clips.jsonl").write_text(lines)
    outcomes = list(read_clips(folder / "clips.jsonl", transcripts=folder / "speech"))
    assert all(isinstance(outcome, Clip) for outcome in outcomes)
    return [outcome for outcome in outcomes if isinstance(outcome, Clip)]


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    folder = tmp_path / "speech"
    folder.mkdir()
    (folder / "tour.vtt").write_text(WEBVTT)
    (folder / "tour.json").write_text("{}")
    (folder / "7.SRT").write_text(SUBRIP)
    (folder / "quay.srt").write_text("")
    return folder


def test_a_transcript_is_found_by_the_id_or_the_video(tmp_path: Path, speech: Path) -> None:
    by_id, by_number, by_video, other = transcribed(
        tmp_path,
        '{"id": "tour", "segments": [{"start": 4.5, "end": 5, "text": "a gull"}]}\n'
        '{"id": 7}\n'
        '{"id": "x", "video": "boats/tour.mp4"}\n'
        '{"id": "y", "caption": "A boat."}\n',
    )
    assert [one.source for one in by_id.segments] == ["speech", "caption", "speech"]
    assert [one.text for one in by_number.segments] == ["Welcome aboard", "we leave at ten"]
    assert [one.start for one in by_video.segments] == [1.0, 5.25]
    assert other.segments == ()


def test_an_empty_transcript_is_counted_in_the_clip(tmp_path: Path, speech: Path) -> None:
    (clip,) = transcribed(tmp_path, '{"id": "quay", "caption": "A quay.", "duration": 9}')
    assert clip.segments == ()
    assert clip.cleaned == {"unreadable_speech": 1}


def test_a_clip_that_already_has_its_speech_stays_as_it_is(tmp_path: Path, speech: Path) -> None:
    (once,) = transcribed(tmp_path, '{"id": "tour"}')
    (again,) = transcribed(tmp_path, once.model_dump_json())
    assert again.segments == once.segments


def test_rows_that_are_no_clips_stay_rejects(tmp_path: Path, speech: Path) -> None:
    path = tmp_path / "clips.jsonl"
    path.write_text('{"id": "tour", "segments": "none"}\n7\n{"id": {}, "cleaned": 3}\n')
    assert [type(one).__name__ for one in read_clips(path, transcripts=speech)] == ["Reject"] * 3


def test_a_directory_without_transcripts_is_refused_at_the_call(tmp_path: Path) -> None:
    path = tmp_path / "clips.jsonl"
    path.write_text('{"id": "tour"}')
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"holds no \.vtt, \.srt, \.json file"):
        read_clips(path, transcripts=tmp_path / "empty")
    with pytest.raises(UsageError, match="cannot be listed: No such file"):
        read_clips(path, transcripts=tmp_path / "none")


@requires_shared
def test_real_transcripts_are_read() -> None:
    read_of = {file.name: read_transcript(file) for file in TRANSCRIPTS.iterdir()}
    empty = {name for name, (segments, _) in read_of.items() if not segments}
    assert empty == {"webvttpy_empty.vtt"}
    rolling, _ = read_of["webvttpy_youtube_dl.vtt"]
    words = " ".join(segment["text"] for segment in rolling).split()
    assert len(words) == len(set(words))
    broken, counts = read_of["webvttpy_invalid_timeframe.vtt"]
    assert len(broken) == 7
    assert counts == {"no_end": 1}
    chinese, _ = read_of["cdownsrt_gb2312.srt"]
    assert chinese[0]["text"].startswith("宇宙守护神")
