"""Runs the benchmarks: one JSON line a result, then a Markdown table and a picture.

python -m benchmarks saturation parts --quick --output runs/benchmarks
"""

import argparse
import inspect
import platform
import resource
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import orjson

from benchmarks import report
from benchmarks.endpoints import latency, saturation
from benchmarks.gate import hedging, waiting
from benchmarks.harness import ROOT, Row, Scale, cores
from benchmarks.knee import knee
from benchmarks.limits import limits
from benchmarks.order import order
from benchmarks.parts import parts, startup
from benchmarks.plans import plans
from benchmarks.runs import memory, resume, workers
from benchmarks.several import endpoints
from benchmarks.storms import storms
from benchmarks.strays import strays

BENCHMARKS = {
    function.__name__: function
    for function in (
        saturation,
        latency,
        limits,
        storms,
        strays,
        knee,
        plans,
        endpoints,
        hedging,
        order,
        waiting,
        memory,
        resume,
        workers,
        parts,
        startup,
    )
}
QUICK = Scale(
    repeats=2,
    long_repeats=1,
    seconds=0.5,
    cap_s=10.0,
    in_flight=(16, 64),
    latency_in_flight=(500, 2000),
    rounds=4,
    knee_requests=1000,
    storm_samples=3000,
    stray_samples=4000,
    storm_servers=12,
    few=1000,
    many=20_000,
    seeds=2,
)
_VERSIONS = ("vcgen", "pyreqwest", "aiohttp", "httpx", "openai", "lm-deluge", "async-batch-llm")


def run(names: Sequence[str], scale: Scale, output: Path) -> None:
    """Run some benchmarks and leave results.jsonl, results.md and results.svg in `output`."""
    output.mkdir(parents=True, exist_ok=True)
    found, rows = environment(), list[Row]()
    stated = {name: inspect.getdoc(BENCHMARKS[name]) or "" for name in names}
    with (output / "results.jsonl").open("wb") as file:
        file.write(orjson.dumps({"environment": found}, option=orjson.OPT_APPEND_NEWLINE))
        for name in names:
            print(f"{name}: {stated[name]}\n", flush=True)
            for row in BENCHMARKS[name](scale):
                file.write(row.line())
                file.flush()
                rows.append(row)
    table = report.markdown(found, stated, rows)
    (output / "results.md").write_text(table, "utf-8")
    drawn = report.picture(rows, output / "results.svg")
    print(f"{table}\nin {output}: results.jsonl, results.md{', results.svg' if drawn else ''}")


def environment() -> dict[str, str]:
    """Machine, date and versions."""
    information, chosen = Path("/proc/cpuinfo"), cores()
    lines = information.read_text("utf-8").split("\n") if information.exists() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    git = ["git", "describe", "--always", "--dirty"]
    commit = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    installed = {x.name.replace("_", "-"): x.version for x in metadata.distributions()}
    return {
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "machine": f"{len(names)} x {[*names, platform.machine()][0]}, {platform.platform()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "pinned": f"client on core {chosen[0]}, server on {chosen[1]}" if chosen else "no",
        "commit": commit.strip() or "none",
        "versions": ", ".join(f"{name} {installed.get(name, 'missing')}" for name in _VERSIONS),
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}")
    parser.add_argument("--quick", action="store_true", help="small sizes, two repeats: minutes")
    parser.add_argument("--real-time", action="store_true", help="limits: in real time, over HTTP")
    parser.add_argument("--output", type=Path, default=Path("runs/benchmarks"))
    parser.add_argument("--clips", type=Path, action="append", default=[], help="plans: of a file")
    options = parser.parse_args()
    if strangers := [name for name in options.names if name not in BENCHMARKS]:
        parser.error(f"no benchmark {', '.join(strangers)}: there are {', '.join(BENCHMARKS)}")
    # Thousands of connections need as many descriptors; the children inherit this.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    scale = QUICK if options.quick else Scale()
    scale = replace(scale, real_time=options.real_time, clips=tuple(options.clips))
    run(options.names or list(BENCHMARKS), scale, options.output)


if __name__ == "__main__":
    main()
