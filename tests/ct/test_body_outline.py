"""The outline holds the whole chest, however thin its wall, and neither couch nor the air beside an arm."""

from __future__ import annotations

import numpy as np
import pytest

from leukospect.ct.body import body_outline
from leukospect.data import Geometry, Image

GRID = Geometry.axial((5, 150, 220), (3.0, 2.0, 2.0), (-219.0, -149.0, 0.0))


@pytest.mark.parametrize("lung_hu", [-880.0, -650.0])
def test_lungs_behind_a_thin_wall_are_inside_and_couch_and_air_are_not(lung_hu: float) -> None:
    y, x = np.meshgrid(-149.0 + 2.0 * np.arange(150), -219.0 + 2.0 * np.arange(220), indexing="ij")
    trunk = (x / 130.0) ** 2 + (y / 90.0) ** 2 < 1
    # The wall is 8 mm thick at the side, thinner than the opening leaves anything.
    lungs = ((np.abs(x) - 68.0) / 54.0) ** 2 + (y / 62.0) ** 2 < 1
    arm = ((x - 172.0) / 32.0) ** 2 + ((y - 54.0) / 32.0) ** 2 < 1
    couch = (np.abs(x) < 210.0) & (np.abs(y - 106.0) < 18.0)
    foam = (np.abs(x) < 206.0) & (np.abs(y - 106.0) < 14.0)
    hu = np.full(x.shape, -1000.0)
    hu[couch], hu[foam] = -100.0, -960.0
    hu[trunk | arm], hu[lungs] = 40.0, lung_hu
    noise = np.random.default_rng(1).normal(0.0, 15.0, (5, *x.shape))
    outline = body_outline(Image((hu + noise).astype(np.float32), GRID, "HU"))
    assert outline[:, lungs].mean() > 0.99
    assert outline[:, trunk].mean() > 0.97
    assert outline[:, foam & ~trunk & ~arm].mean() < 0.05
    between = (x > 125.0) & (x < 145.0) & (np.abs(y - 75.0) < 10.0) & ~trunk & ~arm
    assert between.sum() > 20
    assert outline[:, between].mean() < 0.1
