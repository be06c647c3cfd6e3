"""Tables of the speed benchmark, for a terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from leukospect.benchmark.speed_case import CONTRAST, FIELD_MM, RADIUS_MM, SPHERES_MM
from leukospect.benchmark.speed_contest import CORRECTIONS
from leukospect.benchmark.speed_plots import PLOTS
from leukospect.benchmark.speed_process import Measurement
from leukospect.benchmark.speed_results import SpeedResults, image_key

_WITHIN = {"body": "body", "field": "field of view"}


@dataclass(frozen=True, slots=True)
class Table:
    """A table and what stands above it."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def as_text(results: SpeedResults) -> str:
    """Give all tables in plain columns, for a terminal."""
    parts = [_problem(results), *results.notes, *(_columns(table) for table in tables(results)), _same(results)]
    return "\n\n".join(parts) + "\n"


def as_markdown(results: SpeedResults) -> str:
    """Give all tables and plots as Markdown."""
    parts = ["# Speed of the reconstruction", _problem(results), *results.notes]
    parts += [f"## {table.title}\n\n{_pipes(table)}" for table in tables(results)]
    parts += [_same(results), *(f"![{title}]({name})" for name, title in PLOTS.items())]
    return "\n\n".join(parts) + "\n"


def tables(results: SpeedResults) -> list[Table]:
    """Give every table of the results."""
    return [
        _times(results),
        _ratios(results),
        _accuracy(results),
        _threads(results),
        _sizes(results),
        _starts(results),
        Table("Machine", ("what", "found"), tuple((key, str(value)) for key, value in results.machine.items())),
    ]


def _problem(results: SpeedResults) -> str:
    plan = results.plan
    n, pixel = plan["size"], FIELD_MM / plan["size"]
    return (
        f"OSEM {plan['iterations']} x {plan['subsets']}, {n} x {n} x {n} voxels of {pixel:g} mm, {plan['views']} views "
        f"over 360 degrees at {RADIUS_MM:g} mm, Tc-99m, LEHR; {plan['total_counts']:g} counts of a simulated body with "
        f"hot spheres {CONTRAST:g} times the background. Times run from counts in memory to the image, sensitivity "
        "images included, without loading and compiling; every contestant runs in a process of its own."
    )


def _times(results: SpeedResults) -> Table:
    rows = []
    for one in (*results.ours, *results.rivals):
        if one.failure:
            rows.append((*_who(one), "failed", "", "", "", ""))
            continue
        shortest, longest = min(one.seconds), max(one.seconds)
        building = f"{one.building_median_s:.2f}" if one.building_median_s else ""
        spread = f"{shortest:.2f} to {longest:.2f}"
        rows.append((*_who(one), f"{one.median_s:.2f}", spread, str(len(one.seconds)), building, f"{one.peak_mb:.0f}"))
    head = (
        "contestant",
        "corrections",
        "within",
        "threads",
        "median s",
        "range s",
        "runs",
        "of it matrix s",
        "peak MB",
    )
    return Table("Wall time and peak memory", head, tuple(rows))


def _who(one: Measurement) -> tuple[str, str, str, str]:
    settings = one.task.settings
    return (one.task.contestant, CORRECTIONS[settings.corrections], _WITHIN[settings.within], str(settings.threads))


def _ratios(results: SpeedResults) -> Table:
    rows = []
    for ratio in results.ratios():
        aim = "" if ratio.aim is None else f"{ratio.aim:g}"
        who = (ratio.rival, CORRECTIONS[ratio.corrections], _WITHIN[ratio.within])
        threads = (str(ratio.rival_threads), str(ratio.our_threads))
        rows.append((*who, *threads, f"{ratio.to_body:.2f}", f"{ratio.to_field:.2f}", aim))
    head = (
        "rival",
        "corrections",
        "its places",
        "its threads",
        "our threads",
        "over ours, body",
        "over ours, field",
        "aim",
    )
    return Table("How many times as long rivals take (without building a matrix)", head, tuple(rows))


def _accuracy(results: SpeedResults) -> Table:
    rows = []
    for one in (*results.ours, *results.rivals):
        if one.failure or not one.accuracy or not one.task.image:
            continue
        found = one.accuracy
        difference = results.differences.get(image_key(one))
        rows.append(
            (
                *_who(one)[:3],
                *(f"{value:.3f}" for _, value in found["recovery"]),
                f"{100 * found['background_bias']:+.1f}",
                f"{100 * found['background_cv']:.1f}",
                f"{found['misplaced_mm']:.1f}",
                "" if difference is None else f"{100 * difference:.1f}",
            )
        )
    spheres = tuple(f"{diameter:g} mm" for *_, diameter in SPHERES_MM)
    head = ("contestant", "corrections", "within", *spheres, "bias %", "noise %", "off mm", "unlike %")
    title = (
        "Recovery of each sphere, background's bias and noise, the largest sphere's distance from its place, and "
        "difference from leukospect over the field"
    )
    return Table(title, head, tuple(rows))


def _threads(results: SpeedResults) -> Table:
    rows = []
    for one in results.threads:
        threads = one.task.settings.threads
        gain = results.speed_up(threads)
        digest = one.sha256[0][:16] if one.sha256 else "failed"
        rows.append((str(threads), f"{one.median_s:.2f}", "" if gain is None else f"{gain:.2f}", digest))
    return Table(
        "Threads (all corrections, body)", ("threads", "median s", "speed-up", "SHA-256 of the image"), tuple(rows)
    )


def _sizes(results: SpeedResults) -> Table:
    rows = []
    for one in results.sizes:
        if one.failure:
            rows.append((one.task.case, "failed", "", ""))
            continue
        each = f"{results.ns_per_voxel_and_view(one):.3f}"
        rows.append((one.task.case, f"{one.median_s:.2f}", each, f"{one.peak_mb:.0f}"))
    head = ("voxels along an axis", "median s", "ns per voxel in the body, view and iteration", "peak MB")
    return Table("Sizes (all corrections, body)", head, tuple(rows))


def _starts(results: SpeedResults) -> Table:
    first, later = (one.process_s for one in results.compiling)
    rows = (
        ("first start on a machine", f"{first:.1f}"),
        ("later starts", f"{later:.1f}"),
        ("compiling, once", f"{results.compile_s:.1f}"),
    )
    return Table("From starting Python to the end of a tiny reconstruction", ("what", "s"), rows)


def _same(results: SpeedResults) -> str:
    counts = ", ".join(str(one.task.settings.threads) for one in results.threads)
    if results.same_to_the_bit:
        return f"The image is the same to the bit for {counts} threads and from run to run."
    return f"The image is NOT the same for {counts} threads and from run to run."


def _columns(table: Table) -> str:
    lines = [table.head, *table.rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(table.head))]
    return "\n".join([table.title, *("  ".join(_padded(line, widths)).rstrip() for line in lines)])


def _padded(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [text.ljust(width) for text, width in zip(line, widths, strict=True)]


def _pipes(table: Table) -> str:
    rule = tuple("---" for _ in table.head)
    return "\n".join("| " + " | ".join(line) + " |" for line in (table.head, rule, *table.rows))
