"""What the simulated provider has seen: a running tally and the snapshot that is handed out."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from gradeq.providers.simulated.faults import Fault


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts since the server started.

    A call arrives *inside a retry-after* when an earlier 429 told the same key and model to wait,
    that wait is not over, and the 429 was written at least 0.1 s before: what arrives sooner may
    have been on the wire already, and its sender could not know. 429s of the fail plan that send
    a retry-after open such a wait as well; a 429 without one (a spend cap) does not.
    """

    requests: int = 0
    """Calls that asked for a completion, however they ended."""
    answered: int = 0
    """200s written in full, whatever their text is worth."""
    refused_429: int = 0
    """429s of every kind, those of the fail plan included."""
    arrived_inside_retry_after: int = 0
    refused_inside_retry_after: int = 0
    """Those of the above that were answered with another 429."""
    bad_requests: int = 0
    """4xx that the request itself earned, no limit and no fail plan."""
    abandoned: int = 0
    """Calls let in whose client went away before the answer."""
    in_flight: int = 0
    max_in_flight: int = 0
    connections: int = 0
    """Connections that are open now."""
    input_tokens: int = 0
    """Input of the calls let in; what the prompt cache saved is not part of it."""
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_creation_tokens: int = 0
    failures: Mapping[str, int] = field(default_factory=dict)
    """Failures of the fail plan, by kind."""
    calls_per_paper: Mapping[str, int] = field(default_factory=dict)
    """Calls let in past the limits (they cost tokens), by SHA-256 of the paper's text, in hex."""
    batch_calls: int = 0
    """HTTP requests to the batch APIs and their files, however they ended."""
    batches: int = 0
    """Batches accepted, and worked on."""
    batch_entries: int = 0
    """Entries of those batches."""
    batch_answers_per_paper: Mapping[str, int] = field(default_factory=dict)
    """Entries answered (they cost tokens), under the same keys as `calls_per_paper`."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One key's standing with one model now; the counts mean what they mean in `Stats`."""

    key: str
    model: str
    requests: int
    refused_429: int
    arrived_inside_retry_after: int
    in_flight: int
    levels: Mapping[str, float]
    """What is left in each bucket; below zero where more was charged than there was."""


@dataclass(slots=True)
class Tally:
    """The running counts behind `Stats`, under the same names."""

    requests: int = 0
    answered: int = 0
    refused_429: int = 0
    arrived_inside_retry_after: int = 0
    refused_inside_retry_after: int = 0
    bad_requests: int = 0
    abandoned: int = 0
    in_flight: int = 0
    max_in_flight: int = 0
    connections: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_creation_tokens: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    calls_per_paper: Counter[bytes] = field(default_factory=Counter)
    batch_calls: int = 0
    batches: int = 0
    batch_entries: int = 0
    batch_answers_per_paper: Counter[bytes] = field(default_factory=Counter)

    def entered(self, paper: bytes) -> None:
        """One more call in flight, with the SHA-256 of its paper."""
        self.calls_per_paper[paper] += 1
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)

    def posted_batch(self, entries: int) -> None:
        """One more batch is worked on."""
        self.batches += 1
        self.batch_entries += entries

    def answered_in_batch(self, paper: bytes) -> None:
        """One more entry is answered, with the SHA-256 of its paper."""
        self.batch_answers_per_paper[paper] += 1

    def failed(self, fault: Fault) -> None:
        self.failures[fault.value] += 1

    def snapshot(self) -> Stats:
        counts = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        counts["failures"] = dict(self.failures)
        for name in ("calls_per_paper", "batch_answers_per_paper"):
            counts[name] = {digest.hex(): count for digest, count in counts[name].items()}
        return Stats(**counts)
