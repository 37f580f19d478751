"""`vcgen plan`: an estimate of a run, from the command line."""

import functools

from vcgen.cli.app import command, flag
from vcgen.cli.common import run_loop
from vcgen.cli.options import LATENCY, EndpointOptions, InputOptions, JudgeOptions, WhatToMake
from vcgen.cli.output import aligned, print_json, print_lines
from vcgen.data.formatting import duration, money
from vcgen.engine.config import Limits
from vcgen.pipeline.plan import Plan, estimate
from vcgen.pipeline.session import Options, price_of


@command
def plan(
    *,
    source: InputOptions,
    make: WhatToMake,
    endpoint: EndpointOptions,
    judge: JudgeOptions,
    latency: float = LATENCY,
    as_json: bool = flag("--json", "Print the plan as JSON."),
) -> None:
    """Estimate requests, tokens, cost and time of a run. Nothing is sent.

    Prompts are counted for a sample of the clips; replies are as long as the recipe asks for.
    """
    endpoints = endpoint.specs()
    judged_by = judge.spec(use_env_proxy=endpoint.use_env_proxy)
    options = Options(
        recipe=make.chosen(),
        max_records=make.max_records,
        templates=make.templates,
        limits=Limits.combine([spec.limits for spec in endpoints]),
    )
    planned = run_loop(
        functools.partial(
            estimate,
            source.open(),
            price_of([spec.endpoint for spec in endpoints]),
            options,
            latency,
            None if judged_by is None else judged_by.endpoint,
        )
    )
    if as_json:
        print_json(planned)
    else:
        print_lines("\n".join(_lines(planned)))


def _lines(plan: Plan) -> list[str]:
    rows = {
        "clips": f"{plan.clips:,}, {plan.sampled:,} of them sampled",
        "samples": f"{plan.samples:,}",
        "requests": f"{plan.requests:,}",
        "tokens": f"{plan.prompt_tokens:,} in, {plan.completion_tokens:,} out",
        "cost": money(plan.cost),
        "time": "unknown without --rpm, --tpm or --latency"
        if plan.seconds is None
        else f"{duration(plan.seconds)}, limited by {plan.limited_by}",
    }
    if plan.judge is not None:
        rows |= {
            "judge": plan.judge.model,
            "  requests": f"{plan.judge.requests:,}",
            "  tokens": f"{plan.judge.prompt_tokens:,} in, {plan.judge.completion_tokens:,} out",
            "  cost": money(plan.judge.cost),
        }
    return aligned(rows)
