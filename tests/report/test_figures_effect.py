"""The picture of the effect of metal: at the slice with most of it, wherever the CT lies, with the change as made."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.data import Geometry, Image
from leukospect.report.content import ReportContent, SpectPictures
from leukospect.report.figures_effect import metal_effect, metal_on_spect
from leukospect.report.figures_plates import spect_plates

GRID = Geometry.axial((7, 12, 16), (5.0, 4.0, 4.0), (-30.0, -22.0, -10.0))
CT = Geometry.axial((20, 40, 50), (2.0, 1.3, 1.3), (-32.0, -25.0, -12.0))
SHIFT_MM = np.array([3.0, -2.0, 5.0])


def pictures(metal_mm: tuple[float, float, float] = (-8.0, 4.0, 12.0)) -> SpectPictures:
    """Make metal at a place of the SPECT; the CT lies elsewhere, and uptake is a quarter more with it as scanned."""
    to_ct = np.eye(4)
    to_ct[:3, 3] = SHIFT_MM
    metal = np.zeros(CT.shape, np.uint8)
    k, j, i = np.rint(CT.to_index(np.array(metal_mm) + SHIFT_MM)).astype(int)
    metal[k, j - 1 : j + 2, i - 1 : i + 2] = 1
    hu, mu = Image(np.zeros(CT.shape, np.int16), CT, "HU"), np.zeros(GRID.shape, np.float32)
    mu[:, 2:10, 2:14] = 0.15
    uptake = np.where(mu > 0, 2.0, 0.0).astype(np.float32)
    return SpectPictures(
        "late", 24.0, Image(uptake, GRID, "counts/s/mL"), ct=hu, ct_reduced=hu, metal=Image(metal, CT),
        spect_to_ct=to_ct, mu_map=Image(mu, GRID, "1/cm"),
        mu_map_as_scanned=Image(mu * np.float32(1.2), GRID, "1/cm"),
        recon_as_scanned=Image(uptake * np.float32(1.25), GRID, "counts/s/mL"),
    )  # fmt: skip


def values(pictures: SpectPictures) -> list[NDArray[Any]]:
    figure, _ = metal_effect(pictures)
    shown: list[Any] = [axes.images[0].get_array() for axes in figure.axes if axes.images and axes.texts]
    return [np.ma.filled(each, np.nan) for each in shown]


def test_metal_is_carried_to_the_spect_and_none_is_lost() -> None:
    made = pictures()
    there = metal_on_spect(made, GRID)
    assert there.sum() == pytest.approx(9 * CT.voxel_volume_ml, rel=1e-5)
    heaviest = np.unravel_index(int(there.argmax()), there.shape)
    np.testing.assert_allclose(GRID.to_lps(heaviest), (-8.0, 4.0, 12.0), atol=4.0)


def test_the_slice_with_most_metal_is_shown_with_what_changes() -> None:
    made = pictures()
    _, z_mm = metal_effect(made)
    assert abs(z_mm - 12.0) <= 2.5
    scanned, reduced, difference, change = values(made)
    assert float(np.nanmax(difference)) == pytest.approx(0.2 * 0.15, rel=1e-4)
    assert float(np.nanmax(scanned)) == pytest.approx(1.2 * float(np.nanmax(reduced)), rel=1e-4)
    np.testing.assert_allclose(change[np.isfinite(change)], 25.0, rtol=1e-4)
    assert np.isnan(change).any()  # outside the body nothing is claimed


def test_the_report_has_it_only_where_it_was_made() -> None:
    made = pictures()
    titles = [plate.title for plate in spect_plates(ReportContent("a study", spect=(made,)))]
    assert titles.count("What the CT's metal does to the uptake") == 1
    bare = SpectPictures("late", 24.0, made.recon, ct=made.ct)
    assert "What the CT's metal does to the uptake" not in [
        plate.title for plate in spect_plates(ReportContent("a study", spect=(bare,)))
    ]
    with pytest.raises(ValueError, match="both CTs"):
        metal_effect(bare)
