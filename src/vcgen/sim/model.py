"""The simulated model: a parsed chat-completions request in, a reply out, nothing else looked at.

It reads the prompt as a model would: the evidence between its fence lines, the task from the words
of the last message. Same request and same seed, same reply. Whatever it writes comes from the
evidence in the prompt; `model` is always "sim", so that nobody takes its text for a real model's.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any

import orjson

from vcgen.data.records import KINDS
from vcgen.engine.chat import Usage
from vcgen.sim.models import MANNERS, as_it_is
from vcgen.sim.narrative import describe, refine
from vcgen.sim.questions import answer_to, pairs
from vcgen.sim.scene import Scene, fenced, read_narrative, read_scene
from vcgen.sim.schema import Unfillable, fill
from vcgen.sim.validation import Refusal
from vcgen.sim.verdicts import judge
from vcgen.sim.wording import capital, sentence, without_telltales

# Real models count in pieces of words; four bytes a piece is the usual rule of thumb.
BYTES_PER_TOKEN = 4

_LANGUAGE = re.compile(r"^- Write in ([^,\n]+),", re.MULTILINE)
_LENGTH = re.compile(r"(\d+) to (\d+) words\b")
_KIND_LINE = re.compile(rf"^\s*\d+[.)] ({'|'.join(KINDS)})\s*$", re.MULTILINE)
_COUNT = re.compile(r"\b(\d+) (?:questions?|turns?|pairs?)\b")
_ASK_ONE = re.compile(r"ask one (\w+) question\b")
_ANSWER = "answer that question"
_REPAIR = "reply cannot be used"
_TURN_FIELDS = ("kind", "question", "answer")


@dataclass(frozen=True, slots=True)
class Draft:
    """What the model wrote, before limits and faults."""

    text: str
    usage: Usage


def write(request: Mapping[str, Any], body: bytes, seed: str) -> Draft | Refusal:
    """The answer to a valid request; the tokens of the prompt are counted from its bytes, `body`.

    A schema that cannot be filled is a Refusal.
    """
    try:
        conversation = _Conversation(request, seed)
        manner = MANNERS.get(request["model"], as_it_is)
        text = manner(conversation.reply(), conversation.heard, seed)
    except Unfillable as error:
        return Refusal(
            400,
            f"Invalid schema for response_format: {error}.",
            None,
            "response_format",
        )
    return Draft(text, Usage(len(body) // BYTES_PER_TOKEN, count_tokens(text)))


def count_tokens(text: str) -> int:
    """Tokens of a text, at least one."""
    return max(1, len(text.encode()) // BYTES_PER_TOKEN)


def completion(
    text: str,
    usage: Usage,
    *,
    name: str,
    created: int,
    is_cut: bool = False,
    refusal: str | None = None,
) -> bytes:
    """The `chat.completion` object with that text and usage.

    Args:
        name: what makes the reply's id.
        created: seconds since the epoch.
        is_cut: the usage has fewer tokens than the text, which is cut to them.
        refusal: takes the text's place.
    """
    if is_cut:
        most_bytes = usage.completion_tokens * BYTES_PER_TOKEN
        text = text.encode()[:most_bytes].decode(errors="ignore")
    return orjson.dumps(
        {
            "id": f"chatcmpl-{name}",
            "object": "chat.completion",
            "created": created,
            "model": "sim",
            "choices": [
                {
                    "index": 0,
                    "message": {
                        "role": "assistant",
                        "content": None if refusal else text,
                        "refusal": refusal,
                    },
                    "logprobs": None,
                    "finish_reason": "length" if is_cut else "stop",
                }
            ],
            "usage": {
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "total_tokens": usage.prompt_tokens + usage.completion_tokens,
                "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
            },
        }
    )


class _Conversation:
    """One request, read once."""

    def __init__(self, request: Mapping[str, Any], seed: str) -> None:
        said = [(message["role"], text_of(message)) for message in request["messages"]]
        self.heard = tuple(said)
        # A repair asks for the task before the reply that could not be used.
        while len(said) > 2 and _REPAIR in said[-1][1] and said[-2][0] == "assistant":
            del said[-2:]
        self.said, self._last, self._seed = said, said[-1][1], seed
        asked = request.get("response_format") or {}
        self._format = asked.get("type", "text")
        self._schema = asked["json_schema"]["schema"] if self._format == "json_schema" else None

    def reply(self) -> str:
        drafts = fenced(self._last)
        if "draft" in drafts:
            return refine(drafts["draft"])
        if "answers" in drafts:
            known = self._fenced.get("evidence", "")
            return orjson.dumps(judge(known, drafts["answers"])).decode()
        if self._wants_turns():
            return orjson.dumps(self._turns()).decode()
        if self._schema is not None:
            value = fill(self._schema, self._sentences(), self._random)
            return orjson.dumps(value).decode()
        if self._format == "json_object":
            return orjson.dumps({"text": self._sentences()[0]}).decode()
        if found := _ASK_ONE.search(self._last):
            return pairs(self._scene, [found[1]], self._random, self._asked())[0].question
        if _ANSWER in self._last and (asked := self._asked()):
            return answer_to(self._scene, asked[-1], self._random)
        if self._has_scene and (length := _LENGTH.search(self._last)):
            return describe(self._scene, int(length[1]), int(length[2]), self._random)
        return " ".join(self._sentences()[:2])

    @cached_property
    def _random(self) -> Random:
        return Random(self._seed)

    def _wants_turns(self) -> bool:
        if self._schema is None:
            return '"turns"' in self._last
        return _turn_fields(self._schema) is not None

    def _turns(self) -> dict[str, Any]:
        kinds: Sequence[str] = _KIND_LINE.findall(self._last)
        if not kinds:
            counted = _COUNT.search(self._last)
            count = min(int(counted[1]), 50) if counted else 3
            kinds = [KINDS[1:][at % 3] for at in range(count)]
        names = (_turn_fields(self._schema) if self._schema else None) or frozenset(_TURN_FIELDS)
        rows = zip(kinds, pairs(self._scene, kinds, self._random), strict=True)
        turns = [dict(zip(_TURN_FIELDS, (kind, *pair), strict=True)) for kind, pair in rows]
        return {"turns": [{name: turn[name] for name in turn if name in names} for turn in turns]}

    def _asked(self) -> list[str]:
        return [text for role, text in self.said if role == "assistant" and text.endswith("?")]

    @cached_property
    def _fenced(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for role, text in self.said:
            if role != "assistant":
                found = fenced(text) | found
        return found

    @property
    def _has_scene(self) -> bool:
        return not {"evidence", "narrative"}.isdisjoint(self._fenced)

    @cached_property
    def _scene(self) -> Scene:
        language = next(
            (found[1] for _, text in self.said if (found := _LANGUAGE.search(text))), "English"
        )
        if "evidence" in self._fenced:
            return read_scene(self._fenced["evidence"], language)
        return read_narrative(self._fenced.get("narrative", ""))

    def _sentences(self) -> list[str]:
        """What free text is made of: the events, or the last lines of the prompt."""
        if self._has_scene:
            return [sentence(event.clause) for event in self._scene.events]
        lines = [line.strip() for line in self._last.split("\n") if line.strip()]
        told = [sentence(capital(without_telltales(line))) for line in lines[-2:]]
        return told or ["There is nothing to tell."]


def text_of(message: Mapping[str, Any]) -> str:
    """What a message says; its parts, one a line."""
    content = message.get("content")
    if isinstance(content, list):
        return "\n".join(part["text"] for part in content)
    return content or ""


def _turn_fields(schema: Mapping[str, Any]) -> frozenset[str] | None:
    """The fields of a turn where the schema is for turns and nothing else, None otherwise."""
    properties = schema.get("properties")
    turns = properties.get("turns") if isinstance(properties, dict) else None
    items = turns.get("items") if isinstance(turns, dict) else None
    if isinstance(items, dict) and str(items.get("$ref", "")).startswith("#/$defs/"):
        items = schema.get("$defs", {}).get(items["$ref"].removeprefix("#/$defs/"))
    fields = items.get("properties") if isinstance(items, dict) else None
    if not isinstance(fields, dict) or len(properties or ()) != 1:
        return None
    names = frozenset(fields)
    return names if {"question", "answer"} <= names <= frozenset(_TURN_FIELDS) else None
