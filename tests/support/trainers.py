"""What each trainer makes of a row, by its own published rules, written anew; see docs/exports.md.

Each reader asserts what its trainer demands, and returns the video and the questions and answers
that a model would be trained on.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import permutations
from typing import Any, NamedTuple, TypeVar

Row = Mapping[str, Any]


T = TypeVar("T")


class Read(NamedTuple):
    """A row as its trainer understands it."""

    video: str
    pairs: list[tuple[str, str]]


def in_turn(turns: Sequence[tuple[str, T]], asker: str, answerer: str) -> list[tuple[T, T]]:
    assert turns
    assert len(turns) % 2 == 0
    for at, (who, _) in enumerate(turns):
        assert who == (answerer if at % 2 else asker)
    return [(turns[at][1], turns[at + 1][1]) for at in range(0, len(turns), 2)]


def ask_anything(row: Row, pairs: Sequence[Mapping[str, str]]) -> Read:
    """Both versions: a prompt is built and then taken apart again at its marks."""
    instruction = pairs[0].get("i", "")
    prompt = f"{instruction} ###Human: <Video></Video> The video contains 8 frames. "
    for pair in pairs:
        if pair["q"] or "i" not in pair:
            prompt += f"###Human: {pair['q']} "
        prompt += f"###Assistant: {pair['a']} "
    before, after = (prompt + "###").split("</Video>")  # or it raises
    assert before.count("<Video>") == 1
    assert after.count("###Assistant: ") == len(pairs)
    asked = sum(1 for pair in pairs if pair["q"] or "i" not in pair)
    assert prompt.count("###Human: ") == 1 + asked
    return Read(row["video"], [(pair["q"] or instruction, pair["a"]) for pair in pairs])


def videochat(row: Row) -> Read:
    assert row.keys() == {"video", "QA"}
    assert all(pair.keys() == {"q", "a"} for pair in row["QA"])
    return ask_anything(row, row["QA"])


def videochat2(row: Row) -> Read:
    """Shuffled, each answer still has its question: in `q`, or in `i` where it is alone."""
    assert row.keys() == {"video", "QA"}
    for order in permutations(row["QA"][:4]):
        assert all(question for question, _ in ask_anything(row, order).pairs)
    return ask_anything(row, row["QA"])


def conversation(row: Row) -> list[tuple[str, str]]:
    told = [(turn["from"], turn["value"]) for turn in row["conversations"]]
    return in_turn(told, "human", "gpt")


def one_tag(pairs: Sequence[tuple[str, str]], tag: str, others: Sequence[str]) -> None:
    texts = [text for pair in pairs for text in pair]
    assert [text.count(tag) for text in texts] == [1, *[0] * (len(texts) - 1)]
    assert texts[0].startswith(tag)
    assert not any(other in text for other in others for text in texts)


def without(pairs: Sequence[tuple[str, str]], tag: str) -> list[tuple[str, str]]:
    (question, answer), *rest = pairs
    return [(question.removeprefix(tag), answer), *rest]


def video_llava(row: Row) -> Read:
    """`<video>` first; either tag stands for media wherever it is; one video at most."""
    pairs = conversation(row)
    one_tag(pairs, "<video>\n", ["<image>"])
    return Read(row["video"], without(pairs, "<video>\n"))


def llava_next(row: Row) -> Read:
    """A turn that holds `<image>` must begin with it, and `<video>` stands for nothing."""
    pairs = conversation(row)
    one_tag(pairs, "<image>\n", ["<video>"])
    return Read(row["video"], without(pairs, "<image>\n"))


def qwen(row: Row) -> Read:
    """Questions are split at the tags, each takes one of the videos, and none may be left."""
    videos = [row["video"]] if row["video"] else []
    pairs = []
    for question, answer in conversation(row):
        parts = [part.strip() for part in re.split("(<image>|<video>)", question) if part.strip()]
        taken = [videos.pop(0) for part in parts if part == "<video>"]
        assert "<image>" not in parts
        pairs.append((" ".join(part for part in parts if part != "<video>"), answer))
        assert len(taken) == (len(pairs) == 1)
        assert "<video>" not in answer
        assert "<image>" not in answer
    assert not videos
    return Read(row["video"], pairs)


def internvl(row: Row) -> Read:
    """`<video>` and a line end give way to the frames, once in the whole conversation."""
    assert isinstance(row["id"], int)
    assert 0 <= row["id"] < 2**53
    pairs = conversation(row)
    one_tag(pairs, "<video>\n", ["<image>", "<IMG_CONTEXT>"])
    return Read(row["video"], without(pairs, "<video>\n"))


def listed(pairs: Sequence[tuple[str, str]], row: Row) -> Read:
    """As many `<video>` as videos, none of other media, nor what stands for them in between."""
    [video] = row["videos"]
    one_tag(pairs, "<video>", ["<image>", "<audio>", "{{video}}", "{{image}}"])
    return Read(video, without(pairs, "<video>"))


def llamafactory(row: Row) -> Read:
    return listed(conversation(row), row)


def roles(row: Row) -> list[tuple[str, str]]:
    told = [(turn["role"], turn["content"]) for turn in row["messages"]]
    return in_turn(told, "user", "assistant")


def messages_with_videos(row: Row) -> Read:
    return listed(roles(row), row)


def message_parts(row: Row) -> Read:
    """All contents are lists of parts, and the first user's has the video first."""
    pairs = in_turn(
        [(turn["role"], turn["content"]) for turn in row["messages"]], "user", "assistant"
    )
    video, *rest = [part for pair in pairs for content in pair for part in content]
    assert pairs[0][0][0] is video
    assert video.keys() == {"type", "video"}
    assert video["type"] == "video"
    assert all(part.keys() == {"type", "text"} and part["type"] == "text" for part in rest)
    texts = [(question[-1]["text"], answer[0]["text"]) for question, answer in pairs]
    assert not any("<video>" in text or "<image>" in text for pair in texts for text in pair)
    return Read(video["video"], texts)


def table(row: Row) -> Read:
    pairs = roles(row)
    one_tag(pairs, "<video>\n", ["<image>"])
    assert len(row["kinds"]) == len(pairs)
    return Read(row["video"], without(pairs, "<video>\n"))


READERS: dict[str, Callable[[Row], Read]] = {
    "videochat": videochat,
    "videochat2": videochat2,
    "llava": video_llava,
    "llava-next": llava_next,
    "qwen": qwen,
    "internvl": internvl,
    "llamafactory": llamafactory,
    "llamafactory-messages": messages_with_videos,
    "swift": messages_with_videos,
    "messages": message_parts,
    "parquet": table,
    "datasets": table,
    "webdataset": table,
}
JSON_FORMATS = [name for name in READERS if name not in {"parquet", "datasets", "webdataset"}]
"""Formats whose rows are of JSON files."""
JSON_FILES = [(name, "jsonl") for name in JSON_FORMATS] + [
    (name, "json") for name in JSON_FORMATS if name != "internvl"
]
"""The same with the endings that their files may have."""
