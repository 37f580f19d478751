"""What is fuzzed: each target takes any bytes and fails only where a promise is broken."""

import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from zlib import crc32

import orjson

from tests.support.common import CLIPS, make_clip
from vcgen.checks.checker import check
from vcgen.checks.leaks import find_leaks
from vcgen.data.clips import Clip
from vcgen.data.readers.read import FORMATS, read_clips
from vcgen.data.readers.speech import read_transcript
from vcgen.data.records import Reason, Record, Reject, Turn
from vcgen.engine.chat import Completion, Failure
from vcgen.engine.wire.completions import decode
from vcgen.errors import UsageError
from vcgen.pipeline.store.directory import RunDirectory
from vcgen.pipeline.store.lines import decode_line, encode_line, line_id, salvage
from vcgen.pipeline.store.manifest import Manifest
from vcgen.tasks.conversation import Conversation
from vcgen.tasks.evidence import render_evidence
from vcgen.tasks.parsing import parse

SPEECH = (".srt", ".vtt", ".json")
_FORMATS = ("auto", *FORMATS)
# Few: recovery waits for the disk.
_TO_DISK = (b"\0", b"\xff")
_RULES = "You write training data for an assistant that watches videos."


def _file(content: bytes, suffix: str = "") -> Path:
    # One file a process, written anew: fuzzing makes a million of them.
    path = Path(tempfile.gettempdir()) / f"vcgen-fuzzed-{os.getpid()}{suffix}"
    path.write_bytes(content)
    return path


def readers(data: bytes) -> None:
    """The first byte chooses a format, the rest is the file: clips, rejects or one clear error."""
    chosen, content = data[:1], data[1:]
    number = chosen[0] if chosen else 0
    if number >= 0xF0:
        read_transcript(_file(content, SPEECH[number % len(SPEECH)]))
        return
    path = _file(content)
    with suppress(UsageError):
        for outcome in read_clips(path, format=_FORMATS[number % len(_FORMATS)]):
            if isinstance(outcome, Clip):
                render_evidence(outcome).encode()
            else:
                assert isinstance(outcome, Reject)
                assert outcome.reason is Reason.INVALID_CLIP
                encode_line(outcome)


def replies(data: bytes) -> None:
    """A body, or the text of a completion: a completion or a failure, and its text is judged."""
    chosen, content = data[:1], data[1:]
    if chosen < b"\x80":
        decoded = decode(200 if chosen < b"\x60" else 429, {}, content)
        assert isinstance(decoded, Completion | Failure)
        text = decoded.text if isinstance(decoded, Completion) else ""
    else:
        text = content.decode(errors="replace")
    conversation, problems = parse(text, Conversation)
    assert (conversation is None) == bool(problems)
    turn = Turn("causal", "Why?", text)
    check([turn], make_clip())
    find_leaks(text, [_RULES], text)
    outcome = Record(id="a/b/0", video="", clip_id="a", task="b", turns=(turn,))
    assert line_id(encode_line(outcome)[:-1]) == "a/b/0"


def journal(data: bytes) -> None:
    """A file of records, with right checksums or not: what is there is kept or set aside."""
    chosen, content = data[:1], data[1:]
    lines = content.split(b"\n")
    if chosen < b"\x80":
        lines = [b'%b,"crc":"%08x"}' % (line, crc32(line)) for line in lines]
    for line in lines:
        if line_id(line) is not None:
            with suppress(ValueError):  # somebody else's line
                decode_line(line)
    if chosen in _TO_DISK:
        _recover(lines)


def _recover(lines: list[bytes]) -> None:
    manifest = Manifest()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "run"
        RunDirectory.open(path, manifest).close()
        (path / "records.jsonl").write_bytes(b"\n".join(lines))
        first = RunDirectory.open(path, manifest)
        first.close()
        again = RunDirectory.open(path, manifest)
        again.close()
        whole = sum(len(salvage(line)) if line_id(line) is None else 1 for line in lines)
        assert first.records == again.records == whole
        assert not again.damaged


TARGETS: Mapping[str, Callable[[bytes], None]] = MappingProxyType(
    {"readers": readers, "replies": replies, "journal": journal}
)


def _files() -> list[bytes]:
    captioned = b'{"v_1": {"duration": 9, "timestamps": [[0, 4.5]], "sentences": ["A boat."]}}'
    return [
        CLIPS.read_bytes()[:2_000],
        b"[" + CLIPS.read_bytes().split(b"\n")[0] + b"]",
        b'videoid,name,page_dir,duration\n7,"A ""boat"", leaves",a_b,PT00H00M17S\n',
        captioned,
        b'{"v_1.mp4": [{"timestamp": [0, 4.5], "caption": "A boat."}]}',
        b"Video tags are: a\nThe dense caption of the video is: Second 1 : a,b.\n0-4second: Hi\n",
        b'When 0:00:00 - 0:00:15\nI saw a boat.\nI heard someone say "Hi"\n',
    ]


def _transcripts() -> list[bytes]:
    return [
        b"1\n00:00:01,000 --> 00:00:02,000\nHello.\n\n2\n00:00:02,000 --> 00:00:03,000\n<i>Bye</i>",
        b"WEBVTT\n\n00:01.000 --> 00:02.000 align:start\n<00:01.5><c>Hello</c> &amp; bye\n",
        b'{"segments": [{"start": 0, "end": 1.5, "text": "Hello."}]}',
    ]


def seeds() -> Mapping[str, list[bytes]]:
    """What each target begins with."""
    turn = {"kind": "causal", "question": "Why?", "answer": "Because it is late."}
    told = orjson.dumps({"turns": [turn]})
    choice = {"message": {"content": told.decode(), "refusal": None}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 1, "prompt_tokens_details": {"cached_tokens": 1}}
    body = orjson.dumps({"model": "m", "choices": [choice], "usage": usage})
    error = b'{"error": {"message": "slow", "code": "rate_limit_exceeded"}}'
    line = encode_line({"id": 'a"/\xe9', "video": "a"})
    bare = line.rpartition(b',"crc"')[0]
    files = [bytes([number]) + content for content in _files() for number in range(len(_FORMATS))]
    spoken = [bytes([0xF0 + kind]) + text for text in _transcripts() for kind in range(3)]
    return {
        "readers": [*files, *spoken],
        "replies": [b"\0" + body, b"\x60" + error, b"\x80" + told, b"\x80```json\n{'turns': [}"],
        "journal": [b"\xff" + line * 2, b"\0" + bare + b"\n" + bare, b"\xff" + line[:20]],
    }
