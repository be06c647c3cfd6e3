"""What is written comes back through the project's own readers, with nothing assumed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from leukospect.data import CtSeries, Geometry, Image, PlanarImages, Projections, ReconstructedSeries
from leukospect.dicom.read.study import read_projections, read_study
from leukospect.dicom.write.acquisition import write_ct, write_planar, write_projections
from leukospect.dicom.write.ct_series import write_derived_ct
from leukospect.dicom.write.recon_tomo import write_reconstruction
from tests.dicom.written import FRAME, IDENTITY, ct, dciodvfy_errors, planar, tomo


@pytest.mark.parametrize("position", ["HFS", "HFP", "FFS", "FFP"])
@pytest.mark.parametrize(("start_deg", "clockwise"), [(180.0, False), (45.0, True), (0.0, False)])
def test_projections_come_back(tmp_path: Path, position: str, start_deg: float, clockwise: bool) -> None:
    # Opposite heads tell the axis along the columns and, by their radii, outwards.
    projections = tomo(start_deg=start_deg, clockwise=clockwise, patient_position=position)
    write_projections(projections, tmp_path / "tomo.dcm", IDENTITY, heads=2)
    back = read_projections(tmp_path / "tomo.dcm")
    np.testing.assert_array_equal(back.counts, projections.counts)
    apart = (back.orbit.angles_deg - projections.orbit.angles_deg + 180) % 360 - 180
    np.testing.assert_allclose(apart, 0, atol=1e-6)
    assert back.orbit.radii_mm is not None
    assert projections.orbit.radii_mm is not None
    np.testing.assert_allclose(back.orbit.radii_mm, projections.orbit.radii_mm)
    np.testing.assert_allclose(back.axis_mm, projections.axis_mm, atol=1e-6)
    assert back.first_row_z_mm == pytest.approx(projections.first_row_z_mm)
    assert back.pixel_mm == projections.pixel_mm
    assert back.energy_windows == projections.energy_windows
    np.testing.assert_allclose(back.view_start_s, projections.view_start_s)
    np.testing.assert_allclose(back.view_duration_s, projections.view_duration_s)
    expected = projections.header
    assert back.header.radiopharmaceutical == expected.radiopharmaceutical
    assert (back.header.start, back.header.collimator) == (expected.start, expected.collimator)
    assert (back.header.patient_position, back.header.frame_of_reference_uid) == (position, FRAME)
    assert back.header.assumptions == ()


def test_a_whole_study_comes_back(tmp_path: Path) -> None:
    study = tmp_path / "study"
    write_projections(tomo(), study / "tomo.dcm", IDENTITY, heads=2)
    write_planar(planar(), study / "static.dcm", IDENTITY)
    write_ct(ct(), study / "ct", IDENTITY)
    source = replace(tomo(), header=replace(tomo().header, sources=(study / "tomo.dcm",)))
    geometry = Geometry.axial((4, 5, 7), (6.0, 4.0, 2.5), (-31.0, 12.0, 140.0), FRAME)
    image = Image(np.random.default_rng(1).gamma(2.0, 9.0, (4, 5, 7)).astype(np.float32), geometry, "counts/s/mL")
    record = write_reconstruction(
        image,
        study / "recon.dcm",
        source=source,
        description="SPECT",
        corrections=("DECY",),
        settings_digest="1",
        calibrated=False,
    )
    found = read_study(study)
    by_type = {type(acquisition): acquisition for acquisition in found.acquisitions}
    assert set(by_type) == {Projections, PlanarImages, CtSeries, ReconstructedSeries}
    views, scan, recon = by_type[PlanarImages], by_type[CtSeries], by_type[ReconstructedSeries]
    assert isinstance(views, PlanarImages)
    assert views.view_names == ("anterior", "posterior")
    np.testing.assert_array_equal(views.counts, planar().counts)
    assert isinstance(scan, CtSeries)
    assert scan.image.geometry.same_grid(ct().image.geometry)
    np.testing.assert_array_equal(scan.image.array, ct().image.array)
    assert (scan.kvp, scan.kernel, scan.slice_thickness_mm) == (110, "B31s", 3)
    assert isinstance(recon, ReconstructedSeries)
    assert recon.image.geometry.same_grid(geometry)
    np.testing.assert_allclose(recon.image.array.astype(float), image.array.astype(float), atol=record.slope)


@pytest.mark.real_data
def test_results_on_the_data_of_others_are_valid(real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "spect_monte_carlo" / "iec"
    projections = read_projections(folder / "tomo.dcm")
    image = Image(np.ones((3, 4, 5), np.float32), Geometry.axial((3, 4, 5), (4.8, 4.8, 4.8), (0, 0, 0)), "Bq/mL")
    write_reconstruction(
        image,
        tmp_path / "recon.dcm",
        source=projections,
        description="SPECT",
        corrections=(),
        settings_digest="",
        calibrated=True,
    )
    assert dciodvfy_errors(tmp_path / "recon.dcm") == []
    for name, path in {"iec": folder / "ct", "mct": real_data / "ct" / "siemens_mct_abdomen"}.items():
        (series,) = read_study(path).ct
        write_derived_ct(
            series.image,
            tmp_path / name,
            source=series,
            description="CT, metal reduced",
            derivation="none",
            settings_digest="",
        )
        (back,) = read_study(tmp_path / name).ct
        assert back.image.geometry.same_grid(series.image.geometry)
        np.testing.assert_allclose(back.image.array.astype(float), series.image.array.astype(float), atol=0.5)
        assert dciodvfy_errors(tmp_path / name / "0001.dcm") == []


def test_the_validator_does_find_errors(tmp_path: Path) -> None:
    write_planar(planar(), tmp_path / "static.dcm", IDENTITY)
    broken = pydicom.dcmread(tmp_path / "static.dcm")
    del broken.ActualFrameDuration
    broken.save_as(tmp_path / "static.dcm")
    assert any("ActualFrameDuration" in line for line in dciodvfy_errors(tmp_path / "static.dcm"))
