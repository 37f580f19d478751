"""Make one sample: do a task for a clip, check its turns, build the outcome with its metadata."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import orjson

from vcgen._version import __version__
from vcgen.checks.checker import Review
from vcgen.checks.codes import MAX_PROBLEMS, apply_severities
from vcgen.checks.leaks import find_leaks
from vcgen.data.hashing import hash_hex
from vcgen.data.records import KINDS, Outcome, Reason, Record, Reject, Turn
from vcgen.engine.pricing import Price
from vcgen.errors import InternalError, SampleRejected
from vcgen.pipeline.faults import ending_of, unusable_result
from vcgen.pipeline.isolation import IsolatedSample, task_reference
from vcgen.tasks.ask import Ask
from vcgen.tasks.clip_context import ClipContext
from vcgen.tasks.judge import Judge, Judgement
from vcgen.tasks.recipe import Recipe
from vcgen.tasks.task import Task

if TYPE_CHECKING:
    from vcgen.tasks.templates import Templates


def sample_id(clip_id: str, task: Task, variant: int = 0) -> str:
    """`<clip id>/<task>/<variant>`."""
    return f"{clip_id}/{task.name}/{variant}"


@dataclass(frozen=True)
class SampleMaker:
    """Makes the samples of a run."""

    prompts: "Templates"
    recipe: Recipe
    price: Price | None  # of the model's tokens, None if unknown
    now: Callable[[], datetime]  # date and time for the records
    judge: Judge | None = None  # judges the samples that have passed the checks, None without one
    # Whether a sample alone repeats an error; None asks nothing, every such error stops the run.
    fails_alone: Callable[[IsolatedSample, Exception], Awaitable[bool]] | None = None

    async def make(self, task: Task, context: ClipContext, sample: str) -> Outcome:
        """Do a task for a clip; return the record, or the reject with its reason.

        Raise VcgenError if the run is ending, a template is wrong, or vcgen or the machine failed.
        """
        clip, ask = context.clip, Ask(context, self.prompts, self.recipe, sample)
        judging: Judgement | None = None
        try:
            turns = _turns_of(task, await task.function(clip, ask))
            review = _review(turns, ask)
            flags = _flags_of_leaks(turns, ask)
            if self.judge is not None:
                context.calls.flush()  # paid for, and the judge takes its time
                judging = self.judge.begin(context, ask.sample)
                await judging.judge(turns)
        except Exception as error:
            ending = ending_of(error, task)
            if isinstance(ending, InternalError) and await self._fails_alone(task, ask, error):
                message = f"{ending}; the sample alone repeats it, please report it"
                ending = SampleRejected(Reason.INTERNAL_ERROR, message)
            if not isinstance(ending, SampleRejected):
                raise ending from error
            return self._reject(ask, judging, ending)
        return Record(
            id=ask.sample,
            video=clip.video,
            clip_id=clip.id,
            task=task.name,
            turns=turns,
            flags=tuple(dict.fromkeys((*(problem.code for problem in review.problems), *flags))),
            meta=self._meta(ask, judging) | {"ground": review.ground},
        )

    async def _fails_alone(self, task: Task, ask: Ask, error: Exception) -> bool:
        reference = task_reference(task)
        if self.fails_alone is None or reference is None:
            return False
        isolated = IsolatedSample(
            clip=ask.context.clip,
            task=reference,
            sample=ask.sample,
            recipe=self.recipe,
            templates=self.prompts.directory,
            model=ask.context.calls.engine.endpoint.model,
            calls=ask.context.calls.rows(),
        )
        return await self.fails_alone(isolated, error)

    def _reject(self, ask: Ask, judging: Judgement | None, error: SampleRejected) -> Reject:
        return Reject(
            id=ask.sample,
            reason=Reason(error.reason),
            message=error.message,
            attempts=ask.provenance.attempts + error.attempts,
            reply=error.reply,
            codes=error.codes,
            meta=self._meta(ask, judging),
        )

    @cached_property
    def _common(self) -> dict[str, Any]:
        """Metadata that all records share."""
        recipe = self.recipe
        return {
            "recipe": recipe_hash(recipe),
            "seed": recipe.seed,
            "parameters": {
                "temperature": recipe.temperature,
                "max_tokens": recipe.max_reply_tokens,
                "effort": recipe.effort,
            },
            "version": __version__,
        }

    def _meta(self, ask: Ask, judging: Judgement | None) -> dict[str, Any]:
        meta = {
            **ask.provenance.as_meta(self.price),
            **self._common,
            "evidence": ask.context.evidence_hash,
            "time": self.now().isoformat(timespec="milliseconds"),
        }
        if cleaned := ask.context.clip.cleaned:
            meta["cleaned"] = cleaned
        if judging is not None:
            meta["judge"] = judging.meta
        return meta


def recipe_hash(recipe: Recipe) -> str:
    return hash_hex(orjson.dumps(recipe, option=orjson.OPT_SORT_KEYS).decode())


def _turns_of(task: Task, returned: object) -> tuple[Turn, ...]:
    """Check the type of the value that a task returned.

    Raises:
        SampleRejected: its author's fault.
    """
    if not isinstance(returned, Iterable):
        raise unusable_result(task, f"{type(returned).__name__} instead of turns")
    turns = tuple(returned)
    for turn in turns:
        if not isinstance(turn, Turn):
            raise unusable_result(task, f"{type(turn).__name__} instead of a turn")
        if turn.kind not in KINDS:
            kinds = ", ".join(KINDS)
            raise unusable_result(task, f"a turn of kind {turn.kind!r}; choose from {kinds}")
        for text in (turn.question, turn.answer):
            if not isinstance(text, str):
                raise unusable_result(task, f"a turn with {type(text).__name__} instead of text")
    return turns


def _review(turns: tuple[Turn, ...], ask: Ask) -> Review:
    """Check the turns that a task returned; the review holds those problems that are only flagged.

    Raises:
        SampleRejected: something is wrong with them.
    """
    review = ask.checks.review(turns)
    if wrong := [problem for problem in review.problems if problem.severity != "flag"]:
        message = "; ".join(map(str, wrong[:MAX_PROBLEMS]))
        codes = [problem.code for problem in wrong]
        raise SampleRejected(Reason.FAILED_CHECKS, message, reply=_text(turns), codes=codes)
    return review


def _flags_of_leaks(turns: tuple[Turn, ...], ask: Ask) -> tuple[str, ...]:
    """Look for leaks; return the codes of those that are only flagged.

    Raises:
        SampleRejected: the text leaks instructions or other text that must not be published.
    """
    text = _text(turns)
    leaks = find_leaks(text, ask.provenance.instructions.values(), ask.context.evidence)
    leaks = apply_severities(leaks, ask.recipe.checks)
    if wrong := [leak for leak in leaks if leak.severity != "flag"]:
        message, codes = "; ".join(leak.message for leak in wrong), [leak.code for leak in wrong]
        raise SampleRejected(Reason.LEAK, message, reply=text, codes=codes)
    return tuple(leak.code for leak in leaks)


def _text(turns: tuple[Turn, ...]) -> str:
    return " ".join([side for turn in turns for side in (turn.question, turn.answer)])
