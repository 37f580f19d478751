"""The command, by the name of `vcgen` and as `python -m vcgen`."""

import atexit
import os
import signal
import sys

from vcgen.cli.signals import end, end_at_once, install_handlers


def main() -> None:
    """Do what the command line says; ends in SystemExit.

    A signal ends it silently with 128 and the signal's number, be it while modules are imported or
    while files are read. Only a run that works deals with signals in its own way.
    """
    _open_closed_streams()
    # Neither an import nor the end of the interpreter takes an exception well.
    install_handlers(end_at_once)
    # Python forgets handlers before it has ended, and by then how it ends is decided.
    atexit.register(install_handlers, signal.SIG_IGN)
    from vcgen.cli.main import main as act  # noqa: PLC0415 - takes half a second, in which one may end it

    install_handlers(end)
    try:
        act()
    finally:
        install_handlers(end_at_once)


def _open_closed_streams() -> None:
    """Open standard streams that are closed (`2>&-`) on /dev/null, for this process and workers.

    Otherwise the next file opened takes their number, and receives what is printed; uvloop aborts.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - for the process's life
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - as above


if __name__ == "__main__":
    main()
