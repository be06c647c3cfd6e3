"""How far fast models of attenuation lie from the photon's own line: ``python -m tests.slow_model.compare``.

Every model projects the same body on a grid that faces the detector, so that nothing but the attenuation differs:
against the slanted line that each photon took stand the parallel ray from its place of emission, and the running plane
that is blurred by increments and attenuated by each plane it passes. The increments' own blur is taken out of the
second (late less early attenuation, both blurred alike), and told apart.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.slow_model.body import Body, Sphere, ring
from tests.slow_model.model import SlowModel, lehr_aim, lehr_sigma_mm
from tests.slow_model.planes import incremental_planes

Float64 = NDArray[np.float64]

VOXEL_MM, SIZE = (4.0, 4.0), (32, 100)
_ENDS = slice(7, -7)  # rows that the ends of the grid do not reach
_SPHERES = (*ring(120.0, 75.0), Sphere((30.0, 10.0, 30.0), 22.0), Sphere((-20.0, -15.0, -28.0), 13.0))
_HOT = tuple(Sphere(s.centre_mm, s.diameter_mm, 1e6) for s in _SPHERES)
BODIES = {
    "warm body": Body(_SPHERES),
    "cold body": Body(_HOT, background=1e-6),
    "lung's edge": Body((Sphere((28.0, 20.0, 0.0), 22.0, 1e6),), background=1e-6, lung=(60.0, 20.0, 32.0)),
}
STANDS = ((130.0, 0.0), (130.0, 180.0), (185.0, 90.0), (185.0, 35.0), (250.0, 0.0), (250.0, 120.0))
"""Radius and angle of the views: close along the short axis, close along the long one, and far."""


@dataclass(frozen=True)
class Distances:
    """Relative L2 distances from the slanted lines, and how much of the total is wrong, all per cent."""

    parallel: float
    incremental: float
    blur: float
    parallel_total: float
    incremental_total: float


def distances(body: Body, radius_mm: float, angle_deg: float) -> Distances:
    """Compare the models in one view."""
    activity, mu = body.drawn(SIZE, VOXEL_MM, turned_deg=angle_deg)
    seen = activity.max(axis=0) > 1e-3
    activity = activity * seen

    def model(attenuation: Float64 | None) -> SlowModel:
        return SlowModel(np.zeros(1), SIZE, VOXEL_MM, np.array([radius_mm]), attenuation, mask=seen, split=1)

    def planes(attenuation: Float64 | None, late: bool) -> Float64:
        return incremental_planes(activity, attenuation, VOXEL_MM, radius_mm, lehr_sigma_mm, late=late)[_ENDS]

    line = model(mu).forward_slanted(activity, aim=lehr_aim)[0, _ENDS]
    ray = model(mu).forward(activity)[0, _ENDS]
    late = ray + planes(mu, True) - planes(mu, False)
    free = model(None).forward(activity)[0, _ENDS]

    def far(view: Float64, truth: Float64) -> float:
        return 100 * float(np.linalg.norm(view - truth) / np.linalg.norm(truth))

    def off(view: Float64) -> float:
        return 100 * float(view.sum() / line.sum() - 1)

    return Distances(far(ray, line), far(late, line), far(planes(None, True), free), off(ray), off(late))


def all_distances() -> Iterator[tuple[str, float, float, Distances]]:
    """Give body, radius, angle and distances, one after another."""
    for name, body in BODIES.items():
        for radius, angle in STANDS:
            yield name, radius, angle, distances(body, radius, angle)


def main() -> None:
    """Print the table."""
    say = sys.stdout.write
    say(f"{'body':12s} {'R mm':>5s} {'angle':>5s} | parallel incremental   (blur) | totals: parallel incremental, %\n")
    found = []
    for name, radius, angle, d in all_distances():
        found.append((d.parallel, d.incremental, d.blur))
        say(
            f"{name:12s} {radius:5.0f} {angle:5.0f} | {d.parallel:8.3f} {d.incremental:11.3f} {d.blur:8.3f} | "
            f"{d.parallel_total:+15.3f} {d.incremental_total:+11.3f}\n"
        )
    say("root mean square, per cent: {:.3f} {:.3f} {:.3f}\n".format(*np.sqrt(np.mean(np.square(found), axis=0))))


if __name__ == "__main__":
    main()
