"""Recovery of spheres, background and total against the slow model's reconstruction at the same iterations.

The data are the slow model's with voxels of half the size, so that neither reconstruction knows their grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion

from leukospect.reconstruction import subset_views
from tests.slow_model.body import Body, ring
from tests.slow_model.model import SlowModel
from tests.slow_model.osem import slow_osem
from tests.slow_model.program import program_image
from tests.spot_acquisition import acquisition, orbit

Float64 = NDArray[np.float64]
TC_DECAY_PER_S = np.log(2) / (6.0072 * 3600)


@dataclass(frozen=True)
class Scan:
    """A body and how it is scanned, all views 1 s long, at the same time, by a detector that follows the contour."""

    body: Body
    size: tuple[int, int]
    pixel_mm: tuple[float, float]
    views: int
    subsets: int = 15
    iterations: int = 5

    @property
    def angles_deg(self) -> Float64:
        return np.mod(orbit(183.0, "CW", self.views), 360.0)

    @property
    def radii_mm(self) -> Float64:
        t = np.deg2rad(self.angles_deg)
        return np.asarray(np.hypot(self.body.semi_x_mm * np.sin(t), self.body.semi_y_mm * np.cos(t)) + 20.0)

    @property
    def ml(self) -> float:
        return self.pixel_mm[0] * self.pixel_mm[1] ** 2 / 1000

    def counts(self, factor: float) -> Float64:
        """Simulate on voxels of half the size; an activity of 1 gives `factor` counts/s/mL."""
        rows, columns = self.size
        half = (self.pixel_mm[0] / 2, self.pixel_mm[1] / 2)
        activity, mu = self.body.drawn((2 * rows, 2 * columns), half)
        model = SlowModel(
            self.angles_deg, self.size, self.pixel_mm, self.radii_mm, mu, mask=activity.max(axis=0) > 0, finer=2,
            split=1,
        )  # fmt: skip
        return model.forward(activity) * (factor * self.ml / 8)

    def mu(self) -> Float64:
        return self.body.drawn(self.size, self.pixel_mm)[1]

    def mask(self) -> NDArray[np.bool_]:
        """Where the slow model looks: inside the field of view and before every detector."""
        n = self.size[1]
        places = (np.arange(n) - (n - 1) / 2) * self.pixel_mm[1]
        y, x = np.meshgrid(places, places, indexing="ij")
        inside = np.asarray(np.hypot(x, y) <= ((n - 1) / 2 - 0.5) * self.pixel_mm[1])
        for t, radius in zip(np.deg2rad(self.angles_deg), self.radii_mm, strict=True):
            inside &= x * np.sin(t) + y * np.cos(t) <= radius
        return inside

    def slow_image(self) -> Float64:
        model = SlowModel(self.angles_deg, self.size, self.pixel_mm, self.radii_mm, self.mu(), mask=self.mask())
        factors = np.full(self.views, self.ml)
        return slow_osem(model, self.counts(1.0), factors, subset_views(self.angles_deg, self.subsets), self.iterations)

    def image(self) -> Float64:
        # A second of counting loses this much to decay.
        kept = float(-np.expm1(-TC_DECAY_PER_S) / TC_DECAY_PER_S)
        empty = acquisition(self.angles_deg, self.size, self.pixel_mm, radii_mm=self.radii_mm)
        found = program_image(
            empty, self.counts(1e5 * kept), self.mu(), iterations=self.iterations, subsets=self.subsets
        )
        return found / 1e5

    def recoveries(self, image: Float64) -> list[float]:
        """Mean contrast inside each sphere's true contour, over the true one."""
        found = []
        for sphere in self.body.spheres:
            share = self.body.share(sphere, self.size, self.pixel_mm)
            mean = float((image * share).sum() / share.sum())
            found.append((mean - 1) / (sphere.contrast - 1))
        return found

    def background(self) -> NDArray[np.bool_]:
        """Voxels 15 mm and more from spheres, edges, lung, bone and the ends of the grid."""
        activity = self.body.drawn(self.size, self.pixel_mm)[0]
        plain = np.abs(activity - 1) < 1e-6
        return np.asarray(binary_erosion(plain, iterations=3, border_value=0))


SMALL = Scan(
    Body(ring(100.0, 62.0), 150.0, 105.0, lung=(5.0, -5.0, 26.0), bone=(-62.0, -68.0, 13.0)),
    (20, 56), (5.4, 6.6), 60,
)  # fmt: skip


def _check(scan: Scan, slow: Float64, ours: Float64) -> None:
    recovered, reference = scan.recoveries(ours), scan.recoveries(slow)
    # From 37 mm down to 10 mm.
    assert all(larger > smaller for larger, smaller in pairwise(recovered)), recovered
    for sphere, found, expected in zip(scan.body.spheres, recovered, reference, strict=True):
        assert found == pytest.approx(expected, abs=0.03), f"{sphere.diameter_mm} mm"
    background = scan.background()
    assert background.sum() > 500
    assert ours[background].mean() == pytest.approx(slow[background].mean(), rel=0.01)
    assert ours[background].mean() == pytest.approx(1.0, rel=0.01)
    truth = scan.body.drawn(scan.size, scan.pixel_mm)[0].sum()
    assert slow.sum() / truth == pytest.approx(1.0, abs=0.005)
    assert ours.sum() / truth == pytest.approx(1.0, abs=0.01)


def test_spheres_are_recovered_as_by_the_slow_model() -> None:
    _check(SMALL, SMALL.slow_image(), SMALL.image())


@pytest.mark.exhaustive
def test_spheres_are_recovered_as_by_the_slow_model_on_a_finer_grid_of_a_larger_body() -> None:
    scan = Scan(Body(ring(120.0, 78.0), lung=(0.0, 0.0, 25.0), bone=(0.0, -105.0, 10.0)), (24, 88), (4.4, 4.4), 120)
    _check(scan, scan.slow_image(), scan.image())
