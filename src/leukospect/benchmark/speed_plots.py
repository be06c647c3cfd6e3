"""Plots of the speed benchmark."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leukospect.benchmark.speed_contest import CORRECTIONS
from leukospect.benchmark.speed_process import Measurement
from leukospect.benchmark.speed_results import SpeedResults, is_ours

PLOTS = {
    "speed-times.png": "Wall time of each contestant",
    "speed-sizes.png": "Time of each voxel and view for each size",
    "speed-threads.png": "Speed-up with threads",
}
"""File and title of each plot."""

_OURS, _THEIRS, _GREY = "#1b6ca8", "#c8703a", "#808080"


def draw_plots(results: SpeedResults, folder: Path) -> None:
    """Write the plots named in `PLOTS`."""
    drawn = (_draw_times, _draw_sizes, _draw_threads)
    for (name, title), draw in zip(PLOTS.items(), drawn, strict=True):
        height = 4.0 if draw is not _draw_times else 1.5 + 0.3 * len((*results.ours, *results.rivals))
        figure = Figure(figsize=(9.0, height), layout="constrained")
        axes = figure.subplots()
        draw(axes, results)
        axes.set_title(title)
        figure.savefig(folder / name, dpi=120)


def _draw_times(axes: Axes, results: SpeedResults) -> None:
    shown = [one for one in (*results.ours, *results.rivals) if not one.failure]
    shown.sort(key=lambda one: (list(CORRECTIONS).index(one.task.settings.corrections), one.median_s), reverse=True)
    names = [_named(one) for one in shown]
    bars = axes.barh(
        names, [one.median_s for one in shown], color=[_OURS if is_ours(one) else _THEIRS for one in shown]
    )
    axes.bar_label(bars, fmt="%.3g", padding=3)
    axes.set_xscale("log")
    axes.margins(x=0.15)
    axes.set_xlabel("median wall time, s")


def _named(one: Measurement) -> str:
    settings = one.task.settings
    threads = "1 thread" if settings.threads == 1 else f"{settings.threads} threads"
    return f"{one.task.contestant}, {settings.within}, {threads}: {CORRECTIONS[settings.corrections]}"


def _draw_sizes(axes: Axes, results: SpeedResults) -> None:
    done = [one for one in results.sizes if not one.failure]
    sizes = [int(one.task.case) for one in done]
    axes.plot(sizes, [results.ns_per_voxel_and_view(one) for one in done], "o-", color=_OURS)
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.set_ylim(bottom=0)
    axes.set_xlabel("voxels along each axis")
    axes.set_ylabel("ns per voxel in the body, view and iteration")


def _draw_threads(axes: Axes, results: SpeedResults) -> None:
    gains = [(one.task.settings.threads, results.speed_up(one.task.settings.threads)) for one in results.threads]
    known = [(threads, gain) for threads, gain in gains if gain is not None]
    cores = int(results.machine["cores"])
    axes.plot([1, cores], [1, cores], "--", color=_GREY, label="ideal, up to the cores of this machine")
    axes.plot([threads for threads, _ in known], [gain for _, gain in known], "o-", color=_OURS, label="measured")
    axes.set_ylim(bottom=0)
    axes.set_xticks([threads for threads, _ in gains])
    axes.set_xlabel("threads")
    axes.set_ylabel("times as fast as one thread")
    axes.legend()
