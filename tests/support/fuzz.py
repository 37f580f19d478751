"""`python tests/fuzz.py TARGET DIRECTORY SECONDS`: guided by coverage, from the target's seeds.

What it finds stays in the directory, and a crash ends it with a code other than 0.
"""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["vcgen"]):
    from tests.support import targets


def main(name: str, directory: Path, seconds: str) -> None:
    for at, seed in enumerate(targets.seeds()[name]):
        (directory / f"seed-{at}").write_bytes(seed)
    options = [f"-max_total_time={seconds}", "-timeout=10", f"-artifact_prefix={directory}/"]
    atheris.Setup([sys.argv[0], *options, "-max_len=4096", str(directory)], targets.TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
