"""Processes that open one run directory at the same moment. As a program: one racer a line."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import orjson

from vcgen.data.records import Reason, Reject
from vcgen.errors import UsageError
from vcgen.pipeline.store.directory import RunDirectory
from vcgen.pipeline.store.manifest import Manifest

MANIFEST = Manifest()


def race(path: Path, racers: int) -> list[dict[str, Any]]:
    """What each came to: `said`, empty for who holds the directory until the last; `seconds`."""
    command = [sys.executable, __file__, str(path), str(racers)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return [orjson.loads(line) for line in done.stdout.splitlines()]


def _race(path: Path) -> tuple[dict[str, Any], RunDirectory | None]:
    run, said, began = None, "", time.perf_counter()
    try:
        run = RunDirectory.open(path, MANIFEST)
    except UsageError as error:
        said = str(error)
    seconds = time.perf_counter() - began
    if run is not None:
        for at in range(100):
            run.add(Reject(id=f"{os.getpid()}-{at}", reason=Reason.REFUSAL, message="no"))
    return {"said": said, "seconds": seconds}, run


def _main() -> None:
    """Fork the racers, let them go all at once, and wait until each has told what it came to."""
    path, racers = Path(sys.argv[1]), int(sys.argv[2])
    (start, go), (end, stop), (told, tell) = os.pipe(), os.pipe(), os.pipe()
    for _ in range(racers):
        if not os.fork():
            os.close(go)
            os.close(stop)
            os.read(start, 1)  # returns when nobody can write there any more
            came_to, run = _race(path)
            os.write(tell, orjson.dumps(came_to) + b"\n")
            os.read(end, 1)  # the winner holds the directory until the last has tried
            del run
            os._exit(0)
    os.close(go)
    with os.fdopen(told, "rb") as lines:
        for _ in range(racers):
            print(lines.readline().decode(), end="", flush=True)  # noqa: T201 - the answer
    os.close(stop)


if __name__ == "__main__":
    _main()
