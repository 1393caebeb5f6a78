"""The limiter against its bound, and beside others.

    python -m bench.limiter [--virtual] [--http [--in-turn]] [--only NAME] [--seeds N] [--out DIR]

In virtual time every scenario is exact and takes a second or two. Over HTTP each takes half a
minute; whoever needs 1.3 times the bound is stopped then. All clients run at once, which wants a
quiet machine: --in-turn takes five times as long and less of it. Without --virtual or --http:
both. With --out, a report and a picture for each scenario are written there (pictures need the
extra `bench`).
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from bench.limiter import http, plot, report
from bench.limiter.baselines import RIVALS, Rivalry, try_rival
from bench.limiter.clients import GRADEQ
from bench.limiter.report import LEGEND, Score
from bench.limiter.scenarios import SCENARIOS, Scenario
from bench.limiter.short_runs import SHORT_RUNS, ShortRun
from bench.limiter.trace import Trace, watch
from bench.limiter.virtual import Trial, try_out

Named = TypeVar("Named", Scenario, ShortRun)
IN_PICTURES = (GRADEQ, "SDK x 50, 12 retries")


def main() -> None:
    options = _options()
    everything = not (options.virtual or options.http)
    out: Path | None = options.out
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    parts = []
    if options.virtual or everything:
        scores = list(virtual(_chosen(SCENARIOS, options.only), options.seeds, out))
        parts.append(("Virtual time", scores))
    if options.http or everything:
        scores = list(over_http(_chosen(SHORT_RUNS, options.only), out, in_turn=options.in_turn))
        parts.append(("Real HTTP", scores))
    text = "\n\n".join(f"## {title}\n\n{LEGEND}\n\n{report.markdown(s)}" for title, s in parts)
    print(f"\n{text}")
    if out is not None:
        (out / "report.md").write_text(f"# The limiter against its bound\n\n{text}\n", "utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.limiter", description=__doc__)
    parser.add_argument("--virtual", action="store_true", help="only in virtual time")
    parser.add_argument("--http", action="store_true", help="only over real HTTP")
    parser.add_argument("--in-turn", action="store_true", help="one client at a time over HTTP")
    parser.add_argument("--only", action="append", metavar="NAME", help="this scenario (repeat)")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="of the virtual runs")
    parser.add_argument("--out", type=Path, metavar="DIR", help="for report.md and pictures")
    return parser.parse_args()


def _chosen(known: Mapping[str, Named], names: Sequence[str] | None) -> list[Named]:
    return [one for name, one in known.items() if names is None or name in names]


def virtual(chosen: Sequence[Scenario], seeds: int, out: Path | None) -> Iterator[Score]:
    for scenario in chosen:
        traces: dict[str, Trace] = {}
        for client in (GRADEQ, *(() if scenario.restart_at is not None else RIVALS)):
            runs = [_virtually(client, scenario, seed, traces) for seed in range(1, seeds + 1)]
            score = report.mean_of(runs)
            print(report.line(score), flush=True)
            yield score
        _drawn(traces, out, f"virtual {scenario.name}")


def _virtually(client: str, scenario: Scenario, seed: int, traces: dict[str, Trace]) -> Score:
    look = None
    if seed == 1 and client in IN_PICTURES:
        traces[client] = Trace()
        look = partial(watch, traces[client], 1.0)
    trial: Trial | Rivalry
    if client == GRADEQ:
        trial = try_out(scenario, seed, look)
    else:
        trial = try_rival(client, scenario, seed, look)
    run = trial.run
    return Score(
        scenario.name,
        client,
        trial.efficiency,
        trial.refused_share,
        trial.lost,
        run.inside_windows,
        trial.papers,
        run.seconds,
        trial.least_seconds,
    )


def over_http(chosen: Sequence[ShortRun], out: Path | None, *, in_turn: bool) -> Iterator[Score]:
    for short in chosen:
        outcomes = asyncio.run(http.play(short, in_turn=in_turn))
        for one in outcomes:
            score = Score(
                short.name,
                one.client,
                one.efficiency,
                one.refused_share,
                one.lost,
                one.inside_windows,
                one.papers,
                one.seconds,
                one.least_seconds,
                lag_seconds=one.lag_seconds,
            )
            print(report.line(score), flush=True)
            yield score
        traces = {one.client: one.trace for one in outcomes if one.client in IN_PICTURES}
        _drawn(traces, out, f"http {short.name}")


def _drawn(traces: Mapping[str, Trace], out: Path | None, name: str) -> None:
    if out is not None:
        path = out / f"{name.replace(',', '').replace(' ', '-')}.svg"
        plot.draw(traces, path, title=name)


if __name__ == "__main__":
    main()
