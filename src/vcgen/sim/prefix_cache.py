"""The prefix cache of the simulated endpoint.

It works as those of servers do: prompts are cut into blocks, the key of a block covers the block
and all text before it, and the least recently used blocks are evicted.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from itertools import takewhile
from typing import Any

from vcgen.sim.replies import BYTES_PER_TOKEN
from vcgen.sim.validation import text_of

BLOCK_TOKENS = 64
_BLOCK_BYTES = BLOCK_TOKENS * BYTES_PER_TOKEN


def block_keys(messages: Sequence[Mapping[str, Any]]) -> list[bytes]:
    """A key for each whole block of the prompt, of the block and all text before it."""
    text = "".join(f"{message['role']}\n{text_of(message)}\n" for message in messages).encode()
    read, keys = blake2b(digest_size=12), []
    for end in range(_BLOCK_BYTES, len(text) + 1, _BLOCK_BYTES):
        read.update(text[end - _BLOCK_BYTES : end])
        keys.append(read.digest())
    return keys


class PrefixCache:
    """The most recently used blocks.

    Args:
        most_blocks: the size of the cache.
    """

    def __init__(self, most_blocks: int) -> None:
        self._most = most_blocks
        self._kept: OrderedDict[bytes, None] = OrderedDict()

    def known_tokens(self, keys: Sequence[bytes]) -> int:
        """The tokens of the longest cached prefix."""
        return sum(BLOCK_TOKENS for _ in takewhile(self._kept.__contains__, keys))

    def keep(self, keys: Sequence[bytes]) -> None:
        """Cache the prompt's blocks; those at its end are evicted before those at its beginning."""
        for key in reversed(keys):
            self._kept[key] = None
            self._kept.move_to_end(key)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
