"""Lesions found in an asymmetric body, and their mirrors."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.data import Geometry, Image
from leukospect.errors import AssumptionWarning, GeometryError, InputError
from leukospect.quantification.foci import Focus
from leukospect.quantification.lesions import find_candidates, find_lesions
from leukospect.quantification.mirror import body_outline, midline_x_mm

SHAPE = (40, 44, 64)
# The body's midline lies at x = 24 mm, far from the middle of the grid and from x = 0.
MIDLINE_MM = 24.0


def geometry(spacing_k: float = -4.0) -> Geometry:
    return Geometry.axial(SHAPE, (spacing_k, 4.5, 5.0), (-130.0, -95.0, 100.0 if spacing_k < 0 else -60.0), "1.2.3")


def points(grid: Geometry) -> NDArray[np.float64]:
    return grid.to_lps(np.moveaxis(np.indices(grid.shape), 0, -1))


def body_of(grid: Geometry) -> NDArray[np.bool_]:
    x, y, _ = np.moveaxis(points(grid), -1, 0)
    return np.asarray(((x - MIDLINE_MM) / 120) ** 2 + (y / 75) ** 2 <= 1)


def sphere(grid: Geometry, center: tuple[float, float, float], radius: float) -> NDArray[np.bool_]:
    return np.asarray(np.linalg.norm(points(grid) - center, axis=-1) <= radius)


def late_image(grid: Geometry, *lesions: tuple[tuple[float, float, float], float, float]) -> Image:
    uptake = body_of(grid).astype(np.float64)
    for center, radius, value in lesions:
        uptake[sphere(grid, center, radius)] = value
    blurred = ndimage.gaussian_filter(uptake, 10.0 / 2.355 / np.asarray(grid.spacing_mm))
    noisy = np.random.default_rng(5).gamma(100.0, 0.01, size=SHAPE) * blurred
    return Image(noisy.astype(np.float32), grid, "counts/s/mL")


@pytest.mark.parametrize("spacing_k", [-4.0, 4.0])
def test_lesions_are_found_hottest_first_with_their_sides_and_mirrors(spacing_k: float) -> None:
    grid = geometry(spacing_k)
    # x = 10 mm is the patient's right of a midline at 24 mm, though x is positive.
    hot, warm = (-16.0, 20.0, 12.0), (84.0, -15.0, -10.0)
    late = late_image(grid, (warm, 16.0, 8.0), (hot, 17.0, 20.0))
    labels, regions = find_lesions(late, body=body_of(grid))
    assert [region.name for region in regions] == [
        "lesion 1 (right)",
        "lesion 2 (left)",
        "mirror of lesion 1 (right)",
        "mirror of lesion 2 (left)",
    ]
    assert regions[0].centroid_mm == pytest.approx(hot, abs=2.5)
    assert regions[1].centroid_mm == pytest.approx(warm, abs=2.5)
    for first, mirror in ((regions[0], regions[2]), (regions[1], regions[3])):
        assert first.reference == mirror.name
        assert mirror.role == "reference"
        assert mirror.side != first.side
        x, y, z = first.centroid_mm
        # The outline is known to half a voxel on either side, the midline as well, the mirror to one.
        assert mirror.centroid_mm == pytest.approx((2 * MIDLINE_MM - x, y, z), abs=5.0)
        assert mirror.volume_ml == pytest.approx(first.volume_ml, rel=0.1)
    assert labels.array.max() == 4


def test_the_side_is_the_body_s_not_the_scanner_s() -> None:
    grid = geometry()
    _, regions = find_lesions(late_image(grid, ((6.0, 0.0, 10.0), 12.0, 20.0)), body=body_of(grid))
    assert regions[0].centroid_mm[0] > 0
    assert regions[0].side == "right"


def test_one_lesion_with_two_hot_places_is_one() -> None:
    grid = geometry()
    late = late_image(grid, ((-40.0, 0.0, 20.0), 12.0, 20.0), ((-40.0, 0.0, 0.0), 12.0, 19.0))
    _, regions = find_lesions(late, body=body_of(grid))
    assert [region.role for region in regions] == ["lesion", "reference"]


def test_a_weak_lesion_does_not_run_out_into_the_body() -> None:
    grid = geometry()
    late = late_image(grid, ((-36.0, 0.0, 12.0), 18.0, 4.0))
    _, (lesion, _) = find_lesions(late, body=body_of(grid), relative_threshold=0.3)
    assert lesion.volume_ml == pytest.approx(4 / 3 * np.pi * 1.8**3, rel=0.5)


def test_the_slope_of_a_hotter_lesion_is_not_part_of_a_weaker_one() -> None:
    grid = geometry()
    weak = (-40.0, 0.0, -24.0)
    late = late_image(grid, ((-40.0, 0.0, 12.0), 16.0, 100.0), (weak, 14.0, 12.0))
    _, regions = find_lesions(late, body=body_of(grid))
    lesions = [region for region in regions if region.role == "lesion"]
    assert len(lesions) == 2
    assert lesions[1].centroid_mm == pytest.approx(weak, abs=6.0)
    assert lesions[1].volume_ml < 2 * 4 / 3 * np.pi * 1.4**3


def test_nothing_that_stands_out_gives_no_region() -> None:
    grid = geometry()
    labels, regions = find_lesions(late_image(grid), body=body_of(grid))
    assert regions == ()
    assert not np.any(labels.array)


def test_small_and_surplus_lesions_are_left_out() -> None:
    grid = geometry()
    late = late_image(grid, ((-16.0, 20.0, 12.0), 17.0, 20.0), ((84.0, -15.0, -10.0), 16.0, 9.0))
    with pytest.warns(AssumptionWarning, match="2 foci were found, and the 1 hottest"):
        _, regions = find_lesions(late, body=body_of(grid), maximum_lesions=1)
    assert [region.role for region in regions] == ["lesion", "reference"]
    _, none = find_lesions(late, body=body_of(grid), minimum_volume_ml=500.0)
    assert none == ()


def test_lesions_opposite_each_other_have_no_mirror() -> None:
    grid = geometry()
    late = late_image(grid, ((-36.0, 0.0, 12.0), 16.0, 20.0), ((84.0, 0.0, 12.0), 16.0, 19.0))
    with pytest.warns(AssumptionWarning, match="no free mirror"):
        _, regions = find_lesions(late, body=body_of(grid))
    assert [(region.role, region.reference) for region in regions] == [("lesion", ""), ("lesion", "")]


def test_a_mirror_stays_inside_the_body_and_off_other_regions() -> None:
    grid = geometry()
    body = body_of(grid)
    # The back half of what lies opposite is not body.
    x, y, _ = np.moveaxis(points(grid), -1, 0)
    body[(x > 55) & (x < 115) & (y > 0)] = False
    labels, regions = find_lesions(late_image(grid, ((-36.0, 0.0, 12.0), 20.0, 20.0)), body=body)
    assert np.all(body[labels.array == regions[1].label])
    assert regions[1].volume_ml == pytest.approx(0.5 * regions[0].volume_ml, rel=0.15)
    assert regions[1].centroid_mm[1] < -4.0


def test_a_missing_body_is_estimated_and_told() -> None:
    grid = geometry()
    late = late_image(grid, ((-36.0, 0.0, 12.0), 16.0, 20.0))
    estimated = body_outline(late)
    body = body_of(grid)
    assert np.count_nonzero(estimated & body) / np.count_nonzero(estimated | body) > 0.85
    assert midline_x_mm(estimated, grid) == pytest.approx(MIDLINE_MM, abs=3.0)
    with pytest.warns(AssumptionWarning, match="outline was estimated"):
        _, regions = find_lesions(late, body=None)
    assert regions[0].side == "right"


def test_the_midline_follows_a_leaning_body_and_fills_empty_slices() -> None:
    grid = geometry()
    body = np.zeros(SHAPE, dtype=bool)
    for k in range(6, 40):
        body[k, 10:30, 10 + k // 4 : 41 + k // 4] = True
    midline = midline_x_mm(body, grid)
    expected = -130.0 + 5.0 * (25 + np.arange(40) // 4)
    assert midline[10:36] == pytest.approx(expected[10:36], abs=5.0)
    assert np.all(midline[:6] == midline[6])


def test_what_cannot_be_mirrored_is_refused() -> None:
    grid = geometry()
    with pytest.raises(InputError, match="empty"):
        midline_x_mm(np.zeros(SHAPE, dtype=bool), grid)
    sagittal = np.array([[4.0, 0, 0, 0], [0, 4.0, 0, 0], [0, 0, 4.0, 0], [0, 0, 0, 1]])
    with pytest.raises(GeometryError, match="axial"):
        midline_x_mm(np.ones(SHAPE, dtype=bool), Geometry(SHAPE, sagittal))
    with pytest.raises(InputError, match="not finite"):
        find_lesions(Image(np.full(SHAPE, np.nan, dtype=np.float32), grid), body=body_of(grid))
    with pytest.raises(InputError, match="no uptake"):
        find_lesions(Image(np.zeros(SHAPE, dtype=np.float32), grid), body=body_of(grid))


LARGE_AT, SMALL_AT = (54.0, 5.0, 10.0), (54.0, 5.0, -14.0)


@pytest.mark.parametrize(
    ("contrast", "growth", "to_noise", "found"),
    [(4.5, 1.0, 12.0, True), (2.6, 1.9, 12.0, True), (2.6, 1.0, 12.0, False), (4.5, 1.0, 6.0, False)],
    ids=["far hotter", "another course", "like it", "not sure"],
)
def test_a_focus_within_a_larger_one_is_one_by_itself_where_that_is_sure(
    monkeypatch: pytest.MonkeyPatch, contrast: float, growth: float, to_noise: float, found: bool
) -> None:
    grid = geometry()
    image = late_image(grid, (LARGE_AT, 24.0, 3.0), (SMALL_AT, 10.0, 6.0))

    def index(place: tuple[float, float, float]) -> tuple[int, int, int]:
        k, j, i = (round(float(n)) for n in grid.to_index(place))
        return k, j, i

    large = Focus(index(LARGE_AT), 11.3, 1.0, 2.5, 18.0, 0.0, growth=1.0, growth_error=0.1)
    small = Focus(index(SMALL_AT), 5.6, 1.0, contrast, to_noise, 0.0, growth=growth, growth_error=0.1, hidden=True)
    monkeypatch.setattr("leukospect.quantification.lesions.find_foci", lambda *_, **__: (large, small))
    _, regions = find_candidates(image, body=body_of(grid))
    own = [region for region in regions if region.finding is not None and region.finding.scale_mm == small.scale_mm]
    assert bool(own) == found
    for region in own:
        assert np.linalg.norm(np.subtract(region.centroid_mm, SMALL_AT)) < 10.0
        assert region.volume_ml < 15.0  # a ball of 10 mm has 4 mL, the one of 24 mm 58 mL
