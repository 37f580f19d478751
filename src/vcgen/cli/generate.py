"""`vcgen generate`: a run, from the command line."""

import functools
import sys
from dataclasses import replace

from vcgen.checks.language import code_of
from vcgen.cli.app import EXIT_NO_RECORDS, EXIT_REJECTS, command
from vcgen.cli.common import run_loop
from vcgen.cli.connections import allow_connections
from vcgen.cli.interactive import work_at_terminal
from vcgen.cli.options import (
    AdvancedOptions,
    BudgetOptions,
    EndpointOptions,
    InputOptions,
    JudgeOptions,
    OutputOptions,
    WhatToMake,
)
from vcgen.cli.output import print_json, print_summary, tell
from vcgen.data.records import is_simulated
from vcgen.errors import RunStopped, StoreError
from vcgen.pipeline.progress import RunSummary
from vcgen.pipeline.store.directory import RunDirectory
from vcgen.pipeline.store.layout import require_fresh
from vcgen.pipeline.workers.protocol import WorkerSpec
from vcgen.pipeline.workers.supervisor import WorkerPool, most_workers
from vcgen.sim import is_in_memory


@command
def generate(
    *,
    source: InputOptions,
    make: WhatToMake,
    endpoint: EndpointOptions,
    judge: JudgeOptions,
    budget: BudgetOptions,
    output: OutputOptions,
    advanced: AdvancedOptions,
) -> None:
    """Generate instruction data for clips into a run directory.

    Run the same command again to continue where it stopped.
    """
    spec = WorkerSpec(
        inputs=tuple(source.inputs),
        input_format=source.input_format,
        transcripts=source.transcripts,
        endpoints=endpoint.specs(),
        judge=judge.spec(use_env_proxy=endpoint.use_env_proxy),
        output=output.output,
        recipe=make.chosen(),
        max_clips=source.limit,
        max_records=make.max_records,
        templates=make.templates,
        timeout_s=advanced.timeout,
        hedge=advanced.hedge,
        budget=budget.budget(),
        workers=advanced.workers,
    )
    spec = replace(spec, workers=min(spec.workers, most_workers(spec.limits, spec.budget)))
    if not is_in_memory(spec.endpoints[0].endpoint):
        allow_connections(spec.limits, spec.workers)
    if output.no_resume:
        require_fresh(output.output)
    _warn_of_language(spec)
    summary = run_loop(functools.partial(_generate, spec, as_json=output.as_json))
    if not output.as_json:
        print_summary(summary)
    if not summary.records:
        sys.exit(EXIT_NO_RECORDS)
    if output.fail_on_reject and summary.rejects:
        sys.exit(EXIT_REJECTS)


async def _generate(spec: WorkerSpec, *, as_json: bool) -> RunSummary:
    async with spec.open(spec.clips()) as run:
        _warn_of_damage(run.store)
        work = run if spec.workers == 1 else WorkerPool(run, spec)
        try:
            await work_at_terminal(work, spec.count_rows)
        except (RunStopped, StoreError) as error:
            if run.store is not None and not run.store.is_displaced:
                records = work.summary().records
                error.add_note(
                    f"records so far: {records:,}, in {spec.output}; the same command continues"
                )
            raise
        finally:
            if as_json:
                print_json(work.summary())
        return work.summary()


def _warn_of_language(spec: WorkerSpec) -> None:
    language = spec.recipe.language
    if is_simulated(spec.endpoints[0].endpoint.model) and code_of(language) not in {"en", ""}:
        tell(f"vcgen: the simulated model writes English; samples not in {language} are rejected")


def _warn_of_damage(store: RunDirectory | None) -> None:
    for name, lines in store.damaged.items() if store else ():
        tell(f"vcgen: damaged lines of {name} moved to {name}.bad: {lines:,}")
