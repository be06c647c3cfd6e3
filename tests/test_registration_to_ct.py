"""An emission image is brought to a CT: known motions come back, the identity stays, and what is unsure says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from leukospect.ct.body import body_outline
from leukospect.data import Geometry, Image
from leukospect.errors import InputError
from leukospect.kernels.channels import sampled, slopes
from leukospect.registration import FLAG_MM, Registration, register_emission_to_ct
from tests.test_registration import _read

SPECT = Geometry.axial((40, 44, 52), (6.0, 6.4, 6.4), (-158.0, -150.0, -118.0))
CT = Geometry.axial((82, 100, 120), (3.1, 2.9, 3.0), (-180.0, -150.0, -126.0))
CENTRE = np.array([4.0, -6.0, 2.0])


def _rigid(shift_mm: tuple[float, float, float], degrees: tuple[float, float, float]) -> NDArray[np.float64]:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    matrix[:3, 3] = CENTRE + shift_mm - matrix[:3, :3] @ CENTRE
    return matrix


def _places(grid: Geometry) -> NDArray[np.float64]:
    return grid.to_lps(np.moveaxis(np.indices(grid.shape), 0, -1))


def _trunk(points: NDArray[np.float64]) -> dict[str, NDArray[np.bool_]]:
    """Draw a tapering trunk within a layer of fat, with bones, and a focus and an organ that a CT does not show."""
    x, y, z = np.moveaxis(points, -1, 0)
    wide, deep = 118.0 + 0.12 * z, 84.0 - 0.06 * z
    body = (x / wide) ** 2 + ((y + 4) / deep) ** 2 < 1
    within = (x / (wide - 14)) ** 2 + ((y + 4) / (deep - 14)) ** 2 < 1
    spine = (x / 19) ** 2 + ((y - 38) / 17) ** 2 < 1
    hip = ((x - 62) / 34) ** 2 + ((y - 12) / 20) ** 2 + ((z + 66) / 30) ** 2 < 1
    other = ((x + 58) / 30) ** 2 + ((y - 16) / 22) ** 2 + ((z + 58) / 34) ** 2 < 1
    focus = (x + 30) ** 2 + (y - 20) ** 2 + (z - 10) ** 2 < 16**2
    organ = ((x + 56) / 38) ** 2 + ((y + 10) / 40) ** 2 + ((z - 66) / 34) ** 2 < 1
    return {"body": body, "within": within, "bone": spine | hip | other, "focus": focus, "organ": organ & within}


def _ct() -> Image:
    part = _trunk(_places(CT))
    array = np.where(part["bone"], 260.0, np.where(part["within"], 45.0, np.where(part["body"], -105.0, -1000.0)))
    noise = np.random.default_rng(5).normal(0.0, 15.0, array.shape)
    return Image((array + noise).astype(np.float32), CT, "HU")


def _emission(truth: NDArray[np.float64], grid: Geometry = SPECT, counts: float = 60.0) -> Image:
    """Make an image of 14 mm resolution, corrected for attenuation, whose places `truth` takes to the CT's."""
    part = _trunk(_places(grid) @ truth[:3, :3].T + truth[:3, 3])
    uptake = np.where(part["bone"], 6.0, np.where(part["within"], 2.0, np.where(part["body"], 0.7, 0.0)))
    uptake = np.where(part["focus"], 20.0, np.where(part["organ"], 12.0, uptake))
    means = ndimage.gaussian_filter(uptake, [10.0 / 2.355 / s for s in grid.spacing_mm])
    drawn = np.random.default_rng(6).poisson(means * counts) / counts
    return Image(ndimage.gaussian_filter(drawn, [10.0 / 2.355 / s for s in grid.spacing_mm]).astype(np.float32), grid)


def _registered(
    emission: Image, ct: Image | None = None, *, shift_mm: float = 60.0, rotation_deg: float = 30.0, threads: int = 2
) -> Registration:
    ct = ct or _ct()
    return register_emission_to_ct(
        emission,
        ct,
        body_outline(ct),
        attenuated=False,
        maximum_shift_mm=shift_mm,
        maximum_rotation_deg=rotation_deg,
        threads=threads,
    )


def _error_mm(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Mean distance between where two transforms put the corners of a box about the body."""
    corners = np.array(np.meshgrid([-80, 80], [-50, 50], [-90, 90])).reshape(3, -1).T + CENTRE
    there = [corners @ m[:3, :3].T + m[:3, 3] for m in (one, other)]
    return float(np.linalg.norm(there[0] - there[1], axis=1).mean())


@pytest.mark.parametrize(
    ("shift_mm", "degrees"),
    [((9.0, -7.0, 12.0), (0.0, 0.0, 0.0)), ((-27.0, 22.0, 26.0), (11.0, -12.0, 13.0))],
    ids=["shift", "far and turned"],
)
def test_a_known_motion_is_recovered_within_two_millimetres(
    shift_mm: tuple[float, float, float], degrees: tuple[float, float, float]
) -> None:
    truth = _rigid(shift_mm, degrees)
    found = _registered(_emission(truth))
    assert found.accepted, found.reason
    assert _error_mm(found.matrix, truth) < 2.0
    assert found.shift_mm == pytest.approx(np.linalg.norm(shift_mm), abs=2.0)
    assert found.misalignment_mm == found.expected_error_mm < FLAG_MM
    assert "look at them" not in found.reason


def test_what_is_aligned_keeps_exactly_the_identity() -> None:
    fractions: list[float] = []
    ct = _ct()
    found = register_emission_to_ct(
        _emission(np.eye(4)), ct, body_outline(ct), attenuated=False, progress=fractions.append
    )
    assert not found.accepted
    np.testing.assert_array_equal(found.matrix, np.eye(4))
    assert _error_mm(found.found, np.eye(4)) < 2.0
    assert found.misalignment_mm < FLAG_MM
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


@pytest.mark.parametrize("limits", [(12.0, 30.0), (60.0, 6.0)], ids=["too far", "turned too much"])
def test_an_implausible_motion_keeps_the_identity_and_asks_for_a_look(limits: tuple[float, float]) -> None:
    truth = _rigid((14.0, -9.0, 12.0), (4.0, -6.0, 7.0))
    found = _registered(_emission(truth), shift_mm=limits[0], rotation_deg=limits[1])
    assert not found.accepted
    assert "not plausible" in found.reason
    np.testing.assert_array_equal(found.matrix, np.eye(4))
    assert found.misalignment_mm == pytest.approx(_error_mm(truth, np.eye(4)), rel=0.25)
    assert "look at them" in found.reason


@pytest.mark.parametrize(("axis", "along"), [(0, "head to feet"), (1, "front to back"), (2, "left to right")])
@pytest.mark.parametrize("put", [np.eye(4), _rigid((14.0, -9.0, 12.0), (4.0, -6.0, 7.0))], ids=["as it lies", "moved"])
def test_an_image_stored_mirrored_is_noticed_and_not_used(put: NDArray[np.float64], axis: int, along: str) -> None:
    right = _emission(put)
    found = _registered(replace(right, array=np.ascontiguousarray(np.flip(right.array, axis))))
    assert found.mirrored == along
    assert not found.accepted
    assert f"mirrored from {along}" in found.reason
    np.testing.assert_array_equal(found.matrix, np.eye(4))
    assert _registered(right).mirrored == ""


def test_of_a_body_alike_on_both_sides_nobody_can_tell_and_nothing_is_said() -> None:
    def alike(image: Image) -> Image:
        """Add what lies opposite."""
        whole = np.asarray(image.array)
        return replace(image, array=0.5 * (whole + whole[:, :, ::-1]))

    found = _registered(alike(_emission(np.eye(4))), alike(_ct()))
    assert found.mirrored != "left to right"


def test_where_a_body_is_a_cylinder_a_slide_along_it_is_not_believed() -> None:
    """Nothing tells how far a uniform cylinder lies along its axis: what is found must not be taken."""
    points = _places(CT)
    ct = Image(np.where(np.hypot(points[..., 0], points[..., 1]) < 80.0, 45.0, -1000.0).astype(np.float32), CT, "HU")
    there = _places(SPECT)
    counts = np.random.default_rng(3).poisson(np.where(np.hypot(there[..., 0], there[..., 1]) < 80.0, 3.0, 0.0))
    emission = Image(ndimage.gaussian_filter(counts.astype(np.float32), 1.2), SPECT)
    found = _registered(emission, ct)
    assert not found.accepted, found.reason
    np.testing.assert_array_equal(found.matrix, np.eye(4))


def test_the_result_is_the_same_to_the_bit_for_any_number_of_threads() -> None:
    ct, emission = _ct(), _emission(_rigid((9.0, -7.0, 12.0), (2.0, 0.0, -3.0)))
    results = [_registered(emission, ct, threads=threads) for threads in (1, 2, 3)]
    assert results[0].accepted
    for other in results[1:]:
        np.testing.assert_array_equal(other.matrix, results[0].matrix)
        assert other.expected_error_mm == results[0].expected_error_mm


def test_the_pose_does_not_depend_on_the_unit_of_the_uptake() -> None:
    ct, emission = _ct(), _emission(_rigid((9.0, -7.0, 12.0), (2.0, 0.0, -3.0)))
    scaled = replace(emission, array=np.asarray(emission.array) * np.float32(4096.0))
    np.testing.assert_array_equal(_registered(scaled, ct).matrix, _registered(emission, ct).matrix)


def test_images_apart_or_empty_keep_the_identity_and_say_why() -> None:
    emission, ct = _emission(np.eye(4)), _ct()
    far = Geometry.axial(SPECT.shape, SPECT.spacing_mm, (900.0, -150.0, 700.0))
    apart = _registered(Image(emission.array, far), ct)
    empty = _registered(Image(np.zeros(SPECT.shape, np.float32), SPECT), ct)
    bodiless = _registered(emission, Image(np.full(CT.shape, -1000.0, np.float32), CT, "HU"))
    for result, word in ((apart, "overlap"), (empty, "nothing"), (bodiless, "no body")):
        assert not result.accepted
        assert word in result.reason
        np.testing.assert_array_equal(result.matrix, np.eye(4))
        assert np.isnan(result.misalignment_mm)


def test_values_that_are_not_finite_and_impossible_limits_are_refused() -> None:
    emission = _emission(np.eye(4))
    broken = np.array(emission.array)
    broken[3, 4, 5] = np.nan
    with pytest.raises(InputError, match="emission image"):
        _registered(Image(broken, SPECT))
    with pytest.raises(InputError, match="positive"):
        _registered(emission, shift_mm=0.0)


def test_channels_are_read_linearly_and_go_on_at_their_border() -> None:
    k, j, i = np.meshgrid(*(np.arange(n) for n in (4, 5, 6)), indexing="ij")
    channels = np.stack([2.0 * k + j - 3.0 * i, 1.0 * k * 0 + 7.0], axis=-1).astype(np.float32)
    places = np.array([[1.25, 2.5, 3.75], [0.0, 0.0, 0.0], [2.9, 3.9, 4.9], [-2.0, 1.0, 9.0]])
    values = sampled(channels, places)
    inside = np.clip(places, 0.0, [3.0, 4.0, 5.0])
    np.testing.assert_allclose(values[:, 0], inside @ [2.0, 1.0, -3.0], atol=1e-12)
    np.testing.assert_allclose(values[:, 1], 7.0)
    np.testing.assert_allclose(slopes(channels, places[:3], np.array([0.5, 3.0])), [[1.0, 0.5, -1.5]] * 3, atol=1e-12)


class RealPair(NamedTuple):
    """A PET and a CT of one study, points of the body, and what is found of them as they are."""

    pet: Image
    ct: Image
    body: NDArray[np.bool_]
    points_mm: NDArray[np.float64]
    found: Registration


@pytest.fixture(scope="module")
def pair(real_data: Path) -> RealPair:
    ct, pet = _read(real_data / "ct_pet" / "ct", "HU"), _read(real_data / "ct_pet" / "pet", "Bq/mL")
    body = body_outline(ct)
    found = register_emission_to_ct(pet, ct, body, attenuated=False)
    return RealPair(pet, ct, body, ct.geometry.to_lps(np.argwhere(body)[::4999]), found)


def _found_with_a_motion_put_on(
    pair: RealPair, shift_mm: tuple[float, float, float], degrees: tuple[float, float, float]
) -> tuple[Registration, float]:
    """Move the PET; give what is found, and its distance, mm, from the motion with what was found unmoved."""
    centre = pair.points_mm.mean(axis=0)
    put = np.eye(4)
    put[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    put[:3, 3] = centre + shift_mm - put[:3, :3] @ centre
    moved = Image(pair.pet.array, Geometry(pair.pet.geometry.shape, put @ pair.pet.geometry.affine), pair.pet.unit)
    found = register_emission_to_ct(moved, pair.ct, pair.body, attenuated=False)
    back = found.found @ put - pair.found.found
    return found, float(np.linalg.norm(pair.points_mm @ back[:3, :3].T + back[:3, 3], axis=1).mean())


@pytest.mark.real_data
def test_a_real_pair_stays_as_it_is(pair: RealPair) -> None:
    assert not pair.found.accepted, pair.found.reason
    assert pair.found.mirrored == ""
    np.testing.assert_array_equal(pair.found.matrix, np.eye(4))


@pytest.mark.real_data
@pytest.mark.parametrize(("axis", "along"), [(0, "head to feet"), (1, "front to back"), (2, "left to right")])
def test_a_real_image_that_is_mirrored_is_noticed(pair: RealPair, axis: int, along: str) -> None:
    flipped = replace(pair.pet, array=np.ascontiguousarray(np.flip(pair.pet.array, axis)))
    found = register_emission_to_ct(flipped, pair.ct, pair.body, attenuated=False)
    assert found.mirrored == along
    assert not found.accepted


# The legs of this patient lie some millimetres apart in the two scans; what was put on top of that comes back.
@pytest.mark.real_data
@pytest.mark.parametrize(
    ("shift_mm", "degrees"),
    [
        ((8.0, -6.0, 10.0), (0.0, 0.0, 0.0)),
        ((-8.0, 6.0, -10.0), (0.0, 0.0, 0.0)),
        ((0.0, 0.0, -12.0), (0.0, 0.0, 0.0)),
        ((14.0, -10.0, 16.0), (0.0, 0.0, 0.0)),
        ((6.0, 8.0, -9.0), (3.0, -2.0, 4.0)),
        ((-12.0, 4.0, 7.0), (-4.0, 3.0, -2.0)),
        ((20.0, -15.0, 25.0), (5.0, -4.0, 6.0)),
    ],
)
def test_a_motion_put_on_a_real_pair_comes_back(
    pair: RealPair, shift_mm: tuple[float, float, float], degrees: tuple[float, float, float]
) -> None:
    found, error_mm = _found_with_a_motion_put_on(pair, shift_mm, degrees)
    assert found.accepted, found.reason
    assert error_mm < 2.0


@pytest.mark.real_data
@pytest.mark.parametrize("degrees", [(4.0, 0.0, 0.0), (0.0, -5.0, 0.0), (0.0, 0.0, 6.0)])
def test_a_small_turn_of_a_real_pair_is_found_and_where_it_is_not_taken_a_look_is_asked_for(
    pair: RealPair, degrees: tuple[float, float, float]
) -> None:
    found, error_mm = _found_with_a_motion_put_on(pair, (0.0, 0.0, 0.0), degrees)
    assert error_mm < 2.0
    assert found.accepted or found.misalignment_mm > FLAG_MM
