"""How many of the faults that a careless model makes the checks find, and what they do to the rest.

python -m benchmarks.quality [--samples N] [CLIPS ...]

Of the simulated model `sim:sloppy` it is known which fault each reply has. Descriptions,
conversations and single turns are written for the examples and for clips made up here, or for those
of files, and checked; then whole runs tell how many samples the model saves when it is asked again.
"""

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import orjson

import vcgen
from vcgen.checks.checker import CODES, Problem, check
from vcgen.data.records import Kind, Turn
from vcgen.engine.chat import ChatRequest, Message, encode
from vcgen.engine.config import Capabilities
from vcgen.sim.model import Draft, write
from vcgen.sim.sloppiness import plant
from vcgen.tasks.evidence import fence, render_evidence
from vcgen.tasks.templates import Templates

ROOT = Path(__file__).parents[1]
KINDS: Sequence[Kind] = ("descriptive", "temporal", "causal", "temporal")
REPAIRS = (0, 1, 2)
_OF_RUN = 300  # clips
_QUESTION = "What happens in this video?"
_TRUE = frozenset({"reject", "re-ask"})


class Sample(NamedTuple):
    """Turns about a clip, with the code of the fault in them, None for clean ones."""

    clip: vcgen.Clip
    turns: Sequence[Turn]
    planted: str | None


@dataclass
class Tally:
    """What the checks said of samples, by the code that was planted.

    Attributes:
        missed: samples whose fault was not found.
        wrong: clean samples with what was said of them.
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
    """So many samples: descriptions, conversations, and turns of a question and an answer."""
    prompts = Templates()
    for number, clip in enumerate(islice(cycle(clips), count)):
        writer = _Writer(prompts, clip, str(number))
        yield (writer.description, writer.conversation, writer.turn)[number % 3]()


class _Writer:
    """What the model writes about a clip, from a seed."""

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
        """A question and its answer as of a self-chat, one of them sloppy."""
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
        body = encode(ChatRequest(messages=messages), "sim", Capabilities())
        draft = write(orjson.loads(body), body, self._seed)
        return draft.text if isinstance(draft, Draft) else ""

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
_SEEN = 0.5  # the share of clips that say so of somebody
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
    """The clips of files, without what cannot be read."""
    read = (each for path in paths for each in vcgen.read_clips(path))
    return [each for each in read if isinstance(each, vcgen.Clip)]


def tally(clips: Iterable[vcgen.Clip], *, count: int) -> Tally:
    """The checks of so many samples."""
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
    """How many samples a run of the sloppy model has, and how many of them become records."""
    recipe = vcgen.Recipe(repairs=repairs)
    result = vcgen.run(
        clips, model="sim:sloppy", tasks=["description", "conversation"], recipe=recipe
    )
    kept, lost = len(list(result.records)), len(list(result.rejects))
    return kept + lost, kept


def main() -> None:
    """Print both tables, and with --all what was missed and wrongly found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality")
    parser.add_argument("clips", type=Path, nargs="*", help="in place of the examples")
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--all", action="store_true", help="show what was missed or found wrongly")
    options = parser.parse_args()
    if options.clips:
        clips = clips_of(*options.clips)
    else:
        clips = [*clips_of(ROOT / "examples/clips.jsonl"), *made_up_clips(300)]
    told = tally(clips, count=options.samples)
    print(table(told))
    flagged = len(told.wrong)
    print(f"\nclean: {told.clean}, rejected {told.rejected / told.clean:.2%}, ", end="")
    print(f"flagged or rejected {flagged / told.clean:.2%}: ", end="")
    print(Counter(problem.code for _, found in told.wrong for problem in found))
    if options.all:
        _show(told)
    print("\n| repairs | samples | kept | saved of those lost without |\n|--:|--:|--:|--:|")
    made, first = saved(clips[:_OF_RUN], 0)
    for repairs in REPAIRS:
        kept = saved(clips[:_OF_RUN], repairs)[1]
        print(f"| {repairs} | {made} | {kept / made:.1%} | {(kept - first) / (made - first):.1%} |")


def _show(told: Tally) -> None:
    for sample in told.missed:
        print(f"missed {sample.planted} of {sample.clip.id}: {sample.turns}")
    for sample, problems in told.wrong:
        print(f"wrong in {sample.clip.id}: {[*map(str, problems)]}")


if __name__ == "__main__":
    main()
