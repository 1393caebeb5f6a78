"""Tables of who reached what, for a terminal and as markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LEGEND = (
    "% of the bound / % of calls refused / papers lost / calls sent into a wait that was told. "
    "A dash: more was taken than the user allows."
)
_TOO_FAST = 1.005


@dataclass(frozen=True, slots=True)
class Score:
    """One client in one scenario. Shares are between 0 and 1; `refused` and `efficiency` are means
    over the seeds, `lost` and `inside_windows` the worst of them."""

    scenario: str
    client: str
    efficiency: float
    refused: float
    lost: int
    inside_windows: int
    papers: int
    seconds: float
    least_seconds: float
    lag_seconds: float = 0.0
    """How late the machine itself was, one time in twenty; 0 in virtual time."""

    @property
    def cell(self) -> str:
        """A dash for who took more than the user allows: too fast to be compared."""
        reached = "–" if self.efficiency > _TOO_FAST else f"{100 * self.efficiency:.1f}"
        return f"{reached} / {_percent(self.refused)} / {self.lost} / {self.inside_windows}"


def mean_of(scores: Sequence[Score]) -> Score:
    """One row from several seeds of the same scenario and client."""
    count, first = len(scores), scores[0]
    return Score(
        first.scenario,
        first.client,
        sum(one.efficiency for one in scores) / count,
        sum(one.refused for one in scores) / count,
        max(one.lost for one in scores),
        max(one.inside_windows for one in scores),
        first.papers,
        sum(one.seconds for one in scores) / count,
        sum(one.least_seconds for one in scores) / count,
    )


def markdown(scores: Iterable[Score]) -> str:
    """One row for each scenario, one column for each client."""
    rows: dict[str, dict[str, Score]] = {}
    for one in scores:
        rows.setdefault(one.scenario, {})[one.client] = one
    clients = list(dict.fromkeys(client for row in rows.values() for client in row))
    lines = ["| scenario | " + " | ".join(clients) + " |", "|---" * (len(clients) + 1) + "|"]
    for scenario, row in rows.items():
        cells = (row[client].cell if client in row else "" for client in clients)
        lines.append(f"| {scenario} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def line(score: Score) -> str:
    """One score in a terminal, as it comes in."""
    lag = f", machine late by {1000 * score.lag_seconds:.0f} ms" if score.lag_seconds else ""
    return (
        f"{score.scenario:32}{score.client:24}{score.cell:28}"
        f"{score.seconds:9.1f} s, bound {score.least_seconds:.1f} s{lag}"
    )


def _percent(share: float) -> str:
    return "0" if share == 0 else f"{100 * share:.2f}" if share < 0.1 else f"{100 * share:.0f}"
