"""Planar views: where a region falls, its rate, and the decay corrections."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.data import AcquisitionHeader, EnergyWindow, Geometry, PlanarImages, Radiopharmaceutical
from leukospect.errors import AssumptionWarning, GeometryError, InputError, MissingInformationError
from leukospect.physics.nuclides import nuclide
from leukospect.quantification.planar import measure_planar, planar_thresholds, project_regions
from leukospect.quantification.regions import RegionDefinition, Sphere, rasterise

HALF_LIFE_S = nuclide("Tc-99m").half_life_s
INJECTED = datetime(2020, 1, 1, 8, 0, tzinfo=UTC)
ROWS, COLUMNS = 60, 48
PIXEL_MM = (4.0, 5.0)


def planar(
    counts: NDArray[np.float64] | None = None,
    *,
    hours: float | None = 4.0,
    duration_s: float = 600.0,
    corrections: tuple[str, ...] = (),
    frame: str | None = "1.2.3",
    placed: bool = True,
) -> PlanarImages:
    """Make an anterior and a posterior view of rows and columns with different steps."""
    header = AcquisitionHeader(
        "STATIC",
        start=None if hours is None else INJECTED + timedelta(hours=hours),
        radiopharmaceutical=Radiopharmaceutical("Tc-99m", injection_time=INJECTED),
        corrections=corrections,
        frame_of_reference_uid=frame,
    )
    first = np.array([[-110.0, -200.0, 120.0], [125.0, 200.0, 120.0]])
    return PlanarImages(
        counts=(np.zeros((1, 2, ROWS, COLUMNS)) if counts is None else counts).astype(np.float32),
        energy_windows=(EnergyWindow(((130.0, 151.0),)),),
        view_names=("anterior", "posterior"),
        pixel_mm=PIXEL_MM,
        view_duration_s=np.array([duration_s, duration_s]),
        header=header,
        first_pixel_mm=first if placed else None,
    )


GRID = Geometry.axial((40, 30, 45), (-4.0, 5.0, 4.5), (-100.0, -70.0, 90.0), "1.2.3")
PLATE = RegionDefinition("plate", "lesion", "marrow", (Sphere((-52.0, 20.0, 34.0), 20.0),))
# Behind the plate in part, deeper in the body.
MARROW = RegionDefinition("marrow", "reference", "", (Sphere((-22.0, -30.0, 34.0), 20.0),))
LABELS, REGIONS = rasterise([PLATE, MARROW], GRID)


@pytest.mark.parametrize(("view", "first_x", "sign"), [(0, -110.0, 1.0), (1, 125.0, -1.0)])
def test_a_region_falls_where_the_view_sees_it(view: int, first_x: float, sign: float) -> None:
    mask = project_regions(LABELS, REGIONS, planar(), view)["plate"]
    row, column = np.argwhere(mask).mean(axis=0)
    assert first_x + sign * column * PIXEL_MM[1] == pytest.approx(-52.0, abs=1.5)
    assert 120.0 - row * PIXEL_MM[0] == pytest.approx(34.0, abs=1.5)
    assert mask.sum() * math.prod(PIXEL_MM) == pytest.approx(math.pi * 20.0**2, rel=0.12)
    # The anterior view shows the patient's right on its left, the posterior one on its right.
    assert (column < (COLUMNS - 1) / 2) == (view == 0)


def test_references_leave_out_the_lesions_pixels() -> None:
    masks = project_regions(LABELS, REGIONS, planar(), 0)
    assert not np.any(masks["plate"] & masks["marrow"])
    assert masks["marrow"].sum() < masks["plate"].sum()


def test_regions_that_a_view_does_not_show_are_left_out_and_told() -> None:
    far = RegionDefinition("far", "lesion", "", (Sphere((85.0, 0.0, -50.0), 10.0),))
    labels, regions = rasterise([far], GRID)
    narrow = planar(np.zeros((1, 2, 20, 20)))
    with pytest.warns(AssumptionWarning, match="'far' lies outside the anterior view"):
        assert project_regions(labels, regions, narrow, 0) == {}


def test_a_view_of_another_frame_of_reference_is_told() -> None:
    with pytest.warns(AssumptionWarning, match="another frame of reference"):
        project_regions(LABELS, REGIONS, planar(frame="9.9"), 0)


def test_views_that_cannot_be_projected_onto_are_refused() -> None:
    with pytest.raises(MissingInformationError, match="do not say where they lie"):
        project_regions(LABELS, REGIONS, planar(placed=False), 0)
    with pytest.raises(InputError, match="no view 2"):
        project_regions(LABELS, REGIONS, planar(), 2)
    lateral = planar()
    object.__setattr__(lateral, "view_names", ("left lateral", "posterior"))
    with pytest.raises(GeometryError, match="left lateral"):
        project_regions(LABELS, REGIONS, lateral, 0)


def counts_image() -> tuple[NDArray[np.float64], dict[str, NDArray[np.bool_]]]:
    counts = np.zeros((1, 2, ROWS, COLUMNS))
    counts[0, 1, 10, 20:24] = 100.0, 400.0, 200.0, 50.0
    mask = np.zeros((ROWS, COLUMNS), dtype=bool)
    mask[10, 20:24] = True
    return counts, {"plate": mask}


def test_rates_are_decay_corrected_over_the_frame_and_to_the_injection() -> None:
    counts, masks = counts_image()
    (result,) = measure_planar(
        planar(counts, hours=24.0, duration_s=1200.0), 0, masks, view=1, time_point="late", half_life_s=HALF_LIFE_S
    )
    decay = math.log(2) / HALF_LIFE_S
    # Counting a decaying source of rate r at injection gives r (1 - exp(-lambda T)) / lambda exp(-lambda t) counts.
    per_count = decay / (1 - math.exp(-decay * 1200.0)) * math.exp(decay * 86400.0)
    assert result.mean.value == pytest.approx(750.0 / 4 * per_count, rel=1e-6)
    assert result.mean.standard_deviation == pytest.approx(math.sqrt(750.0) / 4 * per_count, rel=1e-6)
    assert result.raw_mean == pytest.approx(750.0 / 4 / 1200.0 * 1.0194, rel=1e-4)
    assert result.maximum == pytest.approx(400.0 * per_count, rel=1e-6)
    assert result.hottest_mm == pytest.approx((125.0 - 21 * 5.0, 200.0, 120.0 - 10 * 4.0))
    assert result.size == pytest.approx(2 * 0.20)
    assert (result.modality, result.unit, result.size_unit) == ("planar posterior", "counts/s/pixel", "cm2")
    assert result.hours == pytest.approx(24.0)


def test_a_camera_that_corrected_for_decay_is_not_corrected_again() -> None:
    counts, masks = counts_image()
    with pytest.warns(AssumptionWarning, match="corrected the planar counts for decay"):
        (result,) = measure_planar(
            planar(counts, duration_s=1200.0, corrections=("DECY",)),
            0,
            masks,
            view=1,
            time_point="delayed",
            half_life_s=HALF_LIFE_S,
        )
    assert result.raw_mean == pytest.approx(750.0 / 4 / 1200.0)


def test_without_an_injection_time_rates_refer_to_the_acquisition() -> None:
    counts, masks = counts_image()
    (result,) = measure_planar(planar(counts, hours=None), 0, masks, view=1, time_point="late", half_life_s=HALF_LIFE_S)
    assert math.isnan(result.hours)
    assert result.mean.value == result.raw_mean


def test_areas_at_two_times_share_one_threshold() -> None:
    counts, masks = counts_image()
    late = planar(counts, hours=24.0)
    thresholds = planar_thresholds(late, 0, masks, view=1, half_life_s=HALF_LIFE_S, fraction=0.4)
    (at_late,) = measure_planar(
        late, 0, masks, view=1, time_point="late", half_life_s=HALF_LIFE_S, thresholds=thresholds
    )
    # As many counts four hours after injection are a tenth of the uptake.
    (at_delayed,) = measure_planar(
        planar(counts), 0, masks, view=1, time_point="delayed", half_life_s=HALF_LIFE_S, thresholds=thresholds
    )
    assert at_late.size == pytest.approx(0.40)
    assert at_delayed.size == 0.0


def test_masks_that_do_not_fit_are_refused() -> None:
    counts, _ = counts_image()
    empty = {"plate": np.zeros((ROWS, COLUMNS), dtype=bool)}
    with pytest.raises(InputError, match="'plate' is empty"):
        measure_planar(planar(counts), 0, empty, view=1, time_point="late", half_life_s=HALF_LIFE_S)
    with pytest.raises(InputError, match="not 3 and 1"):
        measure_planar(planar(counts), 3, empty, view=1, time_point="late", half_life_s=HALF_LIFE_S)
