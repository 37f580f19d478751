"""Recall of planted faults, rejections of clean samples, and samples saved by repairs.

Descriptions, conversations and single turns are written for the examples and for clips made up
here, or for the clips of files, each with at most one known fault, and checked. Then whole runs of
the sloppy model show how many samples become records with and without repairs.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import orjson

import vcgen
from benchmarks.quality.planting import plant, write_sloppily
from vcgen.checks.checker import check
from vcgen.checks.codes import CODES, Problem
from vcgen.data.records import Kind, Turn
from vcgen.engine.chat import ChatRequest, Message
from vcgen.engine.wire.completions import Form, encode
from vcgen.sim import SimTransport, Simulator, write
from vcgen.tasks.evidence import fence, render_evidence
from vcgen.tasks.templates import Templates

KINDS: Sequence[Kind] = ("descriptive", "temporal", "causal", "temporal")
_QUESTION = "What happens in this video?"
_TRUE = frozenset({"reject", "re-ask"})


class Sample(NamedTuple):
    """Turns about a clip, with the code of the fault in them, None for clean ones."""

    clip: vcgen.Clip
    turns: Sequence[Turn]
    planted: str | None


@dataclass
class Tally:
    """Results of the checks by the planted code.

    Attributes:
        missed: samples whose fault was not found.
        wrong: clean samples with the problems reported in them.
    """

    planted: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    clean: int = 0
    missed: list[Sample] = field(default_factory=list)
    wrong: list[tuple[Sample, list[Problem]]] = field(default_factory=list)

    def add(self, sample: Sample) -> None:
        """Check one more sample."""
        problems = check(sample.turns, sample.clip)
        if sample.planted is None:
            self.clean += 1
            if problems:
                self.wrong.append((sample, problems))
            return
        self.planted[sample.planted] += 1
        if any(each.code == sample.planted for each in problems):
            self.found[sample.planted] += 1
        else:
            self.missed.append(sample)

    @property
    def rejected(self) -> int:
        """Clean samples that would not be kept."""
        return sum(any(each.severity in _TRUE for each in found) for _, found in self.wrong)


def samples(clips: Iterable[vcgen.Clip], *, count: int) -> Iterator[Sample]:
    """`count` samples: descriptions, conversations, and turns of a question and an answer."""
    prompts = Templates()
    for number, clip in enumerate(islice(cycle(clips), count)):
        writer = _Writer(prompts, clip, str(number))
        yield (writer.description, writer.conversation, writer.turn)[number % 3]()


class _Writer:
    """Samples about a clip, from a seed."""

    def __init__(self, prompts: Templates, clip: vcgen.Clip, seed: str) -> None:
        self._prompts, self._clip, self._seed = prompts, clip, seed
        self._story = {"narrative": fence("narrative", self._plain(self._describe()))}

    def description(self) -> Sample:
        text, code = self._sloppy(self._describe())
        return Sample(self._clip, [Turn("description", _QUESTION, text)], code)

    def conversation(self) -> Sample:
        text, code = self._sloppy(self._render("converse", kinds=KINDS, **self._story))
        turns = [Turn(**turn) for turn in orjson.loads(text)["turns"]]
        return Sample(self._clip, turns, code)

    def turn(self) -> Sample:
        """A question and its answer as in a self-chat, one of them sloppy."""
        at = int(self._seed)
        kind = KINDS[at // 3 % 3]
        asking = self._render("question", kind=kind, meaning=kind, opening=True, **self._story)
        question, code = self._plain(asking), None
        if at % 2:
            question, code = self._sloppy(asking)
        asked = (*asking, Message("assistant", question))
        answering = self._prompts.render("answer", self._variables, asked)
        answer = self._plain(answering)
        if not at % 2:
            answer, code = self._sloppy(answering)
        return Sample(self._clip, [Turn(kind, question, answer)], code)

    @property
    def _variables(self) -> dict[str, Any]:
        return {"evidence": render_evidence(self._clip), "language": "English"}

    def _render(self, template: str, **variables: Any) -> tuple[Message, ...]:
        return self._prompts.render(template, self._variables | variables)

    def _describe(self) -> tuple[Message, ...]:
        return self._render("describe", min_words=80, max_words=160)

    def _plain(self, messages: tuple[Message, ...]) -> str:
        body = encode(ChatRequest(messages=messages), Form("sim"))
        return write(orjson.loads(body), self._seed)

    def _sloppy(self, messages: tuple[Message, ...]) -> tuple[str, str | None]:
        said = [(message.role, message.content) for message in messages]
        return plant(self._plain(messages), said, self._seed)


_WHO = ("a woman", "two men", "a girl", "three children", "an old man", "a boy", "two women")
_THINGS = """
    boat rope fence ladder basket bicycle kettle drum kite piano saddle bucket shovel candle
    guitar blanket barrel mirror window statue wagon hammer lantern pumpkin cushion helmet
    """.split()  # noqa: SIM905 - a list to be read
_DEEDS = (
    "paints", "lifts", "cleans", "repairs", "pulls", "decorates", "measures", "opens",
    "examines", "throws", "folds", "holds", "balances", "packs", "hides",
)  # fmt: skip
_WHERE = (
    "beside a river", "in a garden", "near the market", "under a bridge", "on a beach",
    "behind the barn", "at the station", "in a narrow kitchen", "on a rooftop",
)  # fmt: skip
_SEEN = 0.5  # the share of clips whose captions say "is seen doing"
_COLOURS = ("red", "blue", "green", "yellow", "black", "white", "")


def _doing(deed: str) -> str:
    return f"{deed.removesuffix('s').removesuffix('e')}ing"


def made_up_clips(count: int, seed: int = 0) -> list[vcgen.Clip]:
    """Clips of three to six events in the manner of dense captions."""
    clips = []
    for number in range(count):
        random = Random(f"{seed}/{number}")  # noqa: S311 - repeatable draws
        steps = random.randint(3, 6)
        told = zip(
            random.choices(_WHO, k=steps),
            random.sample(_DEEDS, steps),
            random.choices(_COLOURS, k=steps),
            random.sample(_THINGS, steps),
            random.sample(_WHERE, steps),
            strict=True,
        )
        seen = random.random() < _SEEN
        texts = [
            f"{who} is seen {_doing(deed)} a {colour} {thing} {where}".replace("  ", " ")
            if seen and who.startswith("a")
            else f"{who} {deed if who[:2] == 'a ' or who[:3] == 'an ' else deed.removesuffix('s')} "
            f"a {colour} {thing} {where}".replace("  ", " ")
            for who, deed, colour, thing, where in told
        ]
        step = random.randint(3, 12)
        segments = [
            {"start": at * step, "end": (at + 1) * step, "text": text}
            for at, text in enumerate(texts)
        ]
        clips.append(
            vcgen.Clip.model_validate(
                {"id": f"made-{number}", "duration": steps * step, "segments": segments}
            )
        )
    return clips


def clips_of(*paths: Path) -> list[vcgen.Clip]:
    """The clips of files, without rows that cannot be read."""
    read = (each for path in paths for each in vcgen.read_clips(path))
    return [each for each in read if isinstance(each, vcgen.Clip)]


def tally(clips: Iterable[vcgen.Clip], *, count: int) -> Tally:
    """The results of the checks on `count` samples."""
    told = Tally()
    for sample in samples(clips, count=count):
        told.add(sample)
    return told


def table(told: Tally) -> str:
    """Recall of each code in Markdown, in the order of the table of codes."""
    rows = [
        f"| {code} | {told.planted[code]} | {told.found[code] / told.planted[code]:.3f} |"
        for code in CODES
        if told.planted[code]
    ]
    return "\n".join(["| code | planted | recall |", "|---|--:|--:|", *rows])


def saved(clips: Sequence[vcgen.Clip], repairs: int) -> tuple[int, int]:
    """The number of samples in a run of the sloppy model, and the number that become records."""
    recipe = vcgen.Recipe(max_repairs=repairs)
    transport = SimTransport(Simulator(write=write_sloppily))
    tasks = ["description", "conversation"]
    result = vcgen.run(clips, model="sim", transport=transport, tasks=tasks, recipe=recipe)
    kept, lost = len(list(result.records)), len(list(result.rejects))
    return kept + lost, kept
