"""A run against an endpoint that answers whatever does most harm, and what must hold of it."""

import json
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from random import Random

from tests.support import hostile
from tests.support.common import Watched, generate, make_clips
from vcgen.data.records import KINDS, Record
from vcgen.engine.config import Limits
from vcgen.engine.transport.base import Reply
from vcgen.pipeline.store.read import read_records, read_rejects

TASKS = ("description", "conversation", "conversation-selfchat")


class Hostile(Watched):
    """A transport that answers with what `hostile.reply` draws."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.answered = 0
        self._random = Random(seed)  # noqa: S311 - repeatable draws

    async def post(
        self,
        url: str,  # noqa: ARG002 - it does not look
        headers: Mapping[str, str],  # noqa: ARG002 - as above
        body: bytes,  # noqa: ARG002 - as above
        timeout_s: float,  # noqa: ARG002 - as above
    ) -> Reply:
        self.answered += 1
        return hostile.reply(self._random)


def is_sound(record: Record) -> bool:
    """Whether a trainer can read a record."""
    sides = [side for turn in record.turns for side in (turn.question, turn.answer)]
    return (
        bool(sides)
        and all(turn.kind in KINDS for turn in record.turns)
        and all(side.strip() and side.encode() for side in sides)
        and not any(tag in side for side in sides for tag in ("<video>", "<image>", "<|", "\x1b"))
    )


def survive(path: Path, replies: int, seed: int) -> tuple[int, Counter[str], float]:
    """Run until so many replies came; returns how many did, what became of them, and seconds."""
    transport, outcomes, began, at = Hostile(seed), Counter[str](), time.process_time(), 0
    while transport.answered < replies:
        at += 1
        output = path / str(at)
        clips = make_clips(20)
        result = generate(
            clips, tasks=TASKS, output=output, transport=transport, limits=Limits(concurrency=4)
        )
        records, rejects = list(read_records(output)), list(read_rejects(output))
        assert len(result.records) + len(result.rejects) == len(clips) * len(TASKS)
        ids = [record.id for record in records] + [reject.id for reject in rejects]
        assert len(ids) == len(set(ids)) == len(clips) * len(TASKS)
        assert all(map(is_sound, records))
        for file in output.glob("*.jsonl"):
            assert all(map(json.loads, file.read_bytes().split(b"\n")[:-1]))
        assert not list(output.glob("*.bad"))
        outcomes.update({"record": len(records)} | Counter(reject.reason for reject in rejects))
    return transport.answered, outcomes, time.process_time() - began
