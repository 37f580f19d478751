"""`vcgen sim`: the simulated endpoint over HTTP."""

import functools
import signal
import sys

import anyio

from vcgen.cli.app import command, option
from vcgen.cli.common import run_loop
from vcgen.cli.options import LATENCY
from vcgen.cli.output import print_lines
from vcgen.sim import FAULT_KINDS as FAULTS, Scenario, Simulator, parse_faults, serve


@command
def sim(
    *,
    port: int = option(
        "PORT", "Port on this machine; 0 picks a free one.", min=0, max=65_535, default=8099
    ),
    latency: float = LATENCY,
    rpm: int | None = option("REQUESTS", "Requests per minute to allow."),
    tpm: int | None = option("TOKENS", "Tokens per minute to allow."),
    slots: int | None = option("REQUESTS", "Requests to answer at once; others wait."),
    faults: str = option(
        "KIND:SHARE[@SECONDS][+RETRY_AFTER],...",
        "Faults: how often they occur, how long their replies take, and their Retry-After, such as "
        f"429:0.05,503:0.01@0.05+2. Kinds: {', '.join(sorted(FAULTS))}.",
        default="",
    ),
    seed: int = option("N", "Seed of the faults.", default=0),
) -> None:
    """Serve a simulated endpoint over HTTP, on this machine only."""
    simulator = Simulator(
        Scenario(slots=slots),
        latency_s=latency,
        rpm=rpm,
        tpm=tpm,
        faults=parse_faults(faults),
        seed=seed,
    )
    run_loop(functools.partial(_serve, simulator, port))


async def _serve(simulator: Simulator, port: int) -> None:
    async with serve(simulator, port=port) as base_url:
        print_lines(f"simulated endpoint at {base_url} (any key, model sim); Ctrl-C ends it")
        sys.stdout.flush()
        # Received by the loop: uvloop swallows an exception raised within one of its own callbacks.
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as received:
            async for number in received:
                sys.exit(128 + number)
