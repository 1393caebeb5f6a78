"""The picture in docs/explanation/limits.md: `python -m bench.limiter.picture [FILE]`."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from bench.limiter.baselines import try_rival
from bench.limiter.plot import draw
from bench.limiter.scenarios import SCENARIOS
from bench.limiter.trace import Trace, watch
from bench.limiter.virtual import try_out

FILE = Path(__file__).parents[2] / "docs" / "images" / "limits.svg"
_RIVAL = "SDK x 50, 12 retries"
_EVERY_SECONDS = 5.0


def main() -> None:
    scenario = SCENARIOS["long papers"]
    ours, theirs = Trace(), Trace()
    mine = try_out(scenario, 1, partial(watch, ours, _EVERY_SECONDS))
    rival = try_rival(_RIVAL, scenario, 1, partial(watch, theirs, _EVERY_SECONDS))
    titles = {
        f"gradeq: {mine.papers - mine.lost} of {mine.papers} papers graded": ours,
        f"{_RIVAL}: {rival.papers - rival.lost} of {rival.papers}": theirs,
    }
    draw(
        titles,
        Path(sys.argv[1]) if len(sys.argv) > 1 else FILE,
        title="A small account: 50 requests, 30,000 input and 8,000 output tokens a minute",
    )


if __name__ == "__main__":
    main()
