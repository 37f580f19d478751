"""Clips, prompts and replies that the tests of the simulator share."""

import json
import re
from collections.abc import Sequence
from typing import Any

from vcgen.data.clips import Clip, Segment
from vcgen.engine.chat import ChatRequest, Completion, Failure, Message, Schema
from vcgen.engine.wire.completions import Form, decode, encode
from vcgen.sim import Simulator
from vcgen.tasks.evidence import fence, render_evidence
from vcgen.tasks.templates import Templates

PROMPTS = Templates()
KINDS = ["descriptive", "temporal", "causal", "temporal", "descriptive"]
BANNED = re.compile(
    r"\b(?:captions?|descriptions?|evidence|tags?|frames|transcripts?)\b", re.IGNORECASE
)
TURNS = Schema(
    "turns",
    {
        "type": "object",
        "properties": {
            "turns": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        name: {"type": "string"} for name in ("kind", "question", "answer")
                    },
                    "required": ["kind", "question", "answer"],
                    "additionalProperties": False,
                },
            }
        },
        "required": ["turns"],
        "additionalProperties": False,
    },
)


def body_of(
    messages: Sequence[Message], *, schema: Schema | None = None, max_tokens: int = 1024
) -> bytes:
    request = ChatRequest(messages=tuple(messages), schema=schema, max_tokens=max_tokens)
    return encode(request, Form("sim"))


def post(body: bytes, simulator: Simulator | None = None) -> Completion | Failure:
    answer = (simulator or Simulator()).answer({}, body, 0.0)
    return decode(answer.status, answer.headers, answer.body)


def say(
    messages: Sequence[Message],
    schema: Schema | None = None,
    simulator: Simulator | None = None,
) -> str:
    completion = post(body_of(messages, schema=schema), simulator)
    assert isinstance(completion, Completion), completion
    return completion.text


def prompt(
    name: str, clip: Clip, language: str = "English", **variables: Any
) -> tuple[Message, ...]:
    shared = {"evidence": render_evidence(clip), "language": language}
    return PROMPTS.render(name, {**shared, **variables})


def describe(clip: Clip, least: int = 40, most: int = 120, language: str = "English") -> str:
    return say(prompt("describe", clip, language, min_words=least, max_words=most))


def converse(clip: Clip, kinds: Sequence[str] = KINDS) -> list[dict[str, str]]:
    narrative = fence("narrative", describe(clip))
    asked = prompt("converse", clip, kinds=list(kinds), narrative=narrative)
    turns: list[dict[str, str]] = json.loads(say(asked, TURNS))["turns"]
    return turns


def segments(*texts: str, source: str = "caption", step: float = 4.0) -> tuple[Segment, ...]:
    return tuple(
        Segment.model_validate(
            {"start": at * step, "end": (at + 1) * step - 0.5, "text": text, "source": source}
        )
        for at, text in enumerate(texts)
    )


STEPS = (
    "fold the blue napkin into a triangle",
    "A gardener waters three rows of tomato plants.",
    "Two children chasing a kite across a meadow",
    "then press the clay to seal the edges and set it aside",
    "pours warm milk over the oats",
    "A cyclist rides into frame and waves.",
    "The tags on the boxes are peeled off by a clerk",
    "We see an old tram turning at the corner",
    "She opens the gate",
    "Close up of hands tying a rope",
    "sanding the shelf",
    "once the glue is dry lift the frame and hang it on the wall",
)
SOUND = ("Keep your hands dry, please.", "这个西瓜多少钱", "we start in a minute")


def varied_clips(count: int = 60) -> list[Clip]:
    clips = []
    for at in range(count):
        texts = [STEPS[(at * 5 + step * (1 + at % 4)) % len(STEPS)] for step in range(at % 7)]
        seen = segments(*texts, step=2.0 + at % 5)
        heard = segments(SOUND[at % 3], source="speech") if at % 3 else ()
        objects = (
            segments("a red bucket, wooden ladder, gloves", source="dense") if at % 4 == 1 else ()
        )
        clips.append(
            Clip(
                id=f"own{at}",
                duration=None if at % 5 == 4 else 31.5,
                caption="Young baker shaping loaves in a small kitchen" if at % 3 == 0 else None,
                summary="a description of a day at the harbour" if at % 6 == 2 else None,
                tags=("harbour", "boats", "rope") if at % 2 or not texts else (),
                segments=(*seen, *heard, *objects),
            )
        )
    return clips
