"""A record as one row of each trainer's format. Pure."""

from typing import Any

from vcgen.records import Record

MEDIA_TAG = "<video>"


def videochat(record: Record) -> dict[str, Any]:
    """VideoChat V1: one pair is a description, several are a conversation.

    Source: OpenGVLab/Ask-Anything, video_chat/dataset/it_dataset.py.
    """
    pairs = [{"q": turn.question, "a": turn.answer} for turn in record.turns]
    return {"video": record.video, "QA": pairs}


def videochat2(record: Record) -> dict[str, Any]:
    """VideoChat2-IT: as V1 with an instruction `i`; captions have theirs there and an empty `q`.

    Its trainer shuffles the pairs of a record and takes the first one's `i` as the system text.
    Source: OpenGVLab/Ask-Anything, video_chat2/dataset/it_dataset.py.
    """
    pairs = [
        {"i": turn.question, "q": "", "a": turn.answer}
        if turn.kind == "description"
        else {"i": "", "q": turn.question, "a": turn.answer}
        for turn in record.turns
    ]
    return {"video": record.video, "QA": pairs}


def llava(record: Record) -> dict[str, Any]:
    """LLaVA-NeXT and Video-LLaVA: human and gpt in turn, one media tag in the first human turn.

    Source: LLaVA-VL/LLaVA-NeXT, llava/train/train.py; PKU-YuanGroup/Video-LLaVA, same file.
    """
    conversations = []
    for number, turn in enumerate(record.turns):
        tag = "" if number else f"{MEDIA_TAG}\n"
        conversations.append({"from": "human", "value": tag + turn.question})
        conversations.append({"from": "gpt", "value": turn.answer})
    return {"id": record.id, "video": record.video, "conversations": conversations}
