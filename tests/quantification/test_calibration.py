"""The sensitivity of a camera from sources whose counts are known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from leukospect.data import AcquisitionHeader, EnergyWindow, Geometry, Image, PlanarImages
from leukospect.errors import AssumptionWarning, InputError
from leukospect.physics.nuclides import nuclide
from leukospect.quantification.calibration import (
    activity_at_start_mbq,
    cylinder_sensitivity,
    one_view,
    planar_sensitivity,
)

Float64 = NDArray[np.float64]
TC, IN = nuclide("Tc-99m"), nuclide("In-111")
PEAK, LOWER, UPPER = (EnergyWindow((limits,)) for limits in ((126.0, 154.0), (114.0, 126.0), (154.0, 166.0)))
SHAPE, PIXEL_MM = (60, 80), (4.0, 3.0)
SECONDS = 600.0
LAMBDA = np.log(2) / 21625.92


def spot(counts: float, row: float = 22.0, column: float = 51.0, sigma_mm: float = 6.0) -> Float64:
    y, x = np.indices(SHAPE, dtype=float)
    far = ((y - row) * PIXEL_MM[0]) ** 2 + ((x - column) * PIXEL_MM[1]) ** 2
    shape = np.exp(-far / (2 * sigma_mm**2))
    return np.asarray(counts * shape / shape.sum())


def planar(*views: Float64, windows: tuple[EnergyWindow, ...] = (PEAK,), names: tuple[str, ...] = ()) -> PlanarImages:
    """Views of one window, or of several where each view holds (windows, rows, columns)."""
    counts = np.stack([np.atleast_3d(view.T).T for view in views], axis=1)
    return PlanarImages(
        counts.astype(np.float32), windows, names or ("anterior", "posterior")[: len(views)], PIXEL_MM,
        np.full(len(views), SECONDS), AcquisitionHeader("STATIC"),
    )  # fmt: skip


def counted(cps_per_mbq: float, mbq: float) -> float:
    """Counts of a source that decays while it is counted."""
    return float(cps_per_mbq * mbq * (1 - np.exp(-LAMBDA * SECONDS)) / LAMBDA)


def test_a_point_source_over_background_gives_its_sensitivity() -> None:
    found = planar_sensitivity(planar(spot(counted(85.0, 40.0)) + 3.0), TC, 40.0)
    assert found.cps_per_mbq == pytest.approx(85.0, rel=1e-3)
    assert found.facts["anterior background counts/pixel"] == pytest.approx(3.0, rel=1e-3)
    assert found.parts["counting"] == pytest.approx(1 / np.sqrt(counted(85.0, 40.0)), rel=0.05)


def test_columns_beyond_the_detector_are_no_background() -> None:
    view = spot(counted(85.0, 40.0)) + 30.0
    view[:, :8] = view[:, -8:] = 0.0
    assert planar_sensitivity(planar(view), TC, 40.0).cps_per_mbq == pytest.approx(85.0, rel=1e-3)


@pytest.mark.parametrize(("row", "column"), [(22.0, 78.5), (0.0, 40.0)])
def test_a_source_that_the_field_may_cut_off_is_refused(row: float, column: float) -> None:
    with pytest.raises(InputError, match="reaches the edge"):
        planar_sensitivity(planar(spot(counted(85.0, 40.0), row, column) + 3.0), TC, 40.0)


def test_scatter_is_taken_off_by_its_windows() -> None:
    source, scatter = spot(counted(85.0, 40.0)), spot(50_000.0, sigma_mm=15.0)
    view = np.stack([source + scatter, 12 / 28 * scatter, 12 / 28 * scatter])
    three = planar(view, windows=(PEAK, LOWER, UPPER))
    found = planar_sensitivity(three, TC, 40.0)
    assert found.cps_per_mbq == pytest.approx(85.0, rel=1e-3)
    assert found.method.endswith("tew")
    uncorrected = planar_sensitivity(three, TC, 40.0, scatter="none")
    assert uncorrected.cps_per_mbq == pytest.approx(85.0 + 50_000 / counted(1.0, 40.0), rel=2e-3)
    assert found.parts["counting"] > uncorrected.parts["counting"]


def test_both_photopeaks_of_indium_count() -> None:
    low, high = EnergyWindow(((154.0, 188.0),)), EnergyWindow(((221.0, 270.0),))
    rate = np.log(2) / IN.half_life_s
    total = 60.0 * 25.0 * (1 - np.exp(-rate * SECONDS)) / rate
    view = np.stack([spot(0.6 * total), spot(0.4 * total)])
    found = planar_sensitivity(planar(view, windows=(low, high)), IN, 25.0)
    assert found.cps_per_mbq == pytest.approx(60.0, rel=1e-3)


def test_the_uncertainty_is_what_repeated_counting_scatters_by() -> None:
    random, mean = np.random.default_rng(5), spot(counted(85.0, 0.2)) + 0.5
    found = [planar_sensitivity(planar(random.poisson(mean).astype(float)), TC, 0.2) for _ in range(60)]
    values = np.array([one.cps_per_mbq for one in found])
    assert values.mean() == pytest.approx(85.0, rel=0.005)
    assert found[0].standard_uncertainty == pytest.approx(values.std(ddof=1), rel=0.35)


def test_the_uncertainty_of_the_activity_adds_in_quadrature() -> None:
    view = planar(spot(counted(85.0, 40.0)))
    plain = planar_sensitivity(view, TC, 40.0)
    more = planar_sensitivity(view, TC, 40.0, activity_uncertainty=0.03)
    expected = np.hypot(plain.standard_uncertainty, 0.03 * plain.cps_per_mbq)
    assert more.standard_uncertainty == pytest.approx(expected)


def test_two_heads_are_averaged_and_contradicting_ones_refused() -> None:
    strong, weak = spot(counted(86.0, 40.0)), spot(counted(84.0, 40.0), column=28.0)
    found = planar_sensitivity(planar(strong, weak), TC, 40.0)
    assert found.cps_per_mbq == pytest.approx(85.0, rel=1e-3)
    assert found.parts["difference of the views"] == pytest.approx(1 / 85, rel=0.02)
    behind_table = planar(strong, 0.8 * strong)
    with pytest.raises(InputError, match=r"anterior 86\.0, posterior 68\.8 cps/MBq.*--view"):
        planar_sensitivity(behind_table, TC, 40.0)
    assert planar_sensitivity(one_view(behind_table, "posterior"), TC, 40.0).cps_per_mbq == pytest.approx(
        68.8, rel=1e-3
    )


def test_a_view_is_taken_by_its_name() -> None:
    both = planar(spot(1e4), spot(2e4))
    assert one_view(both, None) is both
    np.testing.assert_array_equal(one_view(both, "posterior").counts, both.counts[:, 1:])
    with pytest.raises(InputError, match="'anterior', 'posterior'"):
        one_view(both, "lateral")


def test_a_flood_has_no_background_and_says_so() -> None:
    flood = np.full(SHAPE, counted(85.0, 40.0) / np.prod(SHAPE))
    with pytest.warns(AssumptionWarning, match="fills the anterior view"):
        found = planar_sensitivity(planar(flood), TC, 40.0)
    assert found.cps_per_mbq == pytest.approx(85.0, rel=1e-3)


def test_a_view_without_a_source_is_refused() -> None:
    with pytest.raises(InputError, match="no counts"):
        planar_sensitivity(planar(np.zeros(SHAPE)), TC, 40.0)
    three = planar(np.stack([spot(1e4), spot(1e4), spot(1e4)]), windows=(PEAK, LOWER, UPPER))
    with pytest.raises(InputError, match="no source above its background"):
        planar_sensitivity(three, TC, 40.0)


@pytest.mark.parametrize(("hours", "left"), [(6.0072, 0.5), (-6.0072, 2.0), (0.0, 1.0), (60.0, 2 ** (-60 / 6.0072))])
def test_the_activity_decays_to_the_start_of_the_acquisition(hours: float, left: float) -> None:
    assert activity_at_start_mbq(100.0, hours, TC) == pytest.approx(100.0 * left, rel=1e-6)


def test_an_impossible_activity_or_a_far_assay_is_refused() -> None:
    for activity in (0.0, -3.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match="more than 0 MBq"):
            activity_at_start_mbq(activity, 1.0, TC)
    with pytest.raises(InputError, match=r"10\.2 half-lives of Tc-99m before the acquisition"):
        activity_at_start_mbq(100.0, 61.0, TC)
    with pytest.raises(InputError, match=r"10\.2 half-lives of Tc-99m after the acquisition"):
        activity_at_start_mbq(100.0, -61.0, TC)
    assert activity_at_start_mbq(100.0, 61.0, IN) > 50


def cylinder(level: float = 4.0, noise: float = 0.0, radius_mm: float = 95.0) -> tuple[Image, float]:
    """An upright cylinder, off the centre, at 10 mm resolution; its volume in mL."""
    geometry = Geometry.axial((50, 56, 60), (5.0, 4.5, 4.5), (-120.0, -130.0, -130.0))
    k, j, i = np.meshgrid(*(np.arange(size, dtype=float) for size in geometry.shape), indexing="ij")
    x, y, z = np.moveaxis(geometry.to_lps(np.stack([k, j, i], axis=-1)), -1, 0)
    inside = (np.hypot(x - 6, y + 4) < radius_mm) & (np.abs(z - 3) < 80)
    sharp = level * inside.astype(float)
    seen = gaussian_filter(sharp, [10 / 2.355 / spacing for spacing in geometry.spacing_mm])
    seen += noise * level * np.random.default_rng(2).normal(size=seen.shape) * inside
    return Image(seen.astype(np.float32), geometry, "counts/s/mL"), float(inside.sum()) * geometry.voxel_volume_ml


def test_a_uniform_cylinder_gives_rate_over_concentration() -> None:
    image, volume_ml = cylinder()
    found, region = cylinder_sensitivity(image, activity_mbq=200.0, volume_ml=volume_ml)
    assert found.cps_per_mbq == pytest.approx(4.0 / (200.0 / volume_ml), rel=2e-3)
    assert found.facts["object mL"] == pytest.approx(volume_ml, rel=0.03)
    assert found.facts["region mL"] == pytest.approx(np.pi * 6.5**2 * 10, rel=0.08)
    assert region.shape == image.geometry.shape


def test_noise_shows_in_the_uncertainty() -> None:
    image, volume_ml = cylinder(noise=0.3)
    found, region = cylinder_sensitivity(image, 200.0, volume_ml, activity_uncertainty=0.02)
    statistical = found.parts["counting and uniformity"]
    assert statistical == pytest.approx(0.3 / np.sqrt(region.sum()), rel=0.7)
    assert found.cps_per_mbq == pytest.approx(4.0 / (200.0 / volume_ml), rel=0.01)
    assert found.standard_uncertainty == pytest.approx(found.cps_per_mbq * np.hypot(statistical, 0.02))


def test_a_volume_that_does_not_fit_is_said_and_a_small_object_refused() -> None:
    image, volume_ml = cylinder()
    with pytest.warns(AssumptionWarning, match=r"measures \d+ mL, not the \d+ mL told"):
        cylinder_sensitivity(image, 200.0, round(1.4 * volume_ml))
    with pytest.raises(InputError, match="20 mL lie 30 mm inside its edge"):
        cylinder_sensitivity(cylinder(radius_mm=34.0)[0], 200.0, 500.0)
    with pytest.raises(InputError, match="more than 0 mL"):
        cylinder_sensitivity(image, 200.0, 0.0)
    with pytest.raises(InputError, match="shows no object"):
        cylinder_sensitivity(Image(np.zeros(image.geometry.shape, np.float32), image.geometry), 200.0, 500.0)
