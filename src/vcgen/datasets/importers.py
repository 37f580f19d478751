"""Read existing instruction data: each row as written, and as a record.

The layouts are vcgen's own, the JSON layouts of its exports, and OpenAI's. Missing parts of a row
are not invented: such a record has no `meta`, an empty `video` if the row names none, and kinds
guessed from its questions.
"""

import json
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from vcgen.checks.question_kind import question_kind
from vcgen.data.media_tags import without_outer_tags
from vcgen.data.readers.files import load_json, read_head, read_lines
from vcgen.data.records import KINDS, Kind, Outcome, Reason, Record, Reject, Turn
from vcgen.errors import UsageError
from vcgen.pipeline.store.layout import RECORDS
from vcgen.pipeline.store.read import read_outcomes

LAYOUTS: Mapping[str, str] = {
    "vcgen": "turns",
    "videochat": "QA",
    "videochat2": "QA",
    "llava": "conversations",
    "llava-next": "conversations",
    "qwen": "conversations",
    "internvl": "conversations",
    "llamafactory": "conversations",
    "llamafactory-messages": "messages",
    "swift": "messages",
    "messages": "messages",
    "openai": "messages",
}
"""The key of the turns, by the layout's name."""

TASK = "imported"
_ASKERS = frozenset({"human", "user"})
_ANSWERERS = frozenset({"gpt", "assistant", "bot"})
_LONG = 40  # words; longer answers are descriptions, unless the question asks otherwise
_NO_JSON = object()


class Row(NamedTuple):
    """A row as written, a line or an item of an array, and its outcome."""

    written: Any
    outcome: Outcome

    def line(self) -> bytes:
        """Return the row as JSON on one line, without a newline."""
        if isinstance(self.written, bytes):
            return self.written
        try:
            return orjson.dumps(self.written)
        except TypeError:  # huge integers, which orjson rejects
            return json.dumps(self.written).encode()


def is_array(path: Path) -> bool:
    """Return whether a file holds a JSON array rather than lines.

    Raises:
        UsageError: the file cannot be read, or is empty.
    """
    return read_head(path).lstrip().startswith(b"[")


def read_run(path: Path) -> Iterator[Row]:
    """Yield the records of a run directory; a damaged line is a reject."""
    for line in read_outcomes(path, RECORDS):
        yield Row(line.raw, line.outcome or _reject(line.file, "a damaged line"))


def read_exported(path: Path, layout: str = "auto") -> Iterator[Row]:
    """Yield the rows of a JSON array or of JSON lines, each as a record or a reject.

    Args:
        path: the file.
        layout: a name of `LAYOUTS`, or `auto` to detect it by the keys of each row.

    Raises:
        UsageError: the file cannot be read or is empty, or the layout is unknown.
    """
    if layout != "auto" and layout not in LAYOUTS:
        raise UsageError(f"layout {layout!r} is unknown; choose one of auto, {', '.join(LAYOUTS)}")
    key = LAYOUTS.get(layout)
    rows = enumerate(load_json(path), 1) if is_array(path) else _lines(path)
    return (_row(f"{path.name}:{number}", written, key) for number, written in rows)


def _row(where: str, written: Any, key: str | None) -> Row:
    row = _parse(written) if isinstance(written, bytes) else written
    return Row(written, _outcome(where, row, key))


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(read_lines(path), 1):
        if line.strip():
            yield number, line.rstrip(b"\r\n")


def _parse(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except ValueError:
        return _NO_JSON


def _reject(where: str, message: str) -> Reject:
    return Reject(id=where, reason=Reason.INVALID_CLIP, message=f"{where}: {message}")


def _outcome(where: str, row: Any, key: str | None) -> Outcome:
    if row is _NO_JSON:
        return _reject(where, "not valid JSON")
    if not isinstance(row, Mapping):
        return _reject(where, "not a JSON object")
    used = key or next((name for name in LAYOUTS.values() if name in row), None)
    if used is None or used not in row:
        return _reject(where, f"no {key or 'turns, QA, conversations or messages'}")
    try:
        turns = _turns(row[used], used)
        video = _video(row) or _video_in_parts(row[used])
    except (KeyError, TypeError, ValueError, AttributeError):
        return _reject(where, f"{used} is not an alternating list of questions and answers")
    clip_id, task = row.get("clip_id"), row.get("task")
    return Record(
        id=str(row.get("id") or where),
        video=video,
        clip_id=clip_id if isinstance(clip_id, str) else video,
        task=task if isinstance(task, str) else TASK,
        turns=turns,
    )


def _turns(content: Any, key: str) -> tuple[Turn, ...]:
    if key == "turns":
        return tuple(
            Turn(_kind(turn["kind"]), _text(turn["question"]), _text(turn["answer"]))
            for turn in content
        )
    pairs = _pairs(content) if key == "QA" else _dialogue(content)
    return tuple(_turn(question, answer, len(pairs)) for question, answer in pairs)


def _kind(name: Any) -> Kind:
    return KINDS[KINDS.index(name)]


def _turn(question: str, answer: str, turns: int) -> Turn:
    kind: Kind = question_kind(question)
    if len(answer.split()) >= _LONG and (turns == 1 or kind == "descriptive"):
        kind = "description"
    return Turn(kind, question, answer)


def _pairs(content: Any) -> list[tuple[str, str]]:
    # VideoChat2 puts a caption's instruction into `i` and leaves `q` empty.
    return [(_text(pair.get("q") or pair.get("i", "")), _text(pair["a"])) for pair in content]


def _dialogue(content: Any) -> list[tuple[str, str]]:
    # LLaVA's names, then OpenAI's; LLaMA-Factory has either under either key.
    messages = [
        (turn["from"], turn["value"]) if "from" in turn else (turn["role"], turn["content"])
        for turn in content
    ]
    turns = [(role, _content(text)) for role, text in messages if role != "system"]
    questions, answers = turns[::2], turns[1::2]
    alternates = all(role in _ASKERS for role, _ in questions) and all(
        role in _ANSWERERS for role, _ in answers
    )
    if not alternates or len(questions) != len(answers):
        raise ValueError("does not alternate")
    return [(without_outer_tags(q), a) for (_, q), (_, a) in zip(questions, answers, strict=True)]


def _content(content: Any) -> str:
    """Return the text of a message, which may be in parts."""
    if isinstance(content, list):
        texts = [part for part in content if part.get("type") == "text"]
        return "\n".join(_text(part.get("text", part.get("value"))) for part in texts)
    return _text(content)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _video(row: Mapping[str, Any]) -> str:
    """Return the video or image that a row names, empty if it names none."""
    keys = ("video", "videos", "image", "images")
    named: Any = next((row[key] for key in keys if row.get(key)), "")
    if isinstance(named, list):
        named = named[0]
    return named if isinstance(named, str) else ""


def _video_in_parts(content: Any) -> str:
    parts = [turn.get("content") for turn in content]
    for part in chain.from_iterable(each for each in parts if isinstance(each, list)):
        if part.get("type") != "text":
            named = part.get("value") or part.get(part.get("type"))
            named = named.get("url") if isinstance(named, dict) else named
            if isinstance(named, str):
                return named
    return ""
