"""Bodies wider than the detector: noticed, reconstructed without a ring at the field's edge, and cut to the field."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.data import Geometry, Image, Projections
from leukospect.errors import AssumptionWarning
from leukospect.field_of_view import FieldOfView, find_field_of_view, reach_of_body, widened_for_body
from leukospect.photopeaks import PhotopeakCounts, photopeak_counts
from leukospect.pipeline import reconstruct_spect
from leukospect.projector import reconstruction_geometry, runs_of_image, spect_projector, system_model
from leukospect.protocol import load_protocol
from leukospect.spect_study import expected_counts, prepare_reconstruction
from leukospect.study_result import SpectResult
from leukospect.view_compositions import CroppedColumns
from tests.simulated_body import WARM, Camera, activity, body, places, recovery
from tests.smooth_object import LEHR, TC_KEV, smooth_activity
from tests.spot_acquisition import acquisition, orbit, spot_counts, with_counts

Float64 = NDArray[np.float64]
VIEWS = 32
ROUND, HALF = orbit(15.0, "CC", VIEWS), orbit(100.0, "CW", VIEWS, 180.0)
CIRCLE = np.full(VIEWS, 150.0)
WHOLE = Camera(ROUND, CIRCLE)
NARROW = {
    "a whole turn": replace(WHOLE, columns=28),
    "half a turn": Camera(HALF, CIRCLE, columns=28),
    "small pixels": Camera(ROUND, CIRCLE, pixel_mm=(10.0, 4.0), columns=46, whole_columns=68, finer=1),
}
PROTOCOL = load_protocol(
    "tc99m-hmpao-spect-ct",
    ["reconstruction.collimator=siemens:LEHR", "reconstruction.subsets=8", "reconstruction.iterations=8",
     "reconstruction.post_filter_fwhm_mm=0"],
)  # fmt: skip


def peak_of(data: Projections) -> PhotopeakCounts:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)
        return photopeak_counts(data)


def found(data: Projections) -> FieldOfView:
    return find_field_of_view(data, peak_of(data))


def at_the_edge(image: Image, data: Projections) -> float:
    """Mean of the warm body in the outer 15 % of the field, over the true one."""
    x, y, z = places(image.geometry)
    half = data.counts.shape[3] * data.pixel_mm[1] / 2
    ring = (np.hypot(x, y) > 0.85 * half) & (np.hypot(x, y) < half) & (np.abs(z) < 14) & (body(image.geometry) > 0.95)
    true = activity(image.geometry)
    assert ring.sum() > 50
    return float(image.array[ring].mean() / true[ring].mean())


def reconstructed(camera: Camera, data: Projections) -> tuple[SpectResult, list[str]]:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        result = reconstruct_spect(data, None, PROTOCOL, mu=camera.mu(camera.grid), threads=2)
    return result, [str(one.message) for one in said]


@pytest.mark.parametrize("name", NARROW)
def test_no_ring_at_the_edge_of_a_narrow_field(name: str) -> None:
    camera = NARROW[name]
    data = camera.projections()
    result, said = reconstructed(camera, data)
    assert sum("reaches the edge of the detector's field" in text for text in said) == 1
    assert result.recon.geometry.same_grid(reconstruction_geometry(data))
    assert result.mu_map is not None
    assert result.mu_map.geometry.same_grid(reconstruction_geometry(data))
    assert at_the_edge(result.recon, data) == pytest.approx(1.0, abs=0.08)
    inside = recovery(result.recon)
    assert inside["middle"] == pytest.approx(1.0, abs=0.02)
    assert inside["ball"] == pytest.approx(1.0, abs=0.05)
    assert float(result.recon.array.max()) < 1.4 * activity(result.recon.geometry).max()


def test_on_the_recorded_grid_there_would_be_a_ring() -> None:
    data = NARROW["a whole turn"].projections()
    mu = WHOLE.mu(reconstruction_geometry(data))
    image = prepare_reconstruction(data, peak_of(data), mu, LEHR, iterations=8, subsets=8, threads=2).image(
        peak_of(data)
    )
    assert at_the_edge(image, data) > 1.2


def test_filtered_backprojection_says_that_it_does_not_allow_for_a_narrow_field() -> None:
    camera = NARROW["a whole turn"]
    data = camera.projections()
    protocol = load_protocol("tc99m-hmpao-spect-ct", ["reconstruction.algorithm=fbp"])
    with pytest.warns(AssumptionWarning) as said:
        result = reconstruct_spect(data, None, protocol, threads=2)
    told = [str(one.message) for one in said]
    assert sum("filtered backprojection does not allow for it" in text for text in told) == 1
    assert not any("angles only" in text for text in told)
    assert result.recon.geometry.same_grid(reconstruction_geometry(data))


def test_columns_that_the_detector_does_not_reach_are_no_data() -> None:
    data = WHOLE.projections()
    counts = data.counts.copy()
    counts[..., :7] = 0
    counts[..., -7:] = 0
    data = replace(data, counts=counts)
    with pytest.warns(AssumptionWarning, match="182 mm wide"):
        field = found(data)
    assert (field.first, field.stop) == (7, 35)
    result, _ = reconstructed(WHOLE, data)
    assert recovery(result.recon)["middle"] == pytest.approx(1.0, abs=0.02)
    assert recovery(result.recon)["around"] == pytest.approx(1.0, abs=0.04)
    assert result.counts is not None
    reconstructor, peak = result.counts.reconstructor, result.counts.peak
    explained = expected_counts(reconstructor, result.recon, peak)
    assert not explained[..., :7].any()
    assert not explained[..., -7:].any()
    assert explained.sum() == pytest.approx(counts.sum(), rel=0.02)


def test_a_body_within_the_field_is_left_alone() -> None:
    data = WHOLE.projections()
    assert found(data) == FieldOfView(0, 42)
    few = np.random.default_rng(3).poisson(data.counts / data.counts.sum() * 40_000)
    assert found(replace(data, counts=few.astype(np.float32))) == FieldOfView(0, 42)


def test_room_background_and_a_source_beside_the_axis_are_no_wide_body() -> None:
    angles = orbit(0.0, "CC", 40)
    empty = acquisition(angles, (20, 40), (5.0, 5.0), radii_mm=np.full(40, 140.0))
    spot = spot_counts(empty, [(60.0, -30.0, -48.0)], [5000.0], 5.0)
    noise = np.random.default_rng(4).poisson(0.3, spot.shape)
    assert found(with_counts(empty, spot + noise)) == FieldOfView(0, 40)
    assert found(with_counts(empty, spot)) == FieldOfView(0, 40)


def test_the_orbit_can_leave_no_room_beyond_the_field() -> None:
    data = NARROW["a whole turn"].projections()
    near = replace(data, orbit=replace(data.orbit, radii_mm=np.full(VIEWS, 75.0)))  # the field is 91 mm to either side
    assert found(near) == FieldOfView(0, 28)


def test_the_grid_goes_no_further_than_the_detector_stood() -> None:
    with pytest.warns(AssumptionWarning):
        field = found(NARROW["a whole turn"].projections())
    half = (28 / 2 + field.added) * 6.5
    assert 140.0 <= half <= 182.0


def test_a_ct_wider_than_the_field_widens_the_grid() -> None:
    data = NARROW["a whole turn"].projections()
    recorded = FieldOfView.recorded(data)
    with pytest.warns(AssumptionWarning, match="The body reaches 29 mm beyond the detector's field"):
        wider = widened_for_body(data, recorded, 120.0)
    assert wider.added * 6.5 + 91.0 == pytest.approx(125.0, abs=7.0)
    assert widened_for_body(data, recorded, 95.0) == recorded
    assert widened_for_body(data, wider, 118.0) == wider


def test_the_reach_of_a_body_is_measured_from_the_axis_in_the_slices_of_the_spect() -> None:
    data = acquisition(orbit(0.0, "CC", 8), (10, 16), (5.0, 5.0), axis_mm=(20.0, -10.0), first_row_z_mm=30.0)
    grid = Geometry.axial((60, 40, 50), (3.0, 4.0, 2.0), (-30.0, -90.0, -80.0))
    mask = np.zeros(grid.shape, np.bool_)
    mask[25, 20, 10:45] = True  # z -5, y -10, x from -10 to 58
    mask[55, 5, 2] = True  # z 85, above the SPECT
    image = Image(mask.astype(np.float32), grid)
    assert reach_of_body(mask, image, data, np.eye(4)) == pytest.approx(38.0)
    shifted = np.eye(4)
    shifted[0, 3] = 12.0  # a point of the SPECT lies 12 mm further to the left in the CT
    assert reach_of_body(mask, image, data, shifted) == pytest.approx(42.0)
    assert reach_of_body(np.zeros_like(mask), image, data, np.eye(4)) == 0.0


def test_subsets_that_do_not_see_a_place_leave_it_as_it_is() -> None:
    camera = NARROW["a whole turn"]
    data = camera.projections()
    field = FieldOfView(0, 28, 13)
    mu = camera.mu(reconstruction_geometry(field.widened(data)))
    peak = peak_of(data)
    made = prepare_reconstruction(data, peak, mu, LEHR, iterations=4, subsets=16, field=field, threads=2)
    unseen = [np.count_nonzero(inverse == 0) for inverse in made.subsets.inverse_sensitivities]
    assert max(unseen) > 0
    assert recovery(made.image(peak))["middle"] == pytest.approx(1.0, abs=0.03)


def test_beyond_the_field_there_is_activity_in_the_body_only() -> None:
    data, field = NARROW["a whole turn"].projections(), FieldOfView(0, 28, 13)
    geometry = reconstruction_geometry(field.widened(data))
    everywhere, in_body = field.support(data), field.support(data, WHOLE.mu(geometry))
    assert everywhere is not None
    assert in_body is not None
    x, y, _ = (place[0] for place in places(geometry))
    inside = np.hypot(x, y) < 88
    assert np.all(in_body[inside])
    assert np.all(in_body[body(geometry)[0] > 0.5])
    assert not np.any(in_body[(np.hypot(x, y) > 95) & (np.abs(y) > 95)])
    assert everywhere[np.hypot(x, y) < 160].all()
    assert FieldOfView.recorded(data).support(data) is None


def test_a_cropped_image_lies_where_it_lay() -> None:
    data = acquisition(orbit(0.0, "CC", 8), (6, 10), (5.0, 4.0), axis_mm=(3.0, -7.0), first_row_z_mm=12.0)
    field = FieldOfView(0, 10, 3)
    wide = smooth_activity(field.widened(data))
    cut = field.cropped(wide)
    assert cut.geometry.same_grid(reconstruction_geometry(data))
    np.testing.assert_array_equal(cut.array, wide.array[:, 3:-3, 3:-3])
    back = field.embedded(cut, wide.geometry)
    assert back.geometry.same_grid(wide.geometry)
    np.testing.assert_array_equal(field.cropped(back).array, cut.array)


def test_the_cropped_model_is_its_adjoint_and_sees_what_the_wide_one_sees() -> None:
    camera = NARROW["half a turn"]
    data, field = camera.projections(), FieldOfView(2, 27, 9)
    grid = field.widened(data)
    mu = camera.mu(reconstruction_geometry(grid))
    projector = spect_projector(grid, mu, LEHR, TC_KEV, threads=1, within=field.support(data))
    whole = system_model(projector, grid, None)
    model = CroppedColumns(whole, field.first + field.added, field.stop + field.added)
    random = np.random.default_rng(6)
    for operator in (model, model.subset(np.array([5, 30, 2]))):
        x = random.uniform(0, 1, operator.in_shape).astype(np.float32)
        y = random.uniform(0, 1, operator.out_shape).astype(np.float32)
        ax, aty = operator.forward(x).astype(np.float64), operator.adjoint(y).astype(np.float64)
        assert abs(np.vdot(ax, y) - np.vdot(x, aty)) <= 1e-6 * np.linalg.norm(ax) * np.linalg.norm(y)
    source = Image(np.full(mu.geometry.shape, WARM, np.float32), mu.geometry, "counts/s/mL")
    runs = runs_of_image(source, projector.support)
    np.testing.assert_array_equal(model.forward(runs), whole.forward(runs)[:, 11:36])
