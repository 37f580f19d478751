"""Find an endpoint that refuses requests which its peers answer: outlier detection.

A refusal is held until it is settled: the request is asked at the other endpoints. An answer that
the caller cannot use, such as an empty one, is a refusal as well.

| a peer      | the refusal is | effect on the endpoint                                         |
|-------------|----------------|----------------------------------------------------------------|
| answers     | disputed       | evidence of an outlier                                         |
| refuses too | confirmed      | none: the request is at fault                                  |
| cannot say  | open           | none: cancelled, or no peer is left                            |

Held refusals use slots, so an endpoint is sent no more new requests than it has slots until its
peers have answered. A refusal takes milliseconds and an answer seconds: without that, the endpoint
that refuses everything would always have most free slots, and get all requests.

The decision is a cumulative sum test (E. S. Page, 1954) of the likelihood ratios of
`OUTLIER_SHARE` and `USUAL_SHARE`: disputed refusals count for the first, answers for the second.
Pure.
"""

from dataclasses import dataclass
from math import log

# Share of requests that an outlier refuses and a peer answers, and the share that endpoints of one
# model may differ by: in their context length or content filter.
OUTLIER_SHARE, USUAL_SHARE = 0.4, 0.1
# Wald's bound for one wrong verdict in a million suspicions: a verdict is final, and a run has many
# suspicions. Ten disputed refusals in a row reach it; at half of all requests, some 14 in 28.
CERTAIN = log(1e6)
_DISPUTED = log(OUTLIER_SHARE / USUAL_SHARE)
_ANSWERED = log((1 - OUTLIER_SHARE) / (1 - USUAL_SHARE))


@dataclass(slots=True)
class OutlierTest:
    """Evidence that one endpoint is an outlier among its peers.

    Attributes:
        held: refusals that are not settled.
        disputed: refused requests that a peer has answered.
    """

    held: int = 0
    disputed: int = 0
    _evidence: float = 0.0

    def on_answered(self) -> None:
        """Count a request that the endpoint has answered."""
        if self._evidence:
            self._evidence = max(0.0, self._evidence + _ANSWERED)

    def on_disputed(self) -> None:
        """Count a refusal of a request that a peer has answered."""
        self.disputed += 1
        self._evidence = min(CERTAIN, self._evidence + _DISPUTED)

    @property
    def is_suspect(self) -> bool:
        """Whether its peers' refusals prove nothing: some of its own are disputed."""
        return self._evidence > 0

    @property
    def is_proven(self) -> bool:
        """Whether the endpoint is an outlier."""
        return self._evidence >= CERTAIN
