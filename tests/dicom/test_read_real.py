"""Files of real cameras and of an independent Monte Carlo program."""

from __future__ import annotations

import itertools
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from leukospect.data import CtSeries, PlanarImages, Projections, ReconstructedSeries
from leukospect.dicom.read.ct import read_ct
from leukospect.dicom.read.nm import read_nm
from leukospect.dicom.read.study import read_projections, read_study
from leukospect.errors import AssumptionWarning, InputError

pytestmark = pytest.mark.real_data


def same_places(image: SimpleITK.Image, made: ReconstructedSeries | CtSeries) -> None:
    """Every voxel has the value and the place that SimpleITK gives it."""
    array = SimpleITK.GetArrayFromImage(image)
    geometry = made.image.geometry
    hottest = np.unravel_index(int(array.argmax()), array.shape)
    corners = [(0, 0, 0), tuple(size - 1 for size in array.shape), hottest, (3, 7, 11)]
    for k, j, i in corners:
        place = image.TransformIndexToPhysicalPoint((int(i), int(j), int(k)))
        index = geometry.to_index(place)
        near = np.rint(index).astype(int)
        np.testing.assert_allclose(index, near, atol=1e-3)
        assert made.image.array[tuple(near)] == pytest.approx(float(array[k, j, i]), rel=1e-5)


def test_mediso_volume_with_negative_spacing(real_data: Path) -> None:
    path = real_data / "nm" / "mediso_jaszczak_recon_tomo.dcm"
    with pytest.warns(AssumptionWarning, match="45 views do not fill the arc"):  # the rotation counts slices
        made = read_nm(path)
    assert isinstance(made, ReconstructedSeries)
    assert (made.frame_duration_s, made.counting_time_s) == (45.0, None)
    assert made.attenuation_corrected is True  # its Image ID ends in [ATTC]; there is no Corrected Image
    assert (made.decay_reference, made.image.unit) == ("unknown", "")
    assert made.image.geometry.affine[2, 0] == pytest.approx(-4.13, abs=1e-3)
    same_places(SimpleITK.ReadImage(str(path)), made)


@pytest.mark.filterwarnings("ignore::leukospect.errors.AssumptionWarning")
def test_mediso_volume_lies_where_its_header_says(real_data: Path) -> None:
    """Header: position 0, -264.319977, -165.199986; 4.12999964 mm in the plane and -4.12999964 along z; 45 slices."""
    path = real_data / "nm" / "mediso_jaszczak_recon_tomo.dcm"
    made, image = read_nm(path), SimpleITK.ReadImage(str(path))
    assert isinstance(made, ReconstructedSeries)
    geometry, array = made.image.geometry, made.image.array
    assert array.shape == (45, 128, 128)
    np.testing.assert_allclose(geometry.to_lps([0, 0, 0]), [0.0, -264.319977, -165.199986], atol=1e-6)
    # -165.199986 - 44 x 4.12999964, and 127 pixels on from the first
    np.testing.assert_allclose(geometry.to_lps([44, 127, 127]), [524.509954, 260.189977, -346.919970], atol=1e-5)
    for k, j, i in np.ndindex(2, 2, 2):
        corner = (44 * k, 127 * j, 127 * i)
        theirs = image.TransformIndexToPhysicalPoint((corner[2], corner[1], corner[0]))
        np.testing.assert_allclose(geometry.to_lps(corner), theirs, atol=1e-4)
    hot = np.argwhere(array > array.max() / 2)
    centre = geometry.to_lps(hot.mean(axis=0))
    theirs = SimpleITK.GetArrayFromImage(image)
    index = np.argwhere(theirs > theirs.max() / 2).mean(axis=0)[::-1]
    np.testing.assert_allclose(centre, image.TransformContinuousIndexToPhysicalPoint(index.tolist()), atol=1e-3)
    # The rods fill its far end: more of it lies in the half with the higher z, which slices of a lower number are.
    assert centre[2] > geometry.to_lps([22, 0, 0])[2] + 2.0
    assert (made.frame_duration_s, made.header.corrections) == (45.0, ())
    assert made.header.start == datetime(2014, 11, 14, 18, 45, 21)
    assert made.header.radiopharmaceutical is not None
    assert (made.header.radiopharmaceutical.nuclide, made.header.radiopharmaceutical.dose_mbq) == ("Tc-99m", None)


@pytest.mark.parametrize(
    ("name", "counts", "duration_s", "pixel_mm", "start", "collimator"),
    [  # Counts Accumulated, Actual Frame Duration, Pixel Spacing, Acquisition Date and Time, Collimator/grid Name
        ("uniformity", 16000045, 812.39, 2.064999816, datetime(2013, 4, 2, 14, 34, 30), "INTR"),
        ("lines", 1497463, 180.59, 1.032499908, datetime(2013, 4, 4, 16, 29, 49), "LEHR"),
    ],
)
def test_mediso_quality_images(
    real_data: Path, name: str, counts: int, duration_s: float, pixel_mm: float, start: datetime, collimator: str
) -> None:
    with pytest.warns(AssumptionWarning, match="view"):
        made = read_nm(real_data / "nm" / f"mediso_{name}_static.dcm")
    assert isinstance(made, PlanarImages)
    assert made.counts.sum(dtype=np.float64) == counts
    assert made.view_duration_s[0] == pytest.approx(duration_s)
    assert made.pixel_mm == (pixel_mm, pixel_mm)
    assert (made.header.start, made.header.collimator) == (start, collimator)
    assert made.energy_windows[0].ranges_kev == ((126.0, 154.0),)


def test_mediso_statics(real_data: Path) -> None:
    with pytest.warns(AssumptionWarning, match="posterior"):
        bars = read_nm(real_data / "nm" / "mediso_fourbar_static.dcm")
    assert isinstance(bars, PlanarImages)
    assert bars.counts.shape == (1, 1, 512, 512)
    assert bars.counts.sum() == pytest.approx(533338)  # Counts Accumulated
    assert bars.view_duration_s[0] == pytest.approx(100.0)
    assert bars.header.radiopharmaceutical is not None
    assert bars.header.radiopharmaceutical.dose_mbq is None


def test_a_folder_of_two_patients_can_be_looked_at_but_not_used(real_data: Path) -> None:
    with pytest.raises(InputError, match="2 patients"):
        read_study(real_data / "nm")
    study = read_study(real_data / "nm", one_patient=False)
    assert sorted(a.header.kind for a in study.acquisitions) == ["RECON TOMO", "STATIC", "STATIC", "STATIC"]
    assert {patient for patient, _ in study.places} == {1, 2}


@pytest.mark.parametrize("part", ["ct", "pet"])
def test_ct_and_pet_against_simpleitk(real_data: Path, part: str) -> None:
    study = read_study(real_data / "ct_pet" / part)
    (made,) = study.acquisitions
    assert isinstance(made, (CtSeries, ReconstructedSeries))
    names = SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(real_data / "ct_pet" / part))
    same_places(SimpleITK.ReadImage(names), made)


def test_ct_and_pet_share_their_frame(real_data: Path) -> None:
    study = read_study(real_data / "ct_pet")
    assert [a.header.kind for a in study.acquisitions] == ["CT", "PET"]
    frames = {a.header.frame_of_reference_uid for a in study.acquisitions}
    assert len(frames) == 1
    pet = study.acquisitions[1]
    assert isinstance(pet, ReconstructedSeries)
    assert any("PET series of F-18 is no SPECT" in problem for problem in study.problems)
    assert pet.header.radiopharmaceutical is not None
    assert pet.header.radiopharmaceutical.nuclide == "F-18"
    assert pet.header.hours_after_injection == pytest.approx(0.753, abs=1e-3)


def _overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float(2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other)))


def test_ct_and_pet_overlie_each_other(real_data: Path) -> None:
    """The body in the CT and in the PET: best where their headers put them, worse shifted by two pixels or mirrored."""
    ct, pet = read_study(real_data / "ct_pet").acquisitions
    assert isinstance(ct, CtSeries)
    assert isinstance(pet, ReconstructedSeries)
    np.testing.assert_allclose(ct.image.geometry.to_lps([0, 0, 0]), [-23.437616, -86.914146, -881.32], atol=1e-6)
    np.testing.assert_allclose(pet.image.geometry.to_lps([0, 0, 0]), [-21.09375, -86.71875, -881.3], atol=1e-6)
    assert ct.image.geometry.shape == (59, 202, 198)
    assert pet.image.geometry.shape == (59, 43, 41)
    assert ct.image.geometry.spacing_mm == pytest.approx((3.27, 0.976562, 0.976562))
    assert pet.image.geometry.spacing_mm == pytest.approx((3.27, 4.6875, 4.6875))
    assert ct.kvp == 140.0
    places = pet.image.geometry.to_lps(np.moveaxis(np.indices(pet.image.geometry.shape), 0, -1))
    smooth = gaussian_filter(ct.image.array.astype(np.float64), (0.7, 2.4, 2.4))  # to a PET pixel
    at = np.moveaxis(ct.image.geometry.to_index(places), -1, 0)
    in_ct = map_coordinates(smooth, at, order=1, cval=-1000.0) > -400.0
    in_pet = np.asarray(pet.image.array, np.float64) > 0.2
    there = _overlap(in_ct, in_pet)
    assert there > 0.94
    for axis in range(3):
        for pixels in (-2, 2):
            assert _overlap(np.roll(in_ct, pixels, axis), in_pet) < there - 0.01
        assert _overlap(np.flip(in_ct, axis), in_pet) < there - 0.05


def test_ct_against_simpleitk_and_its_headers(real_data: Path) -> None:
    """File 001: position -249.51171875, -437.51171875, -766.5; stored 28 at row 100, column 200; intercept -1024."""
    folder = real_data / "ct" / "siemens_mct_abdomen"
    made = read_ct(folder)
    names = sorted(map(str, folder.glob("*.dcm")), reverse=True)  # numbered from the head down
    same_places(SimpleITK.ReadImage(names), made)
    np.testing.assert_allclose(made.image.geometry.to_lps([0, 0, 0]), [-249.51171875, -437.51171875, -804.5])
    np.testing.assert_allclose(made.image.geometry.to_lps([19, 0, 0]), [-249.51171875, -437.51171875, -766.5])
    assert made.image.array[19, 100, 200] == 28 - 1024
    assert made.image.array[19, 300, 200] == 1130 - 1024
    assert made.header.frame_of_reference_uid == "1.3.12.2.1107.5.1.4.60064.30000022120807274275100000041"


def test_ct_without_any_series_uid(real_data: Path) -> None:
    series = read_ct(real_data / "ct" / "siemens_mct_abdomen")
    assert series.image.geometry.shape == (20, 512, 512)
    assert series.image.geometry.spacing_mm == pytest.approx((2.0, 0.9765625, 0.9765625))
    assert (series.kvp, series.slice_thickness_mm) == (120.0, 3.0)


def test_monte_carlo_acquisition(real_data: Path) -> None:
    projections = read_projections(real_data / "spect_monte_carlo" / "iec" / "tomo.dcm")
    assert projections.counts.shape == (3, 120, 128, 128)
    assert projections.axis_mm == pytest.approx((0.0, 0.0), abs=1e-6)
    assert projections.first_row_z_mm == pytest.approx(304.8)
    assert projections.counts[0].sum(dtype=np.float64) == 10_001_442  # truth.json
    np.testing.assert_allclose(projections.orbit.angles_deg[[0, 1, 60, 61]], [180.0, 183.0, 0.0, 3.0])
    assert projections.orbit.radii_mm is not None
    np.testing.assert_allclose(projections.orbit.radii_mm[[0, 60]], 175.0)
    assert projections.header.assumptions == ()
    # the 37 mm sphere, the brightest thing, lies at x = +54 mm: right of the middle seen from the front
    front = projections.counts[0, 0, 55:75].sum(axis=0)
    assert front[64:].sum() > front[:64].sum()


SPHERES_MM = ((53.75, 19.56, -12.0), (9.93, 56.33, 6.0), (-43.82, 36.77, -4.0))  # 37, 28 and 22 mm, truth.json


def _seen(projections: Projections, place: NDArray[np.float64], turn: float = 1.0) -> float:
    """Give the mean count over all views where a place lands, by the formulas of geometry."""
    values = []
    for view, angle in enumerate(np.deg2rad(turn * projections.orbit.angles_deg)):
        across = -np.cos(angle) * place[0] + np.sin(angle) * place[1]
        row, column = round((304.8 - place[2]) / 4.8), round(63.5 + across / 4.8)  # first row at z = 304.8, 4.8 mm
        values.append(projections.counts[0, view, row - 1 : row + 2, column - 1 : column + 2].mean())
    return float(np.mean(values))


def test_monte_carlo_spheres_are_seen_where_they_lie(real_data: Path) -> None:
    projections = read_projections(real_data / "spect_monte_carlo" / "iec" / "tomo.dcm")
    places = np.array(SPHERES_MM)
    there = sum(_seen(projections, place) for place in places)
    wrong = [np.diag(signs) for signs in itertools.product((1.0, -1.0), repeat=3) if signs != (1.0, 1.0, 1.0)]
    for matrix in (*wrong, np.eye(3)[[1, 0, 2]]):
        assert sum(_seen(projections, matrix @ place) for place in places) < 0.97 * there
    assert sum(_seen(projections, place, turn=-1.0) for place in places) < 0.97 * there


def test_monte_carlo_ct_belongs_to_the_acquisition(real_data: Path) -> None:
    """Header: position -154.8, -118.8; z from -99.6 to 99.6; 2.4 mm; 110 kVp. The body is 300 mm wide, 230 mm deep."""
    folder = real_data / "spect_monte_carlo" / "iec"
    ct, projections = read_ct(folder / "ct"), read_projections(folder / "tomo.dcm")
    assert ct.header.frame_of_reference_uid == projections.header.frame_of_reference_uid
    assert (ct.kvp, ct.kernel, ct.image.geometry.shape) == (110.0, "B31s", (84, 100, 130))
    np.testing.assert_allclose(ct.image.geometry.to_lps([0, 0, 0]), [-154.8, -118.8, -99.6])
    np.testing.assert_allclose(ct.image.geometry.to_lps([83, 99, 129]), [154.8, 118.8, 99.6])
    body = np.argwhere(np.asarray(ct.image.array, np.float64) > -300.0)
    edges_mm = ct.image.geometry.to_lps(np.array([body.min(axis=0), body.max(axis=0)]))
    profiles = projections.counts[0][:, 50:78].sum(axis=1)  # rows at the body's middle
    for angle, axis in ((180.0, 0), (90.0, 1)):  # from the front columns run along x, from the left along y
        view = int(np.argmin(np.abs((projections.orbit.angles_deg - angle + 180.0) % 360.0 - 180.0)))
        lit = np.flatnonzero(profiles[view] > 0.25 * profiles[view].max())
        seen_mm = (lit[[0, -1]] - 63.5) * 4.8
        np.testing.assert_allclose(seen_mm, edges_mm[:, axis], atol=10.0)
    assert projections.header.start == datetime(2026, 1, 5, 12, 0)
    assert projections.header.hours_after_injection == pytest.approx(4.0)
    assert projections.header.radiopharmaceutical is not None
    assert projections.header.radiopharmaceutical.dose_mbq == 330.0
    np.testing.assert_allclose(projections.view_duration_s, 20.0)
    assert [w.ranges_kev for w in projections.energy_windows] == [
        ((126.45, 154.56),), ((119.4, 126.45),), ((154.56, 161.6),)
    ]  # fmt: skip
