"""Files of real cameras and of an independent Monte Carlo program."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from leukospect.data import CtSeries, PlanarImages, ReconstructedSeries
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
