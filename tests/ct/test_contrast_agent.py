"""Contrast agent is told from bone by what it is, not by its CT number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from leukospect.ct.body import body_outline
from leukospect.ct.coefficients import KnownMatter, coefficients_of_ct
from leukospect.ct.contrast_agent import find_contrast_agent
from leukospect.data import Geometry, Image
from leukospect.dicom.read.ct import read_ct
from leukospect.physics.attenuation import water_mu_per_cm

SHAPE, SPACING = (24, 150, 170), (3.0, 1.5, 1.4)


def trunk() -> tuple[NDArray[np.float64], tuple[NDArray[np.float64], ...]]:
    """Give a trunk of muscle with a vertebra (shell, spongiosa, process), and its coordinates (z, y, x), mm."""
    z, y, x = np.meshgrid(
        *[(np.arange(n) - (n - 1) / 2) * s for n, s in zip(SHAPE, SPACING, strict=True)], indexing="ij"
    )
    hu = np.where((x / 105) ** 2 + (y / 80) ** 2 < 1, 45.0, -1000.0)
    hu[np.hypot(x - 4, y - 45) < 21] = 700
    hu[np.hypot(x - 4, y - 45) < 18] = 260
    hu[(np.abs(x - 4) < 5) & (y > 60) & (y < 76)] = 600
    return hu, (z, y, x)


def scanned(hu: NDArray[np.float64]) -> Image:
    blurred = gaussian_filter(hu, [0.3, 0.7, 0.7]) + np.random.default_rng(3).normal(0, 20, hu.shape)
    return Image(blurred.astype(np.float32), Geometry.axial(SHAPE, SPACING, (0, 0, 0)), "HU")


def test_bone_is_no_contrast_agent() -> None:
    ct = scanned(trunk()[0])
    found = find_contrast_agent(ct, body_outline(ct))
    assert (found.pools, found.volume_ml) == (0, 0.0)


@pytest.mark.parametrize("pool_hu", [260.0, 500.0])
def test_pools_are_found_with_their_volume(pool_hu: float) -> None:
    hu, (z, y, x) = trunk()
    vessel = np.hypot(x + 30, y - 20) < 12
    bladder = (z / 30) ** 2 + ((y + 30) / 28) ** 2 + ((x - 35) / 35) ** 2 < 1
    hu[vessel | bladder] = pool_hu
    ct = scanned(hu)
    found = find_contrast_agent(ct, body_outline(ct))
    true = vessel | bladder
    overlap = 2 * np.count_nonzero(found.mask & true) / (np.count_nonzero(found.mask) + np.count_nonzero(true))
    assert found.pools == 2
    assert overlap > 0.9
    assert found.volume_ml == pytest.approx(true.sum() * ct.geometry.voxel_volume_ml, rel=0.15)
    assert found.mean_hu == pytest.approx(pool_hu, rel=0.1)
    mu = coefficients_of_ct(ct, 120.0, 140.511, known=KnownMatter(water=found.mask))
    np.testing.assert_allclose(mu[found.mask], water_mu_per_cm(140.511), rtol=1e-6)


def test_even_compact_bone_is_none() -> None:
    hu, (_, y, x) = trunk()
    hu[np.hypot(x + 30, y - 20) < 12] = 1150.0
    ct = scanned(hu)
    assert find_contrast_agent(ct, body_outline(ct)).pools == 0


def test_metal_and_what_is_beside_it_are_none() -> None:
    hu, (_, y, x) = trunk()
    hu[np.hypot(x + 30, y - 20) < 12] = 2900
    ct = scanned(hu)
    assert find_contrast_agent(ct, body_outline(ct), np.asarray(ct.array) > 2500).pools == 0


@pytest.mark.real_data
@pytest.mark.parametrize("folder", ["ct/siemens_mct_abdomen", "ct_pet/ct"])
@pytest.mark.filterwarnings("ignore::leukospect.errors.AssumptionWarning")
def test_bones_of_patients_are_none(real_data: Path, folder: str) -> None:
    ct = read_ct(real_data / folder)
    assert find_contrast_agent(ct.image, body_outline(ct.image)).pools == 0
