"""The prefix cache of the simulated endpoint: how much of a prompt it has read before.

As servers do it: prompts are cut into blocks, a block is known by all that stands before it and by
itself, and the blocks that were used longest ago make room for new ones.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from itertools import takewhile
from typing import Any

from vcgen.sim.model import BYTES_PER_TOKEN, text_of

BLOCK_TOKENS = 64
_BLOCK_BYTES = BLOCK_TOKENS * BYTES_PER_TOKEN


def block_keys(messages: Sequence[Mapping[str, Any]]) -> list[bytes]:
    """A key for each whole block of the prompt, which tells it and all before it."""
    told = "".join(f"{message['role']}\n{text_of(message)}\n" for message in messages).encode()
    read, keys = blake2b(digest_size=12), []
    for end in range(_BLOCK_BYTES, len(told) + 1, _BLOCK_BYTES):
        read.update(told[end - _BLOCK_BYTES : end])
        keys.append(read.digest())
    return keys


class Prefixes:
    """The blocks that were read last.

    Args:
        most_blocks: how many are kept.
    """

    def __init__(self, most_blocks: int) -> None:
        self._most = most_blocks
        self._kept: OrderedDict[bytes, None] = OrderedDict()

    def known_tokens(self, keys: Sequence[bytes]) -> int:
        """Tokens of the prompt's blocks from the first on that are kept."""
        return sum(BLOCK_TOKENS for _ in takewhile(self._kept.__contains__, keys))

    def keep(self, keys: Sequence[bytes]) -> None:
        """Keep the prompt's blocks; of one prompt, the last are given up before the first."""
        for key in reversed(keys):
            self._kept[key] = None
            self._kept.move_to_end(key)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
