"""A body that the CT cuts off is completed from the counts: the map of a known cylinder comes back."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from leukospect.body_completion import body_beyond_ct
from leukospect.data import Geometry, Image
from leukospect.physics.attenuation import water_mu_per_cm
from leukospect.spect_study import attenuation_map

CT_GRID = Geometry.axial((30, 160, 170), (5.0, 2.0, 1.9), (-190.0, -160.0, -70.0), "1")
ONTO = Geometry.axial((24, 80, 84), (6.0, 5.5, 5.1), (-214.0, -217.0, -69.0), "1")
ENERGY, FWHM = 140.511, 8.0
TURN = np.eye(4)
TURN[:3, 3] = (4.0, -3.0, 2.0)


def cylinder(geometry: Geometry, to_ct: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Give an elliptic cylinder along z, off the middle to the left, in the CT's millimetres."""
    points = geometry.to_lps(np.moveaxis(np.indices(geometry.shape), 0, -1)) @ to_ct[:3, :3].T + to_ct[:3, 3]
    return np.asarray(((points[..., 0] - 35) / 150) ** 2 + ((points[..., 1] + 5) / 105) ** 2 < 1)


def scan(*, circle: bool) -> tuple[Image, Image]:
    """Give the CT that cuts the cylinder off, and the same as if it did not, by a wider grid."""
    wide = Geometry.axial((30, 200, 240), (5.0, 2.0, 1.9), (-240.0, -200.0, -70.0), "1")
    hu = np.where(cylinder(CT_GRID, np.eye(4)), 0.0, -1000.0)
    if circle:
        _, j, i = np.indices(CT_GRID.shape)
        hu[np.hypot((j - 79.5) / 80, (i - 84.5) / 85) > 1] = -1024
    whole = np.where(cylinder(wide, np.eye(4)), 0.0, -1000.0)
    return Image(hu.astype(np.float32), CT_GRID, "HU"), Image(whole.astype(np.float32), wide, "HU")


def uncorrected(seed: int = 2) -> Image:
    """Show the cylinder as counts do without attenuation correction: bright rim, a hot organ, slices unlike, noise."""
    body = cylinder(ONTO, TURN).astype(np.float64)
    k, j, i = np.indices(ONTO.shape)
    depth = gaussian_filter(body, [0, 6, 6])
    activity = body * (1.6 - depth) * np.linspace(1.0, 2.5, ONTO.shape[0])[:, None, None]
    activity += 15 * (np.hypot(j - 42, np.hypot(i - 38, k - 9)) < 5)
    blurred = gaussian_filter(activity, [1.0, 1.2, 1.3])
    noisy = blurred * np.random.default_rng(seed).gamma(12, 1 / 12, blurred.shape)
    return Image(noisy.astype(np.float32), ONTO, "counts/s/mL")


@pytest.mark.parametrize("circle", [False, True])
def test_a_cylinder_cut_off_is_restored(circle: bool) -> None:
    ct, whole = scan(circle=circle)
    found = body_beyond_ct(ct, uncorrected(), ONTO, TURN, FWHM)
    assert found is not None
    assert found.part is not None
    assert found.slices == 30
    true = attenuation_map(whole, 120.0, ENERGY, ONTO, spect_to_ct=TURN, smoothing_fwhm_mm=FWHM).array.astype(
        np.float64
    )
    cut = attenuation_map(ct, 120.0, ENERGY, ONTO, spect_to_ct=TURN, smoothing_fwhm_mm=FWHM).array.astype(np.float64)
    water = water_mu_per_cm(ENERGY, coherent_counted=True)
    restored = cut + water * found.part
    missing_ml = (true.sum() - cut.sum()) / water * ONTO.voxel_volume_ml
    assert missing_ml > 150
    assert found.volume_ml == pytest.approx(missing_ml, rel=0.15)
    assert restored.sum() == pytest.approx(true.sum(), rel=0.02)
    # Rays along the rows and the columns: their integrals count, and no seam is left at the field's edge.
    for axis in (1, 2):
        deficit = (true - restored).sum(axis=axis) * ONTO.spacing_mm[axis] / 10
        assert np.abs(deficit[2:-2]).mean() < 0.02 * true.sum(axis=axis).max() * ONTO.spacing_mm[axis] / 10
    inside = true > 0.999 * water
    assert np.quantile(restored[inside] / true[inside], 0.01) > 0.9
    assert restored.max() < 1.1 * true.max()


def test_a_whole_body_is_left_alone_and_bad_counts_complete_nothing() -> None:
    ct, whole = scan(circle=False)
    assert body_beyond_ct(whole, uncorrected(), ONTO, TURN, FWHM) is None
    without = body_beyond_ct(ct, None, ONTO, TURN, FWHM)
    assert without is not None
    assert without.part is None
    noise = Image(np.random.default_rng(0).random(ONTO.shape).astype(np.float32), ONTO)
    nothing = body_beyond_ct(ct, noise, ONTO, TURN, FWHM)
    assert nothing is not None
    assert nothing.part is None
    empty = body_beyond_ct(ct, Image(np.zeros(ONTO.shape, np.float32), ONTO), ONTO, TURN, FWHM)
    assert empty is not None
    assert empty.part is None
