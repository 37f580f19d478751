"""One sample: a task done for a clip, its turns checked, its outcome with where it came from."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import orjson

from vcgen._version import __version__
from vcgen.checks.checker import MOST_PROBLEMS, Review, apply_severities
from vcgen.checks.leaks import find_leaks
from vcgen.data.hashing import hash_hex
from vcgen.data.records import KINDS, Outcome, Record, Reject, Turn
from vcgen.engine.pricing import Price
from vcgen.errors import Reason, SampleRejected, VcgenError
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
    """How the samples of a run are made.

    Attributes:
        price: of the model's tokens, None if not known.
        now: date and time for the records.
        judge: who judges what has passed the checks, None for nobody.
    """

    prompts: "Templates"
    recipe: Recipe
    price: Price | None
    now: Callable[[], datetime]
    judge: Judge | None = None

    async def make(self, task: Task, calls: ClipContext, sample: str) -> Outcome:
        """The record of a task for a clip, or the reject with its reason.

        Raises:
            VcgenError: the run is ending, or a template is wrong.
        """
        clip, ask = calls.clip, Ask(calls, self.prompts, self.recipe, sample)
        judging: Judgement | None = None
        try:
            turns = tuple(await task.function(clip, ask))
            review = _review(turns, ask)
            flags = _flags_of_leaks(turns, ask)
            if self.judge is not None:
                calls.keep()  # paid for, and the judge takes its time
                judging = self.judge.begin(calls, ask.sample)
                await judging.weigh(turns)
        except Exception as error:
            cause = _cause(error)
            if isinstance(cause, SampleRejected):
                return self._reject(ask, judging, cause)
            if isinstance(cause, VcgenError):
                raise cause from error
            # Its author's fault costs one sample.
            what = " ".join(f"{type(cause).__name__}: {cause}".split())
            message = f"the task {task.name} failed: {what}"
            return self._reject(ask, judging, SampleRejected(Reason.TASK_ERROR, message))
        return Record(
            id=ask.sample,
            video=clip.video,
            clip_id=clip.id,
            task=task.name,
            turns=turns,
            flags=tuple(dict.fromkeys((*(each.code for each in review.problems), *flags))),
            meta=self._meta(ask, judging) | {"ground": review.ground},
        )

    def _reject(self, ask: Ask, judging: Judgement | None, error: SampleRejected) -> Reject:
        return Reject(
            id=ask.sample,
            reason=error.reason,
            message=error.message,
            attempts=ask.attempts + error.attempts,
            reply=error.reply,
            meta=self._meta(ask, judging),
        )

    @cached_property
    def _common(self) -> dict[str, Any]:
        """What is the same in all records."""
        recipe = self.recipe
        return {
            "recipe": recipe_hash(recipe),
            "seed": recipe.seed,
            "parameters": {"temperature": recipe.temperature, "max_tokens": recipe.max_tokens},
            "version": __version__,
        }

    def _meta(self, ask: Ask, judging: Judgement | None) -> dict[str, Any]:
        meta = {
            **ask.used(self.price),
            **self._common,
            "evidence": ask.calls.evidence,
            "time": self.now().isoformat(timespec="milliseconds"),
        }
        if cleaned := ask.calls.clip.cleaned:
            meta["cleaned"] = cleaned
        if judging is not None:
            meta["judge"] = judging.meta
        return meta


def recipe_hash(recipe: Recipe) -> str:
    """16 hexadecimal digits of all that a recipe says."""
    return hash_hex(orjson.dumps(recipe, option=orjson.OPT_SORT_KEYS).decode())


def _cause(error: Exception) -> Exception:
    """What went wrong in a task, which may ask in a task group: first of all what ends the run."""
    if not isinstance(error, ExceptionGroup):
        return error
    causes = [_cause(inner) for inner in error.exceptions]
    return min(
        causes,
        key=lambda cause: isinstance(cause, SampleRejected) or not isinstance(cause, VcgenError),
    )


def _review(turns: tuple[Turn, ...], ask: Ask) -> Review:
    """What is only to be flagged of turns that a task returned.

    Raises:
        Rejected: something is wrong with them.
    """
    for turn in turns:
        if not isinstance(turn, Turn):
            raise TypeError(f"a task returns turns, not {type(turn).__name__}")
        if turn.kind not in KINDS:
            raise ValueError(f"a turn's kind is one of {', '.join(KINDS)}, not {turn.kind!r}")
    review = ask.checks.review(turns)
    if wrong := [each for each in review.problems if each.severity != "flag"]:
        said = "; ".join(map(str, wrong[:MOST_PROBLEMS]))
        raise SampleRejected(Reason.FAILED_CHECKS, said, reply=_text(turns))
    return review


def _flags_of_leaks(turns: tuple[Turn, ...], ask: Ask) -> tuple[str, ...]:
    """The flags of what was found; what may not be published is rejected."""
    text = _text(turns)
    found = find_leaks(text, ask.instructions.values(), ask.calls.variables["evidence"])
    found = apply_severities(found, ask.recipe.checks)
    if wrong := [each.message for each in found if each.severity != "flag"]:
        raise SampleRejected(Reason.LEAK, "; ".join(wrong), reply=text)
    return tuple(each.code for each in found)


def _text(turns: tuple[Turn, ...]) -> str:
    return " ".join([side for turn in turns for side in (turn.question, turn.answer)])
