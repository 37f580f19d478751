"""Other people's instruction data as records: rows of `QA` pairs, of `conversations` or `messages`.

The layouts are those that `vcgen.exporters` writes and that VideoChat, VideoChat2, LLaVA, Qwen-VL,
LLaMA-Factory and OpenAI read. What a row does not say (kinds, the model, the evidence) is not made
up: a record has `meta` empty, and kinds as its questions sound.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from vcgen.checks import question_kind
from vcgen.errors import Reason, UsageError
from vcgen.records import Kind, Outcome, Record, Reject, Turn
from vcgen.sources.files import load_json, read_head, read_lines

TASK = "imported"
_TAGS = re.compile(r"\A(\s*<(video|image)>)+\s*|\s*(<(video|image)>\s*)+\Z")
_ASKERS = frozenset({"human", "user"})
_ANSWERERS = frozenset({"gpt", "assistant", "bot"})
_LONG = 40  # words; a single answer as long is a description


def read_exported(path: Path) -> Iterator[Outcome]:
    """The rows of a JSON array or of JSON lines as records, or as rejects that say why not.

    Raises:
        UsageError: the file cannot be read, or holds no rows.
    """
    return (_outcome(place, row, path.name) for place, row in _rows(path))


def _rows(path: Path) -> Iterator[tuple[int, Any]]:
    if path.suffix in {".jsonl", ".ndjson"} or not read_head(path).lstrip().startswith(b"["):
        return _lines(path)
    rows = load_json(path)
    if not isinstance(rows, list):
        raise UsageError(f"{path} must be a JSON array or JSON lines")
    return iter(enumerate(rows, 1))


def _lines(path: Path) -> Iterator[tuple[int, Any]]:
    read_head(path)
    for number, line in enumerate(read_lines(path), 1):
        if line.strip():
            try:
                yield number, orjson.loads(line)
            except ValueError:
                yield number, None


def _outcome(place: int, row: Any, name: str) -> Outcome:
    where = f"{name}:{place}"
    try:
        pairs = _pairs(row)
        if not pairs:
            raise ValueError
    except (KeyError, TypeError, ValueError, AttributeError):
        message = f"{where}: no pairs of question and answer in QA, conversations or messages"
        return Reject(id=where, reason=Reason.INVALID_CLIP, message=message)
    video = _video(row) or where
    return Record(
        id=str(row.get("id") or where),
        video=video,
        clip_id=video,
        task=TASK,
        turns=tuple(_turn(question, answer, len(pairs)) for question, answer in pairs),
    )


def _turn(question: str, answer: str, turns: int) -> Turn:
    kind: Kind = question_kind(question)
    if turns == 1 and len(answer.split()) >= _LONG:
        kind = "description"
    return Turn(kind, question, answer)


def _pairs(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    if "QA" in row:
        # VideoChat2 gives a caption's instruction in `i` and leaves `q` empty.
        return [(_text(pair.get("q") or pair.get("i", "")), _text(pair["a"])) for pair in row["QA"]]
    if "conversations" in row:
        said = [(turn["from"], turn["value"]) for turn in row["conversations"]]
    else:
        said = [(turn["role"], turn["content"]) for turn in row["messages"]]
    turns = [(who, _said(what)) for who, what in said if who != "system"]
    questions, answers = turns[::2], turns[1::2]
    in_turn = all(who in _ASKERS for who, _ in questions) and all(
        who in _ANSWERERS for who, _ in answers
    )
    if not in_turn or len(questions) != len(answers):
        raise ValueError("not in turn")
    return [(_TAGS.sub("", q), a) for (_, q), (_, a) in zip(questions, answers, strict=True)]


def _said(content: Any) -> str:
    """The text of a message, which may be in parts."""
    if isinstance(content, list):
        return "\n".join(_text(part["text"]) for part in content if part.get("type") == "text")
    return _text(content)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _video(row: Mapping[str, Any]) -> str:
    named: Any = row.get("video") or row.get("videos") or row.get("image") or ""
    if isinstance(named, Sequence) and not isinstance(named, str):
        named = named[0]
    return named if isinstance(named, str) else ""
