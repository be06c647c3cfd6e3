"""Compare the projector's time with the least that this machine's arithmetic and bandwidth allow.

Run as ``python benchmarks/floor.py [size]``, on one core of an idle machine. Measured first: products and sums (FMA) in
float32 a second, and bytes a second from each level of memory. Counted then, from the plan of the views: how many
voxels are interpolated, attenuated and blurred, times the vector operations and bytes that each takes at least:

====================  ======================  ==========================  =======================================
each voxel            operations              read from the first cache   moved beyond the first cache
====================  ======================  ==========================  =======================================
loss interpolated     4                       4 values                    its own value, once a view
activity gathered     4                       4 values                    its own value, once a view
attenuated            2 both ways             2 values                    nothing: running plane and survival stay
sensitivity, adjoint  4 scattered             5 values, 4 written         its own value, read and written
blurred, each pass    3 an axis, two axes     3 values an axis            nothing
====================  ======================  ==========================  =======================================

A running plane and the runs of two neighbouring planes are taken to stay in the second cache, so an image's value comes
from beyond the first cache once a view. The floor is the longest of the three times, as if they overlapped perfectly.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from leukospect.benchmark.speed_case import COLLIMATOR, ENERGY_KEV, SpeedCase, plain_case
from leukospect.benchmark.speed_machine import machine
from leukospect.physics.collimators import find_collimator, system_sigma_mm
from leukospect.projector import (
    SpectProjector,
    response_increments,
    spect_projector,
    support_of,
    views_of_counts,
)
from leukospect.reconstruction import osem, prepare_subsets, subset_views
from leukospect.support import Support
from leukospect.view_plan import ViewPlan, plan_views

VIEWS, ITERATIONS, SUBSETS = 120, 5, 15
_KIB = 1024


@njit(fastmath={"contract"}, error_model="numpy")
def _multiply_and_add(values: Any, x: Any, y: Any, times: int) -> None:
    """Sixteen products and sums of each value, one load and one store."""
    for _ in range(times):
        for k in range(values.size):
            v = values[k]
            v = v * x + y
            v = v * x + y
            v = v * x + y
            v = v * x + y
            v = v * x + y
            v = v * x + y
            v = v * x + y
            v = v * x + y
            v = v * x + y
            v = v * x + y
            v = v * x + y
            v = v * x + y
            v = v * x + y
            v = v * x + y
            v = v * x + y
            v = v * x + y
            values[k] = v


@njit(fastmath=True, error_model="numpy")
def _read(values: Any, times: int) -> Any:
    """Sum of an array, read again and again."""
    total = np.float32(0)
    for _ in range(times):
        for k in range(values.size):
            total += values[k]
    return total


def _shortest(run: Callable[[], object], times: int = 7) -> float:
    """Give the shortest of several times, s; the first only compiles."""
    run()
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def operations_per_s() -> float:
    """Measure float32 products and sums of one core, each counted as one operation."""
    values, times = np.full(2048, 0.5, np.float32), 4000
    x, y = np.float32(0.999), np.float32(0.0005)
    return 16 * values.size * times / _shortest(lambda: _multiply_and_add(values, x, y, times))


def bytes_per_s(array_bytes: int) -> float:
    """Measure how fast one core reads an array of that size."""
    values = np.ones(array_bytes // 4, np.float32)
    times = max(1, 2**28 // array_bytes)
    return array_bytes * times / _shortest(lambda: _read(values, times), 15)


@dataclass(frozen=True, slots=True)
class Machine:
    """What one core can do: operations and bytes a second."""

    operations: float
    first: float
    second: float
    third: float
    memory: float

    @classmethod
    def measured(cls) -> Machine:
        """Measure all."""
        sizes = (16 * _KIB, 384 * _KIB, 6 * _KIB**2, 384 * _KIB**2)
        return cls(operations_per_s(), *(bytes_per_s(size) for size in sizes))

    def beyond_first(self, array_bytes: float) -> float:
        """Give the bandwidth of the nearest memory that holds so much."""
        if array_bytes < 0.75 * _KIB**2:
            return self.second
        return self.third if array_bytes < 16 * _KIB**2 else self.memory


@dataclass(frozen=True, slots=True)
class Voxels:
    """How many voxels all views together work on.

    Parameters
    ----------
    emitting, absorbing : int
        Whose activity, and whose loss, is interpolated.
    blurred : int
        Of the running plane, each pass.
    image, matter : int
        Of the runs of activity and of matter, once a view.
    """

    emitting: int
    absorbing: int
    blurred: int
    image: int
    matter: int

    @classmethod
    def of(cls, plan: ViewPlan, slices: int, support: Support, matter: Support) -> Voxels:
        """Count from the plan of the views."""
        widths = np.diff(plan.windows, axis=2)[..., 0] * plan.passes
        return cls(
            int(np.diff(plan.columns_of, axis=2).sum()) * slices,
            int(np.diff(plan.loss_columns, axis=2).sum()) * slices,
            int(widths.sum()) * slices,
            support.places * slices * plan.views,
            matter.places * slices * plan.views,
        )

    def floors_s(self, adjoint: bool, core: Machine) -> tuple[float, float, float]:
        """Give the least time of arithmetic, of reading the first cache, and of what lies beyond it, s."""
        operations = 4 * self.emitting + 4 * self.absorbing + 2 * self.absorbing + 6 * self.blurred
        values = (5 if adjoint else 4) * self.emitting + 4 * self.absorbing + 2 * self.absorbing + 6 * self.blurred
        moved = (2 if adjoint else 1) * self.image + self.matter
        whole = 4.0 * (self.image + self.matter) / VIEWS
        return operations / core.operations, 4.0 * values / core.first, 4.0 * moved / core.beyond_first(whole)


def plan_of(case: SpeedCase, within: bool) -> tuple[ViewPlan, Support, Support]:
    """Make the plan that the projector of a case works by, its support and that of its matter."""
    radii, collimator = np.full(case.views, case.radius_mm), find_collimator(COLLIMATOR, "")
    increments = response_increments(
        radii, case.size, case.pixel_mm, case.pixel_mm, lambda z: system_sigma_mm(collimator, ENERGY_KEV, z)
    )
    mask = support_of(case.angles_deg, radii, case.size, case.pixel_mm)
    support, matter = Support(mask & case.body if within else mask), Support(case.body)
    return plan_views(case.angles_deg, np.zeros(case.views), increments, support, matter), support, matter


def projector_of(case: SpeedCase, within: bool) -> SpectProjector:
    """Build the projector of a case on one thread, with every correction."""
    collimator = find_collimator(COLLIMATOR, "")
    body = case.body if within else None
    return spect_projector(case.projections(), case.mu_image, collimator, ENERGY_KEV, threads=1, within=body)


def report(case: SpeedCase, within: bool, core: Machine) -> None:
    """Print measured times of all views and of the reconstruction, on one thread, beside their floors."""
    projector = projector_of(case, within)
    plan, support, matter = plan_of(case, within)
    voxels = Voxels.of(plan, case.size, support, matter)
    image = np.ones(projector.in_shape, np.float32)
    counts = views_of_counts(case.counts)

    def reconstruct() -> None:
        subsets = prepare_subsets(projector, subset_views(case.angles_deg, SUBSETS))
        osem(subsets, counts, views_of_counts(case.scatter), iterations=ITERATIONS)

    forward, adjoint = voxels.floors_s(False, core), voxels.floors_s(True, core)
    # The sensitivity images take one adjoint more, the uniform start one forward projection more.
    both = tuple((ITERATIONS + 1) * (f + a) for f, a in zip(forward, adjoint, strict=True))
    print(f"\n{'inside the body' if within else 'over the field'}, {case.size} voxels along each axis, one thread")
    print(f"{'':<24}{'arithmetic':>12}{'first cache':>13}{'beyond it':>11}{'measured':>10}{'ratio':>7}")
    for name, floors, run in (
        ("forward, all views", forward, lambda: projector.forward(image)),
        ("adjoint, all views", adjoint, lambda: projector.adjoint(counts)),
        ("OSEM 5 x 15", both, reconstruct),
    ):
        took = _shortest(run, 3)
        arithmetic, first, beyond = floors
        line = f"{name:<24}{arithmetic:>10.3f} s{first:>11.3f} s{beyond:>9.3f} s{took:>8.3f} s"
        print(f"{line}{took / max(floors):>7.2f}")


def main() -> None:
    """Measure and print."""
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 128
    described = machine()
    print(", ".join(str(described[name]) for name in ("processor", "cores", "python", "numba")), end="")
    print(f", load {described['load_before']}")
    core = Machine.measured()
    print(f"one core: {core.operations / 1e9:.1f} G float32 products and sums a second; reads", end=" ")
    bandwidths = {"first cache": core.first, "second": core.second, "third": core.third, "memory": core.memory}
    print(", ".join(f"{name} {value / 1e9:.0f} GB/s" for name, value in bandwidths.items()))
    case = plain_case(size, VIEWS)
    for within in (True, False):
        report(case, within, core)


if __name__ == "__main__":
    main()
