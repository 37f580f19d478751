"""`vcgen sim`: the simulated endpoint over HTTP."""

import functools
import sys

import anyio

from vcgen.cli.common import run_loop
from vcgen.cli.options import (
    DrawsOption,
    FaultsOption,
    LatencyOption,
    PortOption,
    RpmOption,
    SlotsOption,
    TpmOption,
    command,
)
from vcgen.sim import Scenario, Simulator, parse_faults, serve


@command
def sim(
    *,
    port: PortOption = 8099,
    latency: LatencyOption = 0.0,
    rpm: RpmOption = None,
    tpm: TpmOption = None,
    slots: SlotsOption = None,
    faults: FaultsOption = "",
    seed: DrawsOption = 0,
) -> None:
    """Serve the simulated endpoint until interrupted.

    It speaks HTTP, on this machine alone.
    """
    told, conditions = parse_faults(faults), Scenario(slots=slots)
    simulator = Simulator(conditions, latency_s=latency, rpm=rpm, tpm=tpm, faults=told, seed=seed)
    run_loop(functools.partial(_serve, simulator, port))


async def _serve(simulator: Simulator, port: int) -> None:
    async with serve(simulator, port=port) as base_url:
        print(f"simulated endpoint at {base_url} (any key, model sim); Ctrl-C ends it")
        sys.stdout.flush()
        await anyio.sleep_forever()
