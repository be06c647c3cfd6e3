"""Hard inputs through the command line: each gives the right answer, or exit 3 with one sentence and nothing written.

What is right: every value finite and none negative, the whole image projected back (by the slow model, which shares no
code with the program) has as many counts as were measured, as maximum likelihood has, and the ball lies in its place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import FileDataset

from leukospect import jobs
from leukospect.data import Projections
from tests.dicom.written import WINDOWS
from tests.hard_inputs import (
    BALL,
    BODY,
    LEAST,
    PIXEL_MM,
    RADIUS_MM,
    SIZE,
    VIEW_S,
    Bench,
    Float64,
    assert_ball_found,
    assert_explained,
    explained,
    measured,
    with_counts,
)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    # Most of a small run would be the report's pictures.
    monkeypatch.setattr(jobs, "write_report", lambda *_: None)
    (tmp_path / "b").mkdir()
    return Bench(tmp_path / "b")


# --- nothing is wrong ---


def test_a_plain_acquisition_is_explained_and_its_ball_found(bench: Bench) -> None:
    made = measured()
    image = bench.recon(bench.dicom(made), *LEAST).done()
    assert_explained(image, made)
    assert_ball_found(image)
    by_interfile = bench.recon(bench.interfile(made), *LEAST).done()
    assert_ball_found(by_interfile)
    np.testing.assert_allclose(by_interfile.array, image.array, rtol=1e-3, atol=1e-3 * image.array.max())


# --- counts ---


def test_no_counts_at_all_are_refused(bench: Bench) -> None:
    made = measured()
    assert "no counts" in bench.recon(bench.dicom(with_counts(made, 0 * made.counts)), *LEAST).refused()


def _counts_of_32_bits(counts: Float64) -> Callable[[FileDataset], None]:
    def change(dataset: FileDataset) -> None:
        dataset.BitsAllocated = dataset.BitsStored = 32
        dataset.HighBit = 31
        dataset.PixelData = counts.astype("<u4").tobytes()

    return change


def _with_a_hot_pixel(made: Projections) -> Float64:
    counts = made.counts.astype(np.float64)
    counts[0, 7, 3, 15] = 1e9
    return counts


def test_one_pixel_of_a_billion_counts_gives_no_impossible_value(bench: Bench) -> None:
    made = measured()
    image = bench.recon(bench.dicom(made, _counts_of_32_bits(_with_a_hot_pixel(made))), *LEAST).done()
    # Subsets without that pixel bring the total back to what the others measured.
    assert explained(image, made).sum() == pytest.approx(made.counts.sum(dtype=np.float64), rel=0.1)


def test_one_pixel_of_a_billion_counts_is_refused_or_said(bench: Bench) -> None:
    made = measured()
    tried = bench.recon(bench.dicom(made, _counts_of_32_bits(_with_a_hot_pixel(made))), *LEAST)
    if tried.code == 3:
        tried.refused()
        return
    assert "pixel" in tried.said or "counts" in tried.said


def test_one_pixel_of_a_billion_counts_is_explained_without_subsets(bench: Bench) -> None:
    made = measured()
    counts = _with_a_hot_pixel(made)
    image = bench.recon(bench.dicom(made, _counts_of_32_bits(counts)), *LEAST[:4], "--algorithm", "mlem").done()
    assert_explained(image, with_counts(made, counts), within=0.03)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
def test_counts_that_are_none_are_refused(bench: Bench, value: float) -> None:
    made = measured()
    values = made.counts[0].copy()
    values[3, 4, 5] = value
    bench.recon(bench.interfile(made, values), *LEAST).refused()


def test_a_single_count_gives_a_small_finite_image(bench: Bench) -> None:
    made = measured()
    counts = np.zeros_like(made.counts)
    counts[0, 5, 4, 12] = 1.0
    tried = bench.recon(bench.dicom(with_counts(made, counts)), *LEAST[:6], "--subsets", 1)
    assert_explained(tried.done(), with_counts(made, counts), within=0.05)


# --- views and subsets ---


def test_one_view(bench: Bench) -> None:
    made = measured(24)
    first = replace(
        made, counts=made.counts[:, :1], orbit=replace(made.orbit, angles_deg=made.orbit.angles_deg[:1],
        radii_mm=np.full(1, RADIUS_MM)), view_start_s=np.zeros(1), view_duration_s=np.full(1, VIEW_S),
    )  # fmt: skip
    path = bench.interfile(first)
    assert "--subsets" in bench.recon(path, *LEAST).refused()
    tried = bench.recon(path, *LEAST[:6], "--subsets", 1)
    assert_explained(tried.done(), first)
    assert "views from 1 angle only" in tried.said


def test_two_views_at_right_angles(bench: Bench) -> None:
    made = measured(4)
    two = replace(
        made, counts=made.counts[:, :2], orbit=replace(made.orbit, angles_deg=made.orbit.angles_deg[:2],
        radii_mm=np.full(2, RADIUS_MM)), view_start_s=made.view_start_s[:2], view_duration_s=np.full(2, VIEW_S),
    )  # fmt: skip
    tried = bench.recon(bench.dicom(two), *LEAST[:6], "--subsets", 1)
    image = tried.done()
    assert_explained(image, two)
    np.testing.assert_array_less(np.abs(explained(image, two) - two.counts[0]).mean(), 0.2 * two.counts[0].mean())


def test_more_subsets_than_views_are_refused(bench: Bench) -> None:
    made = measured(12)
    sentence = bench.recon(bench.dicom(made), *LEAST[:6], "--subsets", 13).refused()
    assert "12" in sentence
    assert "--subsets" in sentence


def test_as_many_subsets_as_views(bench: Bench) -> None:
    made = measured(12)
    image = bench.recon(bench.dicom(made), *LEAST[:6], "--subsets", 12).done()
    assert_explained(image, made, within=0.05)
    assert_ball_found(image)


def test_sixteen_subsets_of_120_views(bench: Bench) -> None:
    made = measured(120)
    path = bench.dicom(made)
    image = bench.recon(path, *LEAST[:6], "--subsets", 16).done()
    assert_explained(image, made)
    assert_ball_found(image)
    fifteen = bench.recon(path, *LEAST[:6], "--subsets", 15).done()
    assert np.linalg.norm(image.array - fifteen.array) < 0.05 * np.linalg.norm(fifteen.array)


def test_no_iterations_are_wrong_usage(bench: Bench) -> None:
    path = bench.dicom(measured(8))
    assert bench.recon(path, "--iterations", 0).code == 2
    assert bench.recon(path, "--subsets", 0).code == 2


def test_a_subset_whose_views_counted_nothing_does_not_empty_the_image(bench: Bench) -> None:
    """A camera that missed a view: the others tell where the activity is, or the sentence says what to do."""
    made = measured(12)
    counts = made.counts.copy()
    counts[0, 5] = 0.0
    tried = bench.recon(bench.dicom(with_counts(made, counts)), *LEAST[:6], "--subsets", 12)
    if tried.code == 3:
        assert "subset" in tried.refused()
        return
    image = tried.done()
    assert_ball_found(image, within=1.5)
    assert_explained(image, with_counts(made, counts), within=0.3)


# --- scatter windows ---


def test_empty_scatter_windows_correct_nothing(bench: Bench) -> None:
    made = measured()
    counts = np.concatenate([made.counts, np.zeros_like(made.counts), np.zeros_like(made.counts)])
    three = replace(made, counts=counts, energy_windows=WINDOWS)
    with_windows = bench.recon(bench.dicom(three), *LEAST[:2], "--scatter", "tew", *LEAST[4:]).done()
    without = bench.recon(bench.dicom(made), *LEAST).done()
    np.testing.assert_allclose(with_windows.array, without.array, rtol=1e-4, atol=1e-5 * without.array.max())


def test_more_scatter_than_counts_leaves_little_and_nothing_impossible(bench: Bench) -> None:
    made = measured()
    scatter = np.full_like(made.counts, 1e5)
    three = replace(made, counts=np.concatenate([made.counts, scatter, scatter]), energy_windows=WINDOWS)
    image = bench.recon(bench.dicom(three), *LEAST[:2], "--scatter", "tew", *LEAST[4:]).done()
    without = bench.recon(bench.dicom(made), *LEAST).done()
    assert image.array.sum() < 0.2 * without.array.sum()


# --- durations ---


def test_a_view_of_no_duration_is_not_divided_by(bench: Bench) -> None:
    made = measured()

    def change(dataset: FileDataset) -> None:
        dataset.RotationInformationSequence[0].ActualFrameDuration = 0

    tried = bench.recon(bench.dicom(made, change), *LEAST)
    if tried.code == 3:
        tried.refused()
        return
    assert "counts per view" in tried.said
    tried.done()


def test_a_negative_duration_is_refused(bench: Bench) -> None:
    bench.recon(bench.interfile(measured(8), time_s=-20.0), *LEAST).refused()


def test_an_endless_duration_is_refused(bench: Bench) -> None:
    bench.recon(bench.interfile(measured(8), time_s=1e10), *LEAST).refused()


# --- the orbit ---


def _with_radius(radius_mm: float) -> Callable[[FileDataset], None]:
    def change(dataset: FileDataset) -> None:
        dataset.DetectorInformationSequence[0].RadialPosition = f"{radius_mm:g}"
        dataset.RotationInformationSequence[0].RadialPosition = f"{radius_mm:g}"

    return change


@pytest.mark.parametrize("radius_mm", [0.5, 3.0, 30.0])
def test_a_detector_inside_the_body_is_refused_or_said(bench: Bench, radius_mm: float) -> None:
    """Most counts cannot come from before every detector: the image cannot be right, so it is not given in silence."""
    tried = bench.recon(bench.dicom(measured(), _with_radius(radius_mm)), *LEAST)
    if tried.code == 3:
        tried.refused()
        return
    tried.done()
    assert "adi" in tried.said, "neither refused nor said: radius or Radial Position"


@pytest.mark.parametrize("radius_mm", [1.5e3, 1e6])
def test_a_detector_far_away_is_refused_or_blurred_so(bench: Bench, radius_mm: float) -> None:
    tried = bench.recon(
        bench.dicom(measured(8), _with_radius(radius_mm)), *LEAST[:4], "--iterations", 1, "--subsets", 1
    )
    if tried.code == 3:
        tried.refused()
        return
    tried.done()
    assert "adi" in tried.said


def test_a_detector_far_away_is_refused_from_interfile_too(bench: Bench) -> None:
    path = bench.interfile(measured(2), radius_mm=1e4)
    bench.recon(path, *LEAST[:4], "--iterations", 1, "--subsets", 1).refused()


# --- sizes ---


def test_one_slice(bench: Bench) -> None:
    made = measured(size=(1, 24), pixel_mm=(30.0, 6.0))
    image = bench.recon(bench.dicom(made), *LEAST).done()
    assert image.array.shape == (24, 24, 1)
    x_and_y = image.places_mm()[..., :2]
    weights = np.maximum(image.array - 0.6 * image.array.max(), 0.0)
    centre = (weights[..., None] * x_and_y).sum(axis=(0, 1, 2)) / weights.sum()
    np.testing.assert_allclose(centre, BALL.centre_mm[:2], atol=4.0)


@pytest.mark.parametrize(
    "columns",
    [1, 2, 3, 4],
)
def test_a_column_or_a_few(bench: Bench, columns: int) -> None:
    made = measured(size=(9, columns), pixel_mm=(7.0, 60.0))
    tried = bench.recon(bench.dicom(made), *LEAST)
    if tried.code == 3:
        tried.refused()
        return
    image = tried.done()
    assert image.array.shape == (columns, columns, 9)
    assert image.array.sum() > 0


@pytest.mark.parametrize("pixel_mm", [(15.0, 6.0), (3.0, 6.0)])
def test_pixels_that_are_not_square(bench: Bench, pixel_mm: tuple[float, float]) -> None:
    made = measured(size=(round(60 / pixel_mm[0]), 24), pixel_mm=pixel_mm)
    image = bench.recon(bench.dicom(made), *LEAST).done()
    assert image.voxel_mm == pytest.approx([6.0, 6.0, pixel_mm[0]])
    # Of four rows the two at the ends, which lose too much in the program's model, are half.
    assert_explained(image, made, within=0.04)
    assert_ball_found(image)


# --- the attenuation map ---


def _map_values(size: tuple[int, int], voxel_mm: tuple[float, float]) -> tuple[Float64, Float64]:
    """Map of the body (i, j, k), and the place of its first voxel."""
    values = BODY.drawn(size, voxel_mm)[1].transpose(2, 1, 0)
    half = [(size[1] - 1) / 2 * voxel_mm[1]] * 2 + [(size[0] - 1) / 2 * voxel_mm[0]]
    return values, -np.array(half)


@pytest.mark.parametrize(
    ("value", "right"), [(np.nan, "refused"), (np.inf, "refused"), (-0.2, "refused"), (20.0, "refused"), (-0.002, "0")]
)
def test_an_attenuation_map_with_one_impossible_value(bench: Bench, value: float, right: str) -> None:
    path = bench.dicom(measured(12))
    values, first = _map_values(SIZE, PIXEL_MM)
    values[1, 1, 4] = 0.0
    expected = bench.recon(path, "--mu", bench.map(values, (6.0, 6.0, 7.0), first), *LEAST)
    expected.done()
    values[1, 1, 4] = value
    tried = bench.recon(path, "--mu", bench.map(values, (6.0, 6.0, 7.0), first), *LEAST)
    if right == "refused":
        assert "ttenuation map" in tried.refused()
        return
    tried.done()
    assert tried.corrected is not None
    assert expected.corrected is not None
    np.testing.assert_allclose(tried.corrected.array, expected.corrected.array, rtol=1e-4, atol=1e-4)


def test_an_attenuation_map_on_another_grid_is_the_same_map(bench: Bench) -> None:
    path = bench.dicom(measured(12))
    values, first = _map_values(SIZE, PIXEL_MM)
    on_grid = bench.recon(path, "--mu", bench.map(values, (6.0, 6.0, 7.0), first), *LEAST)
    values, first = _map_values((21, 60), (3.0, 2.4))
    another = bench.recon(path, "--mu", bench.map(values, (2.4, 2.4, 3.0), first), *LEAST)
    on_grid.done()
    another.done()
    assert on_grid.corrected is not None
    assert another.corrected is not None
    # Corrected it is more than without.
    assert on_grid.image is not None
    assert on_grid.corrected.array.sum() > 1.3 * on_grid.image.array.sum()
    far = np.linalg.norm(another.corrected.array - on_grid.corrected.array) / np.linalg.norm(on_grid.corrected.array)
    assert far < 0.04


def test_an_empty_attenuation_map_is_refused(bench: Bench) -> None:
    values, first = _map_values(SIZE, PIXEL_MM)
    bench.recon(bench.dicom(measured(12)), "--mu", bench.map(0 * values, (6.0, 6.0, 7.0), first), *LEAST).refused()


def test_a_block_of_steel_hides_what_lies_behind_and_nothing_else(bench: Bench) -> None:
    """Paths of a hundred mean free paths: no zero that should be one, no overflow."""
    values, first = _map_values(SIZE, PIXEL_MM)
    values[:, 14:, :] = 4.5  # from 12 mm behind the axis on, beyond the ball
    made = measured()
    tried = bench.recon(bench.dicom(made), "--mu", bench.map(values, (6.0, 6.0, 7.0), first), *LEAST)
    tried.done()
    assert tried.corrected is not None
    near = tried.corrected.near(BALL.centre_mm, 10.0)
    assert tried.corrected.array[near].mean() > 0


# --- calibration ---


@pytest.mark.parametrize(
    "factor",
    [1e-300, 1e300],
)
def test_a_calibration_beyond_reason_does_not_give_infinity(bench: Bench, factor: float) -> None:
    tried = bench.recon(bench.dicom(measured(8)), *LEAST, "--calibration-cps-per-mbq", factor)
    if tried.code == 3:
        tried.refused()
        return
    assert tried.done().array.max() > 0
