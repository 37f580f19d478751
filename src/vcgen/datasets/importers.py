"""Instruction data as it was written, anybody's: each row as it stands, and the record it is.

The layouts are vcgen's own, those of JSON that `vcgen.exporters` writes, and OpenAI's. What a row
does not say (kinds, the model, the evidence) is not made up: a record then has `meta` empty,
`video` too where none is named, and kinds as its questions sound.
"""

import json
import re
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from vcgen.checks.checker import question_kind
from vcgen.data.readers.files import load_json, read_head, read_lines
from vcgen.data.records import KINDS, Kind, Outcome, Record, Reject, Turn
from vcgen.errors import Reason, UsageError
from vcgen.pipeline.store.atomic_files import scan_lines
from vcgen.pipeline.store.layout import RECORDS, parts

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
"""The key that rows of a format have, by the format's name."""

TASK = "imported"
_MEDIA = ("<video>", "<image>")
_LEADING_TAGS = re.compile(r"\s*(?:<(?:video|image)>\s*)+")
_ASKERS = frozenset({"human", "user"})
_ANSWERERS = frozenset({"gpt", "assistant", "bot"})
_LONG = 40  # words; an answer as long is a description, unless the question asks otherwise
_NO_JSON = object()


class Row(NamedTuple):
    """A row: its line, or itself where it is an item of an array; and what it says."""

    written: Any
    outcome: Outcome

    def line(self) -> bytes:
        """Itself as JSON on one line, without a newline."""
        if isinstance(self.written, bytes):
            return self.written
        try:
            return orjson.dumps(self.written)
        except TypeError:  # what Python's own JSON holds and this does not: huge numbers
            return json.dumps(self.written).encode()


def is_array(path: Path) -> bool:
    """Whether the rows of a file are items of one JSON array, and not lines.

    Raises:
        UsageError: the file cannot be read, or is empty.
    """
    return read_head(path).lstrip().startswith(b"[")


def read_run(path: Path) -> Iterator[Row]:
    """The rows of a run directory; a damaged line is a reject."""
    for file in parts(path, RECORDS):
        for whole, damaged in scan_lines(file):
            for name, line in whole:
                yield Row(line, _outcome(f"{file.name}: {name}", _parsed(line), LAYOUTS["vcgen"]))
            if damaged is not None:
                yield Row(damaged, _reject(file.name, "a damaged line"))


def read_exported(path: Path, layout: str = "auto") -> Iterator[Row]:
    """The rows of a JSON array or of JSON lines, each a record or a reject that says why not.

    Args:
        path: the file.
        layout: a name of `LAYOUTS`, or `auto` to tell it from the keys of each row.

    Raises:
        UsageError: the file cannot be read, or holds no rows; there is no such layout.
    """
    if layout != "auto" and layout not in LAYOUTS:
        raise UsageError(f"format {layout!r} is unknown; name one of: auto, {', '.join(LAYOUTS)}")
    rows = enumerate(load_json(path), 1) if is_array(path) else _lines(path)
    key = LAYOUTS.get(layout)
    return (
        Row(
            written,
            _outcome(
                f"{path.name}:{place}",
                _parsed(written) if isinstance(written, bytes) else written,
                key,
            ),
        )
        for place, written in rows
    )


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(read_lines(path), 1):
        if line.strip():
            yield number, line.rstrip(b"\r\n")


def _parsed(line: bytes) -> Any:
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
    found = key or next((each for each in LAYOUTS.values() if each in row), None)
    if found is None or found not in row:
        return _reject(where, f"no {key or 'turns, QA, conversations or messages'}")
    try:
        turns = _turns(row[found], found)
        video = _video(row) or _video_in_parts(row[found])
    except (KeyError, TypeError, ValueError, AttributeError):
        return _reject(where, f"{found} is not a list of questions and answers in turn")
    clip_id, task = row.get("clip_id"), row.get("task")
    return Record(
        id=str(row.get("id") or where),
        video=video,
        clip_id=clip_id if isinstance(clip_id, str) else video,
        task=task if isinstance(task, str) else TASK,
        turns=turns,
    )


def _turns(said: Any, key: str) -> tuple[Turn, ...]:
    if key == "turns":
        return tuple(
            Turn(_kind(turn["kind"]), _text(turn["question"]), _text(turn["answer"]))
            for turn in said
        )
    pairs = _pairs(said) if key == "QA" else _dialogue(said)
    return tuple(_turn(question, answer, len(pairs)) for question, answer in pairs)


def _kind(name: Any) -> Kind:
    return KINDS[KINDS.index(name)]


def _turn(question: str, answer: str, turns: int) -> Turn:
    kind: Kind = question_kind(question)
    if len(answer.split()) >= _LONG and (turns == 1 or kind == "descriptive"):
        kind = "description"
    return Turn(kind, question, answer)


def _pairs(said: Any) -> list[tuple[str, str]]:
    # VideoChat2 gives a caption's instruction in `i` and leaves `q` empty.
    return [(_text(pair.get("q") or pair.get("i", "")), _text(pair["a"])) for pair in said]


def _dialogue(said: Any) -> list[tuple[str, str]]:
    # LLaVA's names, then OpenAI's; LLaMA-Factory has either under either key.
    told = [
        (turn["from"], turn["value"]) if "from" in turn else (turn["role"], turn["content"])
        for turn in said
    ]
    turns = [(who, _content(what)) for who, what in told if who != "system"]
    questions, answers = turns[::2], turns[1::2]
    in_turn = all(who in _ASKERS for who, _ in questions) and all(
        who in _ANSWERERS for who, _ in answers
    )
    if not in_turn or len(questions) != len(answers):
        raise ValueError("not in turn")
    return [(_untagged(q), a) for (_, q), (_, a) in zip(questions, answers, strict=True)]


def _untagged(question: str) -> str:
    """A question without the tags that stand for its media, before it or after it."""
    if not any(tag in question for tag in _MEDIA):
        return question
    if leading := _LEADING_TAGS.match(question):
        question = question[leading.end() :]
    for tag in _MEDIA:
        question = question.rstrip().removesuffix(tag)
    return question


def _content(content: Any) -> str:
    """The text of a message, which may be in parts."""
    if isinstance(content, list):
        texts = [part for part in content if part.get("type") == "text"]
        return "\n".join(_text(part.get("text", part.get("value"))) for part in texts)
    return _text(content)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _video(row: Mapping[str, Any]) -> str:
    """What the record is about, empty if that is not said."""
    keys = ("video", "videos", "image", "images")
    named: Any = next((row[key] for key in keys if row.get(key)), "")
    if isinstance(named, list):
        named = named[0]
    return named if isinstance(named, str) else ""


def _video_in_parts(said: Any) -> str:
    contents = [turn.get("content") for turn in said]
    for part in chain.from_iterable(each for each in contents if isinstance(each, list)):
        if part.get("type") != "text":
            named = part.get("value") or part.get(part.get("type"))
            named = named.get("url") if isinstance(named, dict) else named
            if isinstance(named, str):
                return named
    return ""
