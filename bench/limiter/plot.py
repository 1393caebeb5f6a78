"""Pictures of runs: calls in flight, what is left of a limit, refusals. Needs matplotlib."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.limiter.trace import Trace

_INK = "#808890"
"""Readable on white and on black."""
_IN_FLIGHT, _LEVEL, _BELIEVED, _REFUSED = "#3b82c4", "#2f9e6e", "#b5832a", "#d1495b"
_MOST_POINTS = 150


def draw(
    traces: Mapping[str, Trace], path: Path, *, bucket: str | None = None, title: str = ""
) -> None:
    """One column for each client; three rows. `bucket` is the limit to show: by default the one
    that gets emptiest."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    shown = bucket or _tightest(traces)
    with mpl.rc_context(_STYLE):
        figure, axes = pyplot.subplots(
            3,
            len(traces),
            figsize=(4.2 * len(traces), 5),
            sharex=True,
            sharey="row",
            squeeze=False,
        )
        for column, (client, trace) in enumerate(traces.items()):
            _draw_one(axes[:, column], trace, shown)
            axes[0, column].set_title(client)
            axes[2, column].set_xlabel("seconds")
        for axis, label in zip(axes[:, 0], _labels(shown), strict=True):
            axis.set_ylabel(label)
        figure.suptitle(title, color=_INK)
        figure.tight_layout()
        # No date and no random ids: the same run makes the same file.
        figure.savefig(path, transparent=True, metadata={"Date": None})
        pyplot.close(figure)


_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "gradeq",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "axes.titlecolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "legend.labelcolor": _INK,
    "legend.frameon": False,
    "path.simplify_threshold": 0.5,
}


def _labels(bucket: str) -> tuple[str, str, str]:
    return "calls in flight", f"{bucket.replace('_', ' ')} left, %", "refused so far"


def _draw_one(axes: Any, trace: Trace, bucket: str) -> None:
    samples = trace.samples[:: _step(trace.samples)]
    times = [one.at for one in samples]
    axes[0].plot(times, [one.in_flight for one in samples], color=_IN_FLIGHT, linewidth=1)
    if most := trace.limits.get(bucket):
        levels = [100 * one.levels.get(bucket, 0.0) / most for one in samples]
        axes[1].plot(times, levels, color=_LEVEL, linewidth=1, label="provider")
        _draw_believed(axes[1], trace, bucket, most)
    axes[2].plot(times, [one.refused for one in samples], color=_REFUSED, linewidth=1.2)


def _draw_believed(axis: Any, trace: Trace, bucket: str, most: float) -> None:
    known = [(at, levels[bucket]) for at, levels in trace.believed if bucket in levels]
    if not known:
        return
    known = known[:: _step(known)]
    axis.plot(
        [at for at, _ in known],
        [100 * level / most for _, level in known],
        color=_BELIEVED,
        linewidth=1,
        linestyle="--",
        label="limiter",
    )
    axis.legend(loc="upper right", ncols=2)


def _step(points: list[Any]) -> int:
    return max(1, len(points) // _MOST_POINTS)


def _tightest(traces: Mapping[str, Trace]) -> str:
    shares: dict[str, float] = {}
    for trace in traces.values():
        for sample in trace.samples[len(trace.samples) // 4 :]:
            for bucket, most in trace.limits.items():
                share = sample.levels.get(bucket, most) / most
                shares[bucket] = shares.get(bucket, 0.0) + share
    return min(shares, key=lambda bucket: shares[bucket], default="requests")
