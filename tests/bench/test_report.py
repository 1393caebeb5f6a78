"""The tables, and pictures without anything that changes from run to run."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from bench.limiter.report import Score, line, markdown, mean_of
from bench.limiter.scenarios import SCENARIOS
from bench.limiter.trace import Trace, watch
from bench.limiter.virtual import try_out


def a_score(scenario: str, client: str, efficiency: float = 0.98, lost: int = 0) -> Score:
    return Score(scenario, client, efficiency, 0.001, lost, 2, 100, 50.0, 49.0)


def test_a_table_has_a_row_for_each_scenario_and_a_column_for_each_client() -> None:
    scores = [a_score("one", "gradeq"), a_score("two", "gradeq"), a_score("one", "SDK", 1.2)]
    assert markdown(scores).splitlines() == [
        "| scenario | gradeq | SDK |",
        "|---|---|---|",
        "| one | 98.0 / 0.10 / 0 / 2 | – / 0.10 / 0 / 2 |",
        "| two | 98.0 / 0.10 / 0 / 2 |  |",
    ]


def test_seeds_are_averaged_but_for_the_worst_loss() -> None:
    both = mean_of([a_score("one", "x", 0.9, lost=3), a_score("one", "x", 1.0)])
    assert both.efficiency == pytest.approx(0.95)
    assert both.lost == 3
    assert "95.0 / 0.10 / 3 / 2" in line(both)


def test_a_trace_shows_the_provider_s_view_and_the_limiter_s() -> None:
    trace = Trace()
    trial = try_out(SCENARIOS["small account"], 1, partial(watch, trace, 10.0))
    assert len(trace.samples) == pytest.approx(trial.run.seconds / 10, abs=2)
    assert trace.limits == {"requests": 50, "input_tokens": 30_000, "output_tokens": 8000}
    assert max(one.in_flight for one in trace.samples) <= 20
    assert set(trace.believed[-1][1]) == set(trace.limits)


@pytest.mark.slow
def test_the_same_run_makes_the_same_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from bench.limiter.plot import draw

    files = [tmp_path / "one.svg", tmp_path / "two.svg"]
    for file in files:
        trace = Trace()
        try_out(SCENARIOS["small account"], 1, partial(watch, trace, 10.0))
        draw({"gradeq": trace}, file, title="A picture")
    assert files[0].read_bytes() == files[1].read_bytes()
    assert b"calls in flight" in files[0].read_bytes()
