"""The judge: another model says of every answer of a sample whether the evidence supports it.

One request a sample, with all its answers in it. A sample with a contradicted answer is rejected
and not repaired: its answers build on each other and on steps that only its task knows, so that
another answer would have to be made, checked and judged as a new sample is, and cost as much. A
sample that the judge gives no usable verdict on is rejected too: nothing passes unjudged.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel

from vcgen.data.records import Turn
from vcgen.engine.engine import Engine
from vcgen.engine.pricing import Price
from vcgen.errors import Reason, SampleRejected
from vcgen.tasks.ask import Answer, Ask
from vcgen.tasks.clip_context import ClipContext
from vcgen.tasks.evidence import fence
from vcgen.tasks.recipe import Recipe

if TYPE_CHECKING:
    from vcgen.tasks.templates import Templates

TEMPLATE = "judge"
# What people and models write differently when they copy a span.
_ALIKE = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"'})
_AROUND = " .,;:!?\"'"


class Verdict(BaseModel):
    """On one answer, as the judge writes it.

    Attributes:
        answer: its number, from 1.
        span: what of the evidence decides it, word for word; empty if nothing does.
    """

    answer: int
    span: str
    verdict: Literal["supported", "contradicted", "not in evidence"]


class Verdicts(BaseModel):
    """The reply of `judge`."""

    verdicts: list[Verdict]


@dataclass(frozen=True, slots=True)
class Judge:
    """Who judges the samples of a run.

    Attributes:
        engine: of the judge alone, with its own endpoint and limits.
        price: of its tokens, None if not known.
        recipe: of the run; how often a reply of the judge goes back, and how long one may be.
    """

    engine: Engine
    price: Price | None
    prompts: "Templates"
    recipe: Recipe

    def begin(self, calls: ClipContext, sample: str) -> "Judgement":
        """The judging of one sample, whose clip's calls these are."""
        return Judgement(self, calls.of(self.engine), sample)


class Judgement:
    """What the judge says of one sample, and what that took."""

    def __init__(self, judge: Judge, calls: ClipContext, sample: str) -> None:
        self._ask = Ask(calls, judge.prompts, judge.recipe, sample)
        self._price = judge.price
        self._verdicts: list[Verdict] = []

    @property
    def meta(self) -> dict[str, Any]:
        """The verdicts in the order of the turns, and what they took, for `meta`."""
        given = [{"verdict": each.verdict, "span": each.span} for each in self._verdicts]
        return {"verdicts": given, **self._ask.used(self._price)}

    async def weigh(self, turns: Sequence[Turn]) -> None:
        """Get the verdicts.

        Raises:
            Rejected: an answer is contradicted, or the judge gives no usable verdicts.
            RunStopped: the run is ending, or the judge cannot be asked any more.
        """
        ask = self._ask
        evidence = ask.calls.variables["evidence"]
        try:
            answer = await ask(
                TEMPLATE,
                schema=Verdicts,
                accept=lambda given: faults(_verdicts(given), len(turns), evidence),
                answers=fence("answers", _numbered(turns)),
                count=len(turns),
            )
        except SampleRejected as error:
            ask.attempts += error.attempts
            message = f"no usable verdict of the judge: {error.reason}: {error.message}"
            raise SampleRejected(Reason.UNJUDGED, message, reply=error.reply) from error
        self._verdicts = sorted(_verdicts(answer), key=lambda verdict: verdict.answer)
        against = [each for each in self._verdicts if each.verdict == "contradicted"]
        if against:
            said = "; ".join(f"answer {each.answer}: {each.span!r}" for each in against)
            reply = "\n".join(turn.answer for turn in turns)
            raise SampleRejected(
                Reason.CONTRADICTED, f"the evidence says otherwise: {said}", reply=reply
            )


def faults(verdicts: Sequence[Verdict], count: int, evidence: str) -> list[str]:
    """What is wrong with the verdicts on so many answers, in words the judge can act on."""
    if sorted(each.answer for each in verdicts) != list(range(1, count + 1)):
        return [f"it must have one verdict on each of the answers 1 to {count}"]
    known = _plain(evidence)
    # A contradiction costs a sample, so it has to name what it stands on.
    return [
        f"the span of answer {each.answer} must be copied from the evidence word for word"
        for each in verdicts
        if each.verdict == "contradicted"
        and not ((span := _plain(each.span).strip(_AROUND)) and span in known)
    ]


def _plain(text: str) -> str:
    return " ".join(text.translate(_ALIKE).casefold().split())


def _verdicts(answer: Answer) -> list[Verdict]:
    verdicts: list[Verdict] = answer.data.verdicts
    return verdicts


def _numbered(turns: Sequence[Turn]) -> str:
    """A line a side, so that none can pass for more than one."""
    return "\n".join(
        f"{number}. Question: {' '.join(turn.question.split())}\n"
        f"   Answer: {' '.join(turn.answer.split())}"
        for number, turn in enumerate(turns, 1)
    )
