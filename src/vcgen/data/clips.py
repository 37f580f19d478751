"""`Clip`, one video with its evidence, and `Segment`, a timed piece of it. Building cleans them."""

from collections import Counter
from functools import lru_cache
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from vcgen.data.cleaning import Box, are_clean, clean_events, clean_text

Source = Literal["caption", "dense", "speech", "action"]
Seconds = Annotated[float, Field(allow_inf_nan=False)]
# Names go to terminals, paths and JSON: no control characters, and no lone surrogates either.
_NAME = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"
Identifier = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=512, pattern=_NAME)
]
Name = Annotated[str, StringConstraints(strip_whitespace=True, pattern=_NAME)]
# The language reaches the instructions of a prompt, so it may not be a sentence.
Language = Annotated[str, StringConstraints(pattern=r"^([A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*)?$")]

MAX_EXPLAINED_FAULTS = 1_000

_CONFIG = ConfigDict(
    frozen=True,
    extra="forbid",
    coerce_numbers_to_str=True,
    hide_input_in_errors=True,
    defer_build=True,  # a sixth of the time that `import vcgen` would take
)


class Segment(BaseModel):
    """One timed piece of evidence.

    Attributes:
        start, end: seconds from the beginning of the video.
        text: a caption, or words spoken.
        source: `caption` a frame or event caption, `dense` named regions, `speech`, `action`.
        box: where in the frame, (x0, y0, x1, y1) in 0..1.
    """

    model_config = _CONFIG

    start: Seconds
    end: Seconds
    text: str
    source: Source = "caption"
    box: Box | None = None


class Clip(BaseModel):
    """One video with its evidence.

    Building a clip cleans it (see `vcgen.data.cleaning`); `cleaned` counts the repairs.

    Attributes:
        id: unique within a run.
        video: path or address of the video as trainers should see it; the id if not given.
        duration: seconds, None if unknown.
        caption: of the whole video, by a person or from its page.
        tags: objects, places, actions, without times.
        summary: one sentence from a model.
        segments: timed evidence, in time order.
        language: BCP 47 tag of the evidence, None if unknown.
        extra: other fields of the source, kept; never shown to the model.
        cleaned: number of repairs, by name.
    """

    model_config = _CONFIG

    id: Identifier
    video: Name = ""
    duration: Seconds | None = None
    caption: str | None = None
    tags: tuple[str, ...] = ()
    summary: str | None = None
    segments: tuple[Segment, ...] = ()
    language: Language | None = None
    extra: dict[str, Any] = Field(default_factory=dict)
    cleaned: dict[str, int] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _clean(self) -> Self:
        counts = Counter(self.cleaned)
        duration = self.duration
        if duration is not None and duration <= 0:
            counts["no_duration"] += 1
            duration = None
        caption = clean_text(self.caption or "", counts) or None
        summary = clean_text(self.summary or "", counts) or None
        tags = self.tags
        if tags:
            tags = tuple(dict.fromkeys(tag for raw in tags if (tag := clean_text(raw, counts))))
        segments = self.segments
        if not are_clean(segments, duration):
            events = clean_events(segments, duration, counts)
            segments = tuple(Segment.model_construct(**event._asdict()) for event in events)
        if not (caption or summary or tags or segments):
            raise ValueError("no evidence: caption, tags, summary and segments are all empty")
        # Bypasses the frozen setattr: the object is not shared before it is built.
        self.__dict__.update(
            video=self.video or self.id,
            duration=duration,
            caption=caption,
            summary=summary,
            tags=tags,
            segments=segments,
            language=self.language or None,
            cleaned={name: count for name, count in counts.items() if count},
        )
        return self


def explain(error: ValidationError) -> str:
    """Return one line that names the fields and their first three faults, never the values."""
    # pydantic describes a fault in half a kilobyte; hostile text has as many faults as words.
    if (count := error.error_count()) > MAX_EXPLAINED_FAULTS:
        return f"{count} faults"
    faults = [
        # An unexpected field's name comes from the input: it may be long, or break the line.
        f"{clean_text('.'.join(map(str, item['loc']))[:80], Counter()) or 'clip'}: "
        f"{item['msg'].removeprefix('Value error, ')}"
        for item in error.errors(include_url=False, include_input=False, include_context=False)
    ]
    more = [f"and {len(faults) - 3} more"] if len(faults) > 3 else []
    return "; ".join(faults[:3] + more)


@lru_cache(maxsize=4096)  # all clips share the same few thousand times
def format_seconds(seconds: float) -> str:
    """Format with at most one decimal: `47`, `12.5`."""
    return str(int(seconds)) if seconds.is_integer() else f"{seconds:.1f}".removesuffix(".0")
