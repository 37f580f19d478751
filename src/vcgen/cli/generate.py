"""`vcgen generate`: a run, from the command line."""

import functools
import sys
from dataclasses import replace
from typing import Any, cast

import orjson

from vcgen.checks.language import code_of
from vcgen.cli.common import choose_recipe, run_loop
from vcgen.cli.endpoint_specs import choose_endpoints, choose_judge, parse_price
from vcgen.cli.interactive import work_at_terminal
from vcgen.cli.options import (
    BaseUrlOption,
    ConcurrencyOption,
    DeadlineOption,
    EndpointOption,
    FormatOption,
    FreshOption,
    HedgeOption,
    Inputs,
    JsonOption,
    JudgeConcurrencyOption,
    JudgeKeyOption,
    JudgeOption,
    JudgePriceOption,
    JudgeRpmOption,
    JudgeTpmOption,
    JudgeUrlOption,
    KeyOption,
    KindsOption,
    LanguageOption,
    MaxCostOption,
    MaxRequestsOption,
    MaxTokensOption,
    MaxTotalOption,
    ModelOption,
    OutputOption,
    PriceOption,
    RecipeOption,
    RefineOption,
    RepairsOption,
    RpmOption,
    SamplesOption,
    SeedOption,
    SpeechOption,
    StrictOption,
    StructuredOption,
    TasksOption,
    TemperatureOption,
    TemplatesOption,
    TimeoutOption,
    TpmOption,
    TrustOption,
    TurnsOption,
    WorkersOption,
    command,
)
from vcgen.cli.output import print_summary, tell
from vcgen.engine.budget import Budget
from vcgen.engine.config import Endpoint, JsonMode, Limits
from vcgen.engine.rate_headers import duration_s
from vcgen.errors import RunStopped, StoreError, UsageError
from vcgen.pipeline.store.directory import RunDirectory
from vcgen.pipeline.store.layout import require_fresh
from vcgen.pipeline.workers.protocol import WorkerSpec
from vcgen.pipeline.workers.supervisor import WorkerPool, most_workers


@command
def generate(  # noqa: PLR0913 - one parameter an option, all by name
    inputs: Inputs,
    *,
    model: ModelOption,
    output: OutputOption,
    recipe: RecipeOption = "default",
    samples: SamplesOption = None,
    tasks: TasksOption = None,
    turns: TurnsOption = None,
    kinds: KindsOption = None,
    refine: RefineOption = None,
    language: LanguageOption = None,
    templates: TemplatesOption = None,
    seed: SeedOption = None,
    temperature: TemperatureOption = None,
    max_tokens: MaxTokensOption = None,
    repairs: RepairsOption = None,
    input_format: FormatOption = "auto",
    speech: SpeechOption = None,
    base_url: BaseUrlOption = None,
    api_key_env: KeyOption = None,
    endpoint: EndpointOption = None,
    use_env_proxy: TrustOption = False,
    structured: StructuredOption = "auto",
    rpm: RpmOption = None,
    tpm: TpmOption = None,
    concurrency: ConcurrencyOption = None,
    price: PriceOption = None,
    judge: JudgeOption = None,
    judge_base_url: JudgeUrlOption = None,
    judge_api_key_env: JudgeKeyOption = None,
    judge_rpm: JudgeRpmOption = None,
    judge_tpm: JudgeTpmOption = None,
    judge_concurrency: JudgeConcurrencyOption = None,
    judge_price: JudgePriceOption = None,
    max_cost: MaxCostOption = None,
    max_requests: MaxRequestsOption = None,
    max_total_tokens: MaxTotalOption = None,
    deadline: DeadlineOption = None,
    workers: WorkersOption = 1,
    timeout: TimeoutOption = 120.0,
    hedge: HedgeOption = False,
    fresh: FreshOption = False,
    strict: StrictOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write instruction data for the clips of INPUT.

    It goes into the directory of a run. The same command again continues where it stopped.
    """
    chosen = choose_recipe(
        recipe,
        tasks=tasks,
        turns=turns,
        kinds=kinds,
        refine=refine,
        language=language,
        seed=seed,
        temperature=temperature,
        max_tokens=max_tokens,
        repairs=repairs,
    )
    common = Endpoint(
        model=model,
        json_mode=cast("JsonMode", structured),
        price=None if price is None else parse_price(price),
        limits=Limits(rpm=rpm, tpm=tpm, concurrency=concurrency),
        use_env_proxy=use_env_proxy,
    )
    endpoints = choose_endpoints(
        endpoint or (), common, base_url=base_url, key_variable=api_key_env
    )
    judging = choose_judge(
        judge,
        base_url=judge_base_url,
        key_variable=judge_api_key_env,
        price=judge_price,
        limits=Limits(rpm=judge_rpm, tpm=judge_tpm, concurrency=judge_concurrency),
        use_env_proxy=use_env_proxy,
    )
    seconds = None if deadline is None else _seconds(deadline)
    budget = Budget(cost=max_cost, requests=max_requests, tokens=max_total_tokens, seconds=seconds)
    job = WorkerSpec(
        inputs=tuple(inputs),
        input_format=input_format,
        speech=speech,
        endpoints=endpoints,
        judge=judging,
        output=output,
        recipe=chosen,
        samples=samples,
        templates=templates,
        timeout_s=timeout,
        hedge=hedge,
        budget=budget,
        workers=workers,
    )
    job = replace(job, workers=min(workers, most_workers(job.limits, budget)))
    if fresh:
        require_fresh(output)
    _name_language(job)
    summary = run_loop(functools.partial(_generate, job, as_json=as_json))
    if not as_json:
        print_summary(summary)
    if strict and summary["rejects"]:
        sys.exit(3)


async def _generate(job: WorkerSpec, *, as_json: bool) -> dict[str, Any]:
    async with job.open(job.clips()) as run:
        _name_damage(run.store)
        work = run if job.workers == 1 else WorkerPool(run, job)
        try:
            await work_at_terminal(work, job.count_rows)
        except (RunStopped, StoreError) as error:
            records = work.summary()["records"]
            error.add_note(
                f"records so far: {records:,}, in {job.output}; the same command continues"
            )
            raise
        finally:
            if as_json:
                print(orjson.dumps(work.summary()).decode())
        return work.summary()


def _name_language(job: WorkerSpec) -> None:
    language = job.recipe.language
    if code_of(language) not in {"en", ""} and all(
        each.endpoint.simulated for each in job.endpoints
    ):
        tell(f"vcgen: the simulated model writes English; what is not {language} is rejected")


def _name_damage(store: RunDirectory | None) -> None:
    for name, lines in store.damaged.items() if store else ():
        tell(f"vcgen: damaged lines of {name} moved to {name}.bad: {lines:,}")


def _seconds(text: str) -> float:
    if (seconds := duration_s(text)) is None:
        raise UsageError(f"deadline {text!r}: give a time such as 90s, 30m or 1h30m")
    return seconds
