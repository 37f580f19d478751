"""Descriptors, ports and memory for connections: how many there can be, and what is short.

A connection takes a descriptor. Others are set aside for the run directory, inputs, templates, the
loop, certificates and the resolver.

| soft limit | set aside        | connections |
|-----------:|-----------------:|------------:|
|         32 | 24               |           8 |
|         64 | 32 (half)        |          32 |
|      1,024 | 64 (`SET_ASIDE`) |         960 |
"""

import errno
import logging
import os
import resource
import socket
from collections.abc import Sequence
from contextlib import suppress

_log = logging.getLogger("vcgen")

SET_ASIDE = 64
# What a run with a directory and an input has open at its busiest moment.
LEAST_SET_ASIDE = 24
# Enough for any search; a table of descriptors grows with the highest one in use.
MOST_FILES = 1 << 20

_SHORT_OF_PORTS = "no local port is left (net.ipv4.ip_local_port_range)"
_SHORT_OF_MEMORY = "the system has no memory left for connections"
_SHORTAGES = {
    errno.ENFILE: "the machine can open no more files (fs.file-max)",
    errno.ENOBUFS: _SHORT_OF_MEMORY,
    errno.ENOMEM: _SHORT_OF_MEMORY,
    errno.EADDRNOTAVAIL: _SHORT_OF_PORTS,
}


def open_files() -> int:
    """The soft limit of open files of this process."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_FILES if soft == resource.RLIM_INFINITY else min(soft, MOST_FILES)


def raise_limit() -> None:
    """Raise the soft limit of open files to the hard one; processes started later inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if wanted > open_files():
        with suppress(OSError, ValueError):  # macOS allows less than its hard limit says
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def set_aside(files: int) -> int:
    """How many of some descriptors are not for connections."""
    return min(SET_ASIDE, max(LEAST_SET_ASIDE, files // 2))


def files_for(connections: int) -> int:
    """The limit of open files that allows so many connections."""
    return connections + min(SET_ASIDE, max(LEAST_SET_ASIDE, connections))


def most_connections() -> int:
    """How many connections this process may have open, at least 1."""
    files = open_files()
    return max(1, files - set_aside(files))


def divide(most: int, wanted: Sequence[int | None]) -> list[int]:
    """The most connections that each endpoint may have.

    Args:
        most: all together.
        wanted: by each endpoint, None where the number is searched for.
    """
    given = sum(each or 0 for each in wanted)
    if given > most:
        _log.warning("%d connections are wanted, and %d can be open (ulimit -n)", given, most)
        return [max(1, (each or 0) * most // given) for each in wanted]
    spare = (most - given) // len(wanted)
    return [max(1, (each or 0) + spare) for each in wanted]


def shortage_of(error: OSError) -> str | None:
    """What this machine is short of, if that is why a connection failed; else None."""
    if error.errno == errno.EMFILE or (isinstance(error, socket.gaierror) and _is_full()):
        return f"this process may open {open_files():,} files (ulimit -n)"
    return _SHORTAGES.get(error.errno or 0)


def _is_full() -> bool:
    """Whether no descriptor is left: the resolver then says something else."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error.errno == errno.EMFILE
    return False
