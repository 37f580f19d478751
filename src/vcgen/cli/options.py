"""Options that several commands share, each declared once, and what their values mean.

Groups of options are dataclasses; `vcgen.cli.app` makes a command's options of their fields. An
option of one command alone stands in its signature.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, cast

from vcgen.cli.app import REQUIRED, Heading, argument, flag, option
from vcgen.cli.endpoint_specs import (
    choose_endpoint,
    parse_body,
    parse_header_variables,
    parse_pairs,
    parse_price,
    read_endpoints,
)
from vcgen.data.readers.inputs import InputStream, first_rows, open_input_files
from vcgen.data.readers.read import FORMATS as INPUT_FORMATS
from vcgen.data.records import Kind
from vcgen.engine.budget import Budget
from vcgen.engine.config import DEFAULT_TIMEOUT_S, Endpoint, EndpointSpec, JsonMode, Limits
from vcgen.engine.models import EFFORTS, Effort
from vcgen.engine.rate_headers import duration_s
from vcgen.errors import UsageError
from vcgen.tasks.recipe import Recipe
from vcgen.tasks.recipe_files import builtin_recipes, read_recipe
from vcgen.tasks.registry import builtin_tasks

LIMITS, ADVANCED = Heading.LIMITS, Heading.ADVANCED
KEY_VARIABLE = "OPENAI_API_KEY"
RECIPES = ", ".join(builtin_recipes())
TASKS = ", ".join(builtin_tasks())

RUN = argument("RUN", "Run directory.")
LANGUAGE = option("LANGUAGE", "Language of the records.")
TEMPLATES = option(
    "DIR", "Directory of your own templates; each replaces the built-in one of its name."
)
JSON = flag("--json", "Print the summary as JSON on standard output.")
LATENCY = option("SECONDS", "Time the endpoint takes for one reply.", default=0.0)
CLIP_FORMAT = option(
    "FORMAT", f"Format of the clips: auto, {', '.join(INPUT_FORMATS)}.", default="auto"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class InputOptions:
    """The clips to read."""

    HEADING: ClassVar = Heading.MAKE

    inputs: list[Path] = argument("INPUT", "Files of clips: JSONL, JSON, CSV or text.")
    input_format: str = option(
        "FORMAT", f"Format of INPUT: auto, {', '.join(INPUT_FORMATS)}.", default="auto"
    )
    limit: int | None = option("N", "Take the first N clips only.", min=1)
    transcripts: Path | None = option(
        "DIR", "Add transcripts (SRT, VTT, Whisper JSON); files are named like their videos."
    )

    def open(self) -> InputStream:
        """Read the clips; raises UsageError for a file that cannot be read."""
        rows = open_input_files(self.inputs, self.input_format, self.transcripts)
        return first_rows(rows, self.limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatToMake:
    """A recipe, and the fields of it to override."""

    HEADING: ClassVar = Heading.MAKE

    recipe: str = option(
        "NAME",
        f"Recipe to follow: {RECIPES}, or a TOML file; see `vcgen recipe list`. The other options "
        "of this group override it.",
        default="default",
    )
    tasks: str | None = option(
        "NAMES", f"Comma-separated tasks for each clip: {TASKS}, or FILE.py:FUNCTION."
    )
    max_records: int | None = option("N", "Stop after N records.")
    turns: str | None = option("MIN-MAX", "Number of questions in a conversation, such as 3-5.")
    kinds: str | None = option(
        "NAMES", "Comma-separated kinds of question a conversation must have."
    )
    refine: bool | None = option(
        "", "Clean up each description with a second request.", "--refine/--no-refine"
    )
    language: str | None = LANGUAGE
    templates: Path | None = TEMPLATES
    max_reply_tokens: int | None = option("TOKENS", "Longest reply the model may write.")
    max_repairs: int | None = option(
        "N", "Return a reply that fails a check to the model up to N times, with the fault."
    )
    effort: Effort | None = option(
        "EFFORT",
        f"How much the model thinks: {', '.join(EFFORTS)}; least by default, model leaves it to "
        "the model.",
    )
    thinking_room: int | None = option(
        "TOKENS",
        "Room for thinking beside the answer; by default it goes by the effort.",
        under=ADVANCED,
    )
    thinking_marks: str | None = option(
        "OPEN,CLOSE",
        "Marks around the model's thinking, besides the known ones, such as [PLAN],[/PLAN].",
        under=ADVANCED,
    )
    keep_reasoning: bool = flag(
        "--keep-reasoning", "Keep the model's thinking in the metadata.", under=ADVANCED
    )
    temperature: float | None = option(
        "NUMBER", "Sampling temperature; the endpoint's own by default.", under=ADVANCED
    )
    seed: int | None = option("N", "Seed of all random choices.", under=ADVANCED)

    def chosen(self) -> Recipe:
        """The recipe with the overrides.

        Tasks replace those of the recipe together with their weights: each clip gets all of them.
        """
        overrides: dict[str, Any] = {
            "refine": self.refine,
            "language": self.language,
            "max_reply_tokens": self.max_reply_tokens,
            "max_repairs": self.max_repairs,
            "temperature": self.temperature,
            "seed": self.seed,
            "effort": self.effort,
            "thinking_room": self.thinking_room,
            "keep_reasoning": self.keep_reasoning or None,
        }
        changes = {field: value for field, value in overrides.items() if value is not None}
        if self.tasks is not None:
            changes |= {"tasks": split_names(self.tasks), "weights": None}
        if self.turns is not None:
            changes["turns"] = _parse_range(self.turns)
        if self.thinking_marks is not None:
            opening, _, closing = self.thinking_marks.partition(",")
            changes["thinking_marks"] = opening, closing
        if self.kinds is not None:
            changes["kinds"] = cast("tuple[Kind, ...]", split_names(self.kinds))
        return replace(read_recipe(self.recipe), **changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointOptions:
    """The model, where it is served, and what the endpoint allows."""

    HEADING: ClassVar = Heading.ENDPOINT

    model: str = option(
        "NAME", "Model to ask; `sim` simulates one and needs no key.", default=REQUIRED
    )
    base_url: str | None = option(
        "URL",
        "OpenAI-compatible endpoint, up to and including /v1; $OPENAI_BASE_URL or OpenAI by "
        "default.",
    )
    key_env: str | None = option(
        "VARIABLE", f"Environment variable that holds the key; {KEY_VARIABLE} by default."
    )
    endpoints: Path | None = option(
        "FILE",
        "TOML file of several endpoints that share the work, one [[endpoint]] table each: "
        "base-url, key-env, rpm, tpm, concurrency, ...",
    )
    rpm: int | None = option("REQUESTS", "Requests per minute the endpoint allows.", under=LIMITS)
    tpm: int | None = option("TOKENS", "Tokens per minute the endpoint allows.", under=LIMITS)
    concurrency: int | None = option(
        "REQUESTS",
        "Requests in flight at the endpoint; by default derived from --rpm, or searched for.",
        under=LIMITS,
    )
    price: str | None = option(
        "IN,OUT",
        "US dollars per million prompt and reply tokens; looked up by default.",
        under=LIMITS,
    )
    json_mode: JsonMode = option(
        "MODE",
        "How to ask for JSON: json_schema, json_object, prompt, or auto to find out.",
        under=ADVANCED,
        default="auto",
    )
    body: str | None = option(
        "JSON",
        "Fields of your own for each request, such as '{\"top_p\": 0.9}'; they replace others.",
        under=ADVANCED,
    )
    header: list[str] = option(
        "NAME=VARIABLE",
        "Header to send; its value is read from that environment variable. May be repeated.",
        under=ADVANCED,
        default=(),
    )
    query: list[str] = option(
        "NAME=VALUE",
        "Parameter of the endpoint's address, such as api-version=2026-10-01. May be repeated.",
        under=ADVANCED,
        default=(),
    )
    use_env_proxy: bool = flag(
        "--use-env-proxy",
        "Connect through the proxies of HTTPS_PROXY and the like; slower.",
        under=ADVANCED,
    )

    def specs(self) -> tuple[EndpointSpec, ...]:
        """The endpoints, without their keys.

        Raises:
            UsageError: the file is wrong, or a single endpoint is described beside it.
        """
        common = Endpoint(
            model=self.model,
            json_mode=self.json_mode,
            price=None if self.price is None else parse_price(self.price),
            limits=Limits(rpm=self.rpm, tpm=self.tpm, concurrency=self.concurrency),
            body={} if self.body is None else parse_body(self.body),
            query=parse_pairs("--query", self.query),
            use_env_proxy=self.use_env_proxy,
        )
        if self.endpoints is None:
            spec = choose_endpoint(common, self.base_url, self.key_env or KEY_VARIABLE)
            return (replace(spec, header_variables=parse_header_variables(self.header)),)
        if self.base_url or self.key_env or self.header:
            raise UsageError(
                "--base-url, --key-env and --header describe a single endpoint; with --endpoints "
                f"write them as base-url, key-env and headers into {self.endpoints}"
            )
        return read_endpoints(self.endpoints, common)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeOptions:
    """The model that judges answers, where it is served, and what that endpoint allows."""

    HEADING: ClassVar = Heading.ENDPOINT

    judge: str | None = option(
        "NAME", "Model that judges answers; rejects those the evidence contradicts."
    )
    judge_base_url: str | None = option("URL", "Endpoint of the judge; default as for --base-url.")
    judge_key_env: str | None = option(
        "VARIABLE", f"Environment variable of the judge's key; {KEY_VARIABLE} by default."
    )
    judge_rpm: int | None = option(
        "REQUESTS", "Requests per minute the judge allows.", under=LIMITS
    )
    judge_tpm: int | None = option("TOKENS", "Tokens per minute the judge allows.", under=LIMITS)
    judge_concurrency: int | None = option(
        "REQUESTS", "Requests in flight at the judge.", under=LIMITS
    )
    judge_price: str | None = option(
        "IN,OUT", "US dollars per million of the judge's tokens.", under=LIMITS
    )

    def spec(self, *, use_env_proxy: bool) -> EndpointSpec | None:
        """The judge's endpoint without its key, None for no judge.

        Raises:
            UsageError: a judge is described but not named.
        """
        limits = Limits(rpm=self.judge_rpm, tpm=self.judge_tpm, concurrency=self.judge_concurrency)
        if self.judge is None:
            if self != JudgeOptions():
                raise UsageError("--judge-* options need a judge: add --judge MODEL")
            return None
        judge = Endpoint(
            model=self.judge,
            price=None if self.judge_price is None else parse_price(self.judge_price),
            limits=limits,
            use_env_proxy=use_env_proxy,
        )
        variable = self.judge_key_env or KEY_VARIABLE
        return choose_endpoint(judge, self.judge_base_url, variable)


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetOptions:
    """The limits of a run's cost, requests, tokens and time."""

    HEADING: ClassVar = Heading.LIMITS

    max_cost: float | None = option(
        "DOLLARS", "Stop before spending more than this, in US dollars."
    )
    max_requests: int | None = option("REQUESTS", "Stop after this many requests.")
    token_budget: int | None = option(
        "TOKENS", "Stop before using more tokens, prompts and replies together."
    )
    time_limit: str | None = option("DURATION", "Stop sending after this time: 90s, 30m, 1h30m.")

    def budget(self) -> Budget:
        """The budget; raises UsageError for a time limit that is not a duration."""
        return Budget(
            cost=self.max_cost,
            requests=self.max_requests,
            tokens=self.token_budget,
            seconds=None if self.time_limit is None else _parse_duration(self.time_limit),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions:
    """Where a run goes and how it reports."""

    HEADING: ClassVar = Heading.OUTPUT

    output: Path = option(
        "DIR", "Run directory to create or continue.", "--output", "-o", default=REQUIRED
    )
    no_resume: bool = flag("--no-resume", "Refuse to continue a run: DIR must be new or empty.")
    fail_on_reject: bool = flag("--fail-on-reject", "Exit with code 3 if a sample was rejected.")
    as_json: bool = JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvancedOptions:
    """How requests are sent."""

    HEADING: ClassVar = Heading.ADVANCED

    workers: int = option("N", "Processes that share the work, if one core is too slow.", default=1)
    timeout: float = option("SECONDS", "Longest wait for one reply.", default=DEFAULT_TIMEOUT_S)
    hedge: bool = flag(
        "--hedge", "Repeat late requests near the end of the run; both are paid for."
    )


def split_names(text: str) -> tuple[str, ...]:
    """Names between commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _parse_range(text: str) -> tuple[int, int]:
    least, dash, most = text.partition("-")
    try:
        return int(least), int(most if dash else least)
    except ValueError:
        raise UsageError(f"--turns {text!r}: give a number or a range such as 3-5") from None


def _parse_duration(text: str) -> float:
    if (seconds := duration_s(text)) is None:
        raise UsageError(f"--time-limit {text!r}: give a duration such as 90s, 30m or 1h30m")
    return seconds
