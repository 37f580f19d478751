"""The judge: a second model decides for every answer of a sample whether the evidence supports it.

One request judges all answers of a sample. A sample with a contradicted answer is rejected, not
repaired: its answers build on each other and on steps that only its task knows, so another answer
would have to be made, checked and judged as a new sample is, at the same cost. A sample without a
usable verdict is rejected too: nothing passes unjudged.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel

from vcgen.data.records import Reason, Turn
from vcgen.engine.engine import Engine
from vcgen.engine.pricing import Price
from vcgen.errors import SampleRejected
from vcgen.tasks.ask import Ask
from vcgen.tasks.clip_context import ClipContext
from vcgen.tasks.evidence import fence
from vcgen.tasks.recipe import Recipe

if TYPE_CHECKING:
    from vcgen.tasks.templates import Templates

TEMPLATE = "judge"
# Characters that change when people and models copy a span.
_ALIKE = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"'})
_AROUND = " .,;:!?\"'"


class Verdict(BaseModel):
    """The verdict on one answer, as the judge writes it.

    Attributes:
        answer: its number, from 1.
        span: the part of the evidence that decides it, word for word, or empty.
    """

    answer: int
    span: str
    verdict: Literal["supported", "contradicted", "not in evidence"]


class Verdicts(BaseModel):
    """The reply of `judge`."""

    verdicts: list[Verdict]


@dataclass(frozen=True, slots=True)
class Judge:
    """The judge of a run."""

    engine: Engine  # of the judge alone, with its own endpoint and limits
    price: Price | None  # of its tokens, None if unknown
    prompts: "Templates"
    recipe: Recipe  # of the run: `max_repairs` and `max_reply_tokens` hold for the judge as well

    def begin(self, context: ClipContext, sample: str) -> "Judgement":
        """Return a judgement without verdicts on a sample of this clip."""
        ask = Ask(context.with_engine(self.engine), self.prompts, self.recipe, sample)
        return Judgement(ask, self.price)


@dataclass(slots=True)
class Judgement:
    """The verdicts on one sample, and their provenance."""

    ask: Ask
    price: Price | None
    verdicts: list[Verdict] = field(default_factory=list)

    @property
    def meta(self) -> dict[str, Any]:
        """The verdicts in the order of the turns, and their provenance, for `meta`."""
        verdicts = [{"verdict": given.verdict, "span": given.span} for given in self.verdicts]
        return {"verdicts": verdicts, **self.ask.provenance.as_meta(self.price)}

    async def judge(self, turns: Sequence[Turn]) -> None:
        """Get the verdicts.

        Raises:
            SampleRejected: an answer is contradicted, or there are no usable verdicts.
            RunStopped: the run is ending, or the judge is out of reach.
        """
        evidence = self.ask.context.evidence
        try:
            answer = await self.ask(
                TEMPLATE,
                schema=Verdicts,
                accept=lambda reply: verdict_problems(reply.data.verdicts, len(turns), evidence),
                answers=fence("answers", _numbered(turns)),
                count=len(turns),
            )
        except SampleRejected as error:
            self.ask.provenance.attempts += error.attempts
            message = f"no usable verdict of the judge: {error.reason}: {error.message}"
            raise SampleRejected(Reason.UNJUDGED, message, reply=error.reply) from error
        self.verdicts = sorted(answer.data.verdicts, key=lambda verdict: verdict.answer)
        against = [given for given in self.verdicts if given.verdict == "contradicted"]
        if against:
            spans = "; ".join(f"answer {given.answer}: {given.span!r}" for given in against)
            reply = "\n".join(turn.answer for turn in turns)
            raise SampleRejected(
                Reason.CONTRADICTED, f"the evidence contradicts {spans}", reply=reply
            )


def verdict_problems(verdicts: Sequence[Verdict], count: int, evidence: str) -> list[str]:
    """Return the problems of the verdicts on `count` answers, as text for the judge."""
    if sorted(given.answer for given in verdicts) != list(range(1, count + 1)):
        return [f"it must have one verdict on each of the answers 1 to {count}"]
    plain = _plain(evidence)
    # A contradiction costs a sample, so it must quote the evidence.
    return [
        f"the span of answer {given.answer} must be copied from the evidence word for word"
        for given in verdicts
        if given.verdict == "contradicted"
        and not ((span := _plain(given.span).strip(_AROUND)) and span in plain)
    ]


def _plain(text: str) -> str:
    return " ".join(text.translate(_ALIKE).casefold().split())


def _numbered(turns: Sequence[Turn]) -> str:
    """List the turns with each side on one line, so that no answer can pose as two."""
    return "\n".join(
        f"{number}. Question: {' '.join(turn.question.split())}\n"
        f"   Answer: {' '.join(turn.answer.split())}"
        for number, turn in enumerate(turns, 1)
    )
