"""`vcgen plan`: what a run would take, from the command line."""

import functools

import orjson

from vcgen.cli.common import choose_recipe, run_loop
from vcgen.cli.endpoint_specs import choose_endpoints, choose_judge, parse_price
from vcgen.cli.options import (
    BaseUrlOption,
    ConcurrencyOption,
    EndpointOption,
    FormatOption,
    Inputs,
    JsonOption,
    JudgeConcurrencyOption,
    JudgeOption,
    JudgePriceOption,
    JudgeRpmOption,
    JudgeTpmOption,
    JudgeUrlOption,
    KindsOption,
    LanguageOption,
    LatencyOption,
    MaxTokensOption,
    ModelOption,
    PriceOption,
    RecipeOption,
    RefineOption,
    RpmOption,
    SamplesOption,
    SeedOption,
    SpeechOption,
    TasksOption,
    TemplatesOption,
    TpmOption,
    TurnsOption,
    command,
)
from vcgen.cli.output import print_plan
from vcgen.data.readers.inputs import open_input_files
from vcgen.engine.config import Endpoint, Limits, together
from vcgen.pipeline.plan import estimate
from vcgen.pipeline.session import Options, price_of


@command
def plan(  # noqa: PLR0913 - one parameter an option, all by name
    inputs: Inputs,
    *,
    model: ModelOption,
    recipe: RecipeOption = "default",
    samples: SamplesOption = None,
    tasks: TasksOption = None,
    turns: TurnsOption = None,
    kinds: KindsOption = None,
    refine: RefineOption = None,
    language: LanguageOption = None,
    templates: TemplatesOption = None,
    seed: SeedOption = None,
    max_tokens: MaxTokensOption = None,
    input_format: FormatOption = "auto",
    speech: SpeechOption = None,
    base_url: BaseUrlOption = None,
    endpoint: EndpointOption = None,
    rpm: RpmOption = None,
    tpm: TpmOption = None,
    concurrency: ConcurrencyOption = None,
    latency: LatencyOption = 0.0,
    price: PriceOption = None,
    judge: JudgeOption = None,
    judge_base_url: JudgeUrlOption = None,
    judge_rpm: JudgeRpmOption = None,
    judge_tpm: JudgeTpmOption = None,
    judge_concurrency: JudgeConcurrencyOption = None,
    judge_price: JudgePriceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what `generate` would take: requests, tokens, money, hours. Nothing is sent.

    A sample of the clips is tried with the simulated model, so lengths of replies are a guess.
    """
    chosen = choose_recipe(
        recipe,
        tasks=tasks,
        turns=turns,
        kinds=kinds,
        refine=refine,
        language=language,
        seed=seed,
        max_tokens=max_tokens,
    )
    common = Endpoint(
        model=model,
        price=None if price is None else parse_price(price),
        limits=Limits(rpm=rpm, tpm=tpm, concurrency=concurrency),
    )
    endpoints = choose_endpoints(endpoint or (), common, base_url=base_url, key_variable=None)
    judging = choose_judge(
        judge,
        base_url=judge_base_url,
        key_variable=None,
        price=judge_price,
        limits=Limits(rpm=judge_rpm, tpm=judge_tpm, concurrency=judge_concurrency),
        use_env_proxy=False,
    )
    options = Options(
        recipe=chosen,
        samples=samples,
        templates=templates,
        limits=together([each.limits for each in endpoints]),
    )
    clips = open_input_files(inputs, input_format, speech)
    known = price_of([each.endpoint for each in endpoints])
    judges = None if judging is None else judging.endpoint
    planned = run_loop(functools.partial(estimate, clips, known, options, latency, judges))
    if as_json:
        print(orjson.dumps(planned).decode())
    else:
        print_plan(planned)
