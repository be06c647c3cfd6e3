"""Two photopeaks in one reconstruction, against views of an independent projector with known shares of the counts."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.data import EnergyWindow, Image, Projections, Radiopharmaceutical
from leukospect.errors import AssumptionWarning, InputError
from leukospect.joint_peaks import joint_model, say_shares, stacked_views
from leukospect.photopeaks import PeakShare, PhotopeakCounts, photopeak_counts, resampled_projections
from leukospect.physics.collimators import find_collimator
from leukospect.pipeline import reconstruct_spect
from leukospect.protocol import load_protocol
from leukospect.spect_study import Reconstructor, expected_counts, prepare_reconstruction
from tests.reference_projector import reference_view
from tests.smooth_object import smooth_activity, soft_body
from tests.spot_acquisition import acquisition, orbit
from tests.test_view_compositions import IMAGE, A, B

Float64 = NDArray[np.float64]
ENERGIES, WATER, LEAD_PER_MM = (171.28, 245.35), (0.1442, 0.1276), (1.65, 0.706)
SHARES = (0.55, 0.45)  # not the tabulated ones
APART = (EnergyWindow(((154.2, 188.4),)), EnergyWindow(((220.8, 269.9),)))
TOGETHER = (EnergyWindow(((154.2, 188.4), (220.8, 269.9))),)
ANGLES = orbit(20.0, "CW", 24)
PIXEL_MM = (7.0, 6.0)
MEDIUM = find_collimator("siemens:ME", "")


def medium_sigma_mm(lead_per_mm: float) -> Callable[[float], float]:
    """Response of a medium-energy collimator: holes 2.94 x 40.64 mm, crystal 3.8 mm."""
    effective_mm = 40.64 - 2 / lead_per_mm

    def sigma(distance_mm: float) -> float:
        geometric_mm = 2.94 * (effective_mm + max(distance_mm, 0.0)) / effective_mm
        return float(np.hypot(geometric_mm, 3.8) / np.sqrt(8 * np.log(2)))

    return sigma


def empty(windows: tuple[EnergyWindow, ...], counts: Float64 | None = None) -> Projections:
    made = acquisition(
        ANGLES, (18, 30), PIXEL_MM, windows=windows, counts=counts, radii_mm=np.full(ANGLES.size, 140.0),
        duration_s=np.full(ANGLES.size, 40.0),
    )  # fmt: skip
    return replace(made, header=replace(made.header, radiopharmaceutical=Radiopharmaceutical("In-111")))


@cache
def truth() -> tuple[Image, tuple[Image, ...], tuple[Float64, ...]]:
    """Activity, a map for each photopeak, and the views that each gives of all its photons (views, rows, columns)."""
    made = empty(APART)
    activity, body = smooth_activity(made), soft_body(made)
    maps = tuple(
        Image(np.asarray(body.array, np.float32) * np.float32(water / 0.1536), body.geometry, "1/cm") for water in WATER
    )
    voxel_ml = activity.geometry.voxel_volume_ml
    views = []
    for mu, lead in zip(maps, LEAD_PER_MM, strict=True):
        seen = [
            reference_view(
                activity.array.astype(np.float64), mu.array.astype(np.float64), angle_deg=angle, pixel_mm=PIXEL_MM,
                radius_mm=140.0, sigma_mm=medium_sigma_mm(lead),
            )
            for angle in ANGLES
        ]  # fmt: skip
        views.append(np.array(seen) * voxel_ml * 40.0 * 200)
    return replace(activity, array=np.asarray(activity.array, np.float32) * np.float32(200)), maps, tuple(views)


def counted(made: Projections) -> PhotopeakCounts:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)
        return photopeak_counts(made)


def apart(shares: tuple[float, float] = SHARES) -> tuple[Projections, PhotopeakCounts]:
    _, _, (low, high) = truth()
    made = empty(APART, np.stack([shares[0] * low, shares[1] * high]))
    return made, counted(made)


def prepared(made: Projections, peak: PhotopeakCounts, iterations: int = 8) -> Reconstructor:
    return prepare_reconstruction(made, peak, truth()[1], MEDIUM, iterations=iterations, subsets=6, threads=1)


def total_ratio(image: Image) -> float:
    return float(image.array.sum(dtype=np.float64) / truth()[0].array.sum(dtype=np.float64))


def inside_ratio(image: Image) -> float:
    """Mean over the warm inside, image over truth."""
    true = truth()[0].array
    inside = true > 0.3 * true.max()
    return float(image.array[inside].mean() / true[inside].mean())


def test_shares_are_found_and_the_image_is_that_of_all_counts_of_one_head() -> None:
    made, peak = apart()
    reconstructor = prepared(made, peak)
    assert reconstructor.shares[0] == pytest.approx(SHARES[0], abs=0.004)
    assert sum(reconstructor.shares) == pytest.approx(1.0)
    image = reconstructor.image(peak)
    assert image.unit == "counts/s/mL"
    assert total_ratio(image) == pytest.approx(1.0, abs=0.01)
    assert inside_ratio(image) == pytest.approx(1.0, abs=0.03)


def test_both_photopeaks_are_explained_each_by_itself() -> None:
    made, peak = apart()
    reconstructor = prepared(made, peak)
    expected = np.split(expected_counts(reconstructor, reconstructor.image(peak), peak), 2)
    for window in range(2):
        assert expected[window].sum() == pytest.approx(made.counts[window].sum(), rel=0.005)


def test_photopeaks_in_one_window_are_reconstructed_with_the_sum_of_their_models() -> None:
    low_share = counted(empty(APART, np.ones((2, ANGLES.size, 18, 30)))).peaks[0].share
    _, _, (low, high) = truth()
    made = empty(TOGETHER, (low_share * low + (1 - low_share) * high)[None])
    peak = counted(made)
    reconstructor = prepared(made, peak)
    assert peak.counts.shape[0] == ANGLES.size
    assert reconstructor.shares == (low_share, peak.peaks[1].share)
    assert total_ratio(reconstructor.image(peak)) == pytest.approx(1.0, abs=0.01)


def test_scatter_of_each_window_belongs_to_that_window() -> None:
    made, peak = apart()
    assert peak.scatter is None
    added = np.zeros_like(peak.counts)
    added[: ANGLES.size] = 0.4 * peak.counts[: ANGLES.size].mean()
    with_scatter = replace(peak, counts=peak.counts + added, scatter=added)
    reconstructor = prepared(made, with_scatter)
    assert reconstructor.shares[0] == pytest.approx(SHARES[0], abs=0.006)
    assert total_ratio(reconstructor.image(with_scatter)) == pytest.approx(1.0, abs=0.01)


def test_resampled_counts_are_reconstructed_with_the_same_model() -> None:
    made, peak = apart()
    reconstructor = prepared(made, peak, iterations=2)
    drawn = reconstructor.image(counted(resampled_projections(made, 7)))
    again = reconstructor.image(counted(resampled_projections(made, 7)))
    np.testing.assert_array_equal(drawn.array, again.array)
    assert total_ratio(drawn) == pytest.approx(1.0, abs=0.02)


def test_a_photopeak_alone_keeps_its_model() -> None:
    assert joint_model([A], (1.0,), (PeakShare(140.5, 1.0, 0),)) is A


def test_the_joint_model_weights_each_photopeak_by_its_share() -> None:
    peaks = (PeakShare(171.0, 0.5, 0), PeakShare(245.0, 0.5, 1))
    views = joint_model([A, B], (0.7, 0.3), peaks).forward(IMAGE)
    np.testing.assert_allclose(views, np.concatenate([0.7 * A.forward(IMAGE), 0.3 * B.forward(IMAGE)]), rtol=1e-5)
    one = tuple(replace(peak, window=0) for peak in peaks)
    views = joint_model([A, B], (0.7, 0.3), one).forward(IMAGE)
    np.testing.assert_allclose(views, 0.7 * A.forward(IMAGE) + 0.3 * B.forward(IMAGE), rtol=1e-4, atol=1e-6)


def test_a_subset_takes_the_same_angles_of_every_window() -> None:
    first, second = stacked_views([np.array([4, 0]), np.array([1, 3, 2])], 5, 3)
    np.testing.assert_array_equal(first, [4, 0, 9, 5, 14, 10])
    np.testing.assert_array_equal(np.mod(second, 5), [1, 3, 2] * 3)


def test_shares_are_said_with_the_tabulated_ones_beside_them() -> None:
    _, peak = apart()
    with pytest.warns(AssumptionWarning, match=re.escape("171 keV 55 %, 245 keV 45 % (62 %, 38 % by yield")) as said:
        say_shares(peak, SHARES)
    assert "check" not in str(said[0].message)
    with pytest.warns(AssumptionWarning, match="check the nuclide and the energy windows"):
        say_shares(peak, (0.1, 0.9))


def test_a_window_of_hardly_any_counts_leaves_the_tabulated_shares() -> None:
    made, peak = apart((0.55, 0.0))
    with pytest.warns(AssumptionWarning, match="hardly more counts than its scatter"):
        reconstructor = prepared(made, peak, iterations=1)
    assert reconstructor.shares == tuple(each.share for each in peak.peaks)
    assert np.all(np.isfinite(reconstructor.image(peak).array))


def test_each_photopeak_needs_a_map_of_its_own() -> None:
    made, peak = apart()
    with pytest.raises(InputError, match="2 photopeaks need an attenuation map"):
        prepare_reconstruction(made, peak, truth()[1][0], MEDIUM)


def test_a_map_given_for_one_energy_is_scaled_to_the_other_and_said() -> None:
    made, _ = apart()
    settings = [
        "reconstruction.collimator=siemens:ME",
        "reconstruction.subsets=6",
        "reconstruction.post_filter_fwhm_mm=0",
    ]
    protocol = load_protocol("in111-oxine-spect-ct", settings)
    with pytest.warns(AssumptionWarning) as said:
        result = reconstruct_spect(made, None, protocol, mu=truth()[1][0], threads=1)
    texts = [str(warning.message) for warning in said]
    assert any("is taken as that at 171 keV, and times 0.890 at 245 keV" in text for text in texts)
    assert sum("modelled apart" in text for text in texts) == 1
    assert any("siemens:ME: on the shortest way through a septum pass 0.0 % at 171 keV, 0.9 % at" in t for t in texts)
    assert total_ratio(result.recon) == pytest.approx(1.0, abs=0.015)
    assert result.mu_map is not None
    shown, given = (np.asarray(mu.array, np.float64) for mu in (result.mu_map, truth()[1][0]))
    np.testing.assert_allclose(shown, given, atol=1e-5)
    assert result.counts is not None
    assert result.counts.reconstructor.shares[0] == pytest.approx(SHARES[0], abs=0.01)


def test_without_resolution_and_attenuation_the_peaks_still_stack() -> None:
    made, peak = apart()
    image = prepare_reconstruction(made, peak, None, None, iterations=1, subsets=6).image(peak)
    assert image.geometry.shape == (18, 30, 30)
    assert image.array.max() > 0


def test_a_low_energy_collimator_is_said_to_let_indium_through() -> None:
    made, _ = apart()
    settings = ["reconstruction.collimator=siemens:LEHR", "reconstruction.subsets=6", "reconstruction.iterations=1"]
    with pytest.warns(AssumptionWarning) as said:
        reconstruct_spect(made, None, load_protocol("in111-oxine-spect-ct", settings), threads=1)
    assert any("31.9 % at 245 keV. It is made for lower energies" in str(warning.message) for warning in said)


@pytest.mark.parametrize(("algorithm", "within"), [("map", 0.02), ("mlem", 0.05), ("fbp", 0.1)])
def test_every_algorithm_takes_both_photopeaks(algorithm: str, within: float) -> None:
    made, _ = apart()
    settings = [f"reconstruction.algorithm={algorithm}", "reconstruction.collimator=siemens:ME",
                "reconstruction.subsets=6", "reconstruction.iterations=12", "reconstruction.passes=8",
                "reconstruction.post_filter_fwhm_mm=0"]  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)
        protocol = load_protocol("in111-oxine-spect-ct", settings)
        result = reconstruct_spect(made, None, protocol, mu=truth()[1][0], threads=2)
    assert total_ratio(result.recon) == pytest.approx(1.0, abs=within)


def test_the_result_does_not_depend_on_the_number_of_threads() -> None:
    made, peak = apart()
    images = [
        prepare_reconstruction(made, peak, truth()[1], MEDIUM, iterations=1, subsets=6, threads=threads).image(peak)
        for threads in (1, 2, 5)
    ]
    for image in images[1:]:
        np.testing.assert_array_equal(image.array, images[0].array)
