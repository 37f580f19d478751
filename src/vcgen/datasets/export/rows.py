"""Convert a record to a row of each trainer's format. Pure; docs/exports.md has the sources."""

from typing import Any

import orjson

from vcgen.data.hashing import hash64
from vcgen.data.media_tags import IMAGE, VIDEO
from vcgen.data.records import Record, is_simulated


def videochat(record: Record) -> dict[str, Any]:
    """VideoChat V1: one pair is a description, several are a conversation.

    Source: OpenGVLab/Ask-Anything, video_chat/dataset/it_dataset.py.
    """
    pairs = [{"q": turn.question, "a": turn.answer} for turn in record.turns]
    return {"video": record.video, "QA": pairs}


def videochat2(record: Record) -> dict[str, Any]:
    """VideoChat2-IT: as V1 with an instruction `i`; a caption has its question there, and no `q`.

    Its trainer shuffles the pairs of a record and takes the first one's `i` as the system text, so
    a description among other turns keeps its question: in `i` it would be lost.
    Source: OpenGVLab/Ask-Anything, video_chat2/dataset/it_dataset.py.
    """
    is_caption = len(record.turns) == 1 and record.turns[0].kind == "description"
    pairs = [
        {"i": turn.question, "q": "", "a": turn.answer}
        if is_caption
        else {"i": "", "q": turn.question, "a": turn.answer}
        for turn in record.turns
    ]
    return {"video": record.video, "QA": pairs}


def llava(record: Record) -> dict[str, Any]:
    """Video-LLaVA, and Qwen-VL's fine-tuning: human and gpt in turn, the tag before the question.

    Sources: PKU-YuanGroup/Video-LLaVA, videollava/train/train.py; QwenLM/Qwen3-VL,
    qwen-vl-finetune/qwenvl/data/data_processor.py.
    """
    turns = _conversation(record, f"{VIDEO}\n")
    return {"id": record.id, "video": record.video, "conversations": turns}


def llava_next(record: Record) -> dict[str, Any]:
    """LLaVA-NeXT: its tag is `<image>` for videos too; `<video>` is an ordinary word to it.

    Source: LLaVA-VL/LLaVA-NeXT, llava/train/train.py.
    """
    turns = _conversation(record, f"{IMAGE}\n")
    return {"id": record.id, "video": record.video, "conversations": turns}


def internvl(record: Record) -> dict[str, Any]:
    """InternVL: as Video-LLaVA, with a number as id that depends on the record's id alone.

    Source: OpenGVLab/InternVL, internvl_chat/internvl/train/internvl_chat_finetune.py.
    """
    # 53 bits, which every JSON reader keeps exactly.
    return {**llava(record), "id": hash64(record.id) >> 11}


def llamafactory(record: Record) -> dict[str, Any]:
    """LLaMA-Factory's `sharegpt`: a tag for each of `videos`.

    Source: hiyouga/LLaMA-Factory, data/README.md, src/llamafactory/data/converter.py.
    """
    turns = _conversation(record, VIDEO)
    return {"id": record.id, "conversations": turns, "videos": [record.video]}


def messages_with_videos(record: Record) -> dict[str, Any]:
    """LLaMA-Factory's OpenAI layout, and ms-swift's standard one.

    Sources: as `llamafactory`; modelscope/ms-swift, docs, Custom-dataset.
    """
    return {"id": record.id, "messages": _messages(record, VIDEO), "videos": [record.video]}


def message_parts(record: Record) -> dict[str, Any]:
    """Chat messages in OpenAI's parts, one of them the video, for the processors of Qwen2-VL.

    Source: QwenLM/Qwen3-VL, README and fine-tuning, which builds them from `llava`.
    """
    messages: list[dict[str, Any]] = []
    for turn in record.turns:
        media = [] if messages else [{"type": "video", "video": record.video}]
        asked = [*media, {"type": "text", "text": turn.question}]
        messages.append({"role": "user", "content": asked})
        answer = [{"type": "text", "text": turn.answer}]
        messages.append({"role": "assistant", "content": answer})
    return {"id": record.id, "messages": messages}


def columns(record: Record) -> dict[str, Any]:
    """The whole record, in columns of one type each, for tables and shards."""
    meta = record.meta
    model = meta.get("model")
    return {
        "id": record.id,
        "video": record.video,
        "clip_id": record.clip_id,
        "task": record.task,
        "messages": _messages(record, f"{VIDEO}\n"),
        "kinds": [turn.kind for turn in record.turns],
        "flags": list(record.flags),
        "ground": meta.get("ground"),
        "model": model,
        "simulated": isinstance(model, str) and is_simulated(model),
        "meta": orjson.dumps(meta).decode(),
    }


def _conversation(record: Record, tag: str) -> list[dict[str, str]]:
    messages: list[dict[str, str]] = []
    for turn in record.turns:
        messages.append({"from": "human", "value": tag + turn.question})
        messages.append({"from": "gpt", "value": turn.answer})
        tag = ""  # only before the first question
    return messages


def _messages(record: Record, tag: str) -> list[dict[str, str]]:
    messages: list[dict[str, str]] = []
    for turn in record.turns:
        messages.append({"role": "user", "content": tag + turn.question})
        messages.append({"role": "assistant", "content": turn.answer})
        tag = ""
    return messages
