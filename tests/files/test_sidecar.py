"""NIfTI with a sidecar: every key is checked, nothing is guessed, and errors name no file."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from leukospect.data import CtSeries, ReconstructedSeries
from leukospect.errors import GeometryError, InputError
from leukospect.files.sidecar import read_with_sidecar
from leukospect.study_input import read_any_study
from tests import vendor_volumes as made
from tests.command_line import leukospect
from tests.dicom.acquisitions import save

SECRET = "Doe_Jane"


def given(folder: Path, **keys: Any) -> Path:
    return made.save_nifti(folder / f"{SECRET}.nii.gz", made.spots(4.0), made.sidecar(4.0, **keys))


def spect(folder: Path, **keys: Any) -> ReconstructedSeries:
    series = read_with_sidecar(given(folder, **keys), "The file").acquisition
    assert isinstance(series, ReconstructedSeries)
    return series


def test_a_sagittal_file_becomes_upright_at_its_place(tmp_path: Path) -> None:
    series = spect(tmp_path)
    geometry = series.image.geometry
    np.testing.assert_allclose(geometry.affine[:3, :3], [[0, 0, 4.0], [0, 3.0, 0], [5.0, 0, 0]], atol=1e-5)
    np.testing.assert_allclose(geometry.affine[:3, 3], made.FIRST_MM, atol=1e-4)
    np.testing.assert_allclose(np.asarray(series.image.array, np.float64), made.spots(4.0), rtol=1e-5, atol=1e-6)


def test_the_keys_reach_the_header(tmp_path: Path) -> None:
    series = spect(tmp_path, InjectedRadioactivity=10, InjectedRadioactivityUnits="mCi", TracerRadionuclide="In-111")
    header, injected = series.header, series.header.radiopharmaceutical
    assert header.kind == "RECON TOMO"
    assert header.start == datetime(2024, 1, 10, 12, 0)
    assert injected is not None
    assert (injected.nuclide, injected.name, injected.dose_mbq) == ("In-111", "HMPAO leukocytes", 370.0)
    assert header.hours_after_injection == 4.0
    assert (series.counting_time_s, series.attenuation_corrected, series.decay_reference) == (1200.0, True, "start")
    assert [path.suffix for path in header.sources] == [".gz", ".json"]


def test_values_take_their_unit(tmp_path: Path) -> None:
    series = spect(tmp_path, Units="kBq/mL")
    assert series.image.unit == "Bq/mL"
    np.testing.assert_allclose(
        np.asarray(series.image.array, np.float64), 1000.0 * made.spots(4.0), rtol=1e-5, atol=1e-3
    )


def test_what_is_not_told_stays_unknown(tmp_path: Path) -> None:
    series = spect(tmp_path, DecayCorrected=None, AttenuationCorrected=None, FrameOfReference=None, FrameDuration=None)
    assert (series.attenuation_corrected, series.decay_reference) == (None, "unknown")
    assert (series.counting_time_s, series.image.geometry.frame_of_reference_uid) == (None, None)


def test_a_label_is_one_frame_and_a_uid_stays(tmp_path: Path) -> None:
    frames = [
        spect(tmp_path, FrameOfReference=label).header.frame_of_reference_uid for label in ("a", "a", "b", "1.2.3")
    ]
    assert frames[0] == frames[1] != frames[2]
    assert frames[0] is not None
    assert frames[0].startswith("2.25.")
    assert len(frames[0]) <= 64
    assert frames[3] == "1.2.3"


def test_ct_with_a_sidecar(tmp_path: Path) -> None:
    path = made.save_nifti(tmp_path / "ct.nii.gz", made.spots(4.0) - 1000.0,
                           {"Modality": "CT", "Units": "HU", "KVP": 110})  # fmt: skip
    series = read_with_sidecar(path, "The file").acquisition
    assert isinstance(series, CtSeries)
    assert (series.kvp, series.image.unit) == (110.0, "HU")
    assert series.image.geometry.spacing_mm == pytest.approx(made.STEP_MM)
    path = made.save_nifti(tmp_path / "ct.nii.gz", made.spots(4.0), {"Modality": "CT", "Units": "Bq/mL"})
    with pytest.raises(InputError, match=r"Units .* of a CT must be HU"):
        read_with_sidecar(path, "The file")


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"Modality": None}, "lacks Modality"),
        ({"Units": None}, "lacks Units"),
        ({"TracerRadionuclide": None}, "lacks TracerRadionuclide"),
        ({"InjectionStart": None}, "lacks InjectionStart; .* or HoursAfterInjection"),
        ({"AcquisitionTime": None}, "lacks AcquisitionTime; .* or HoursAfterInjection"),
        ({"Units": "counts", "FrameDuration": None}, "lacks FrameDuration"),
        ({"InjectedRadioactivity": 370}, "lacks InjectedRadioactivityUnits"),
        ({"Modality": "PT"}, "Modality .* must be SPECT or CT"),
        ({"Units": "SUV?"}, "Units .* must be one of"),
        ({"TracerRadionuclide": "F18"}, "TracerRadionuclide .* Tc99m or In111"),
        ({"InjectionStart": "2024-01-10T13:00:00"}, "must follow InjectionStart"),
        ({"InjectionStart": "2024-01-10T08:00:00+01:00"}, "without a time zone"),
        ({"InjectionStart": "2024-01-10"}, "must be a local date and time"),
        ({"InjectionStart": "08:00"}, "must be a local date and time"),
        ({"InjectionStart": 28800}, "must be a text"),
        ({"HoursAfterInjection": 5.0}, "contradicts InjectionStart"),
        ({"HoursAfterInjection": -1.0, "InjectionStart": None}, "must be a number"),
        ({"HoursAfterInjection": float("nan"), "InjectionStart": None}, "must be a number"),
        ({"FrameDuration": "1200"}, "FrameDuration .* must be a number"),
        ({"FrameDuration": 0}, "FrameDuration .* must be a number"),
        ({"DecayCorrected": "yes"}, "DecayCorrected .* true or false"),
        ({"AttenuationCorrected": 1}, "AttenuationCorrected .* true or false"),
        ({"InjectedRadioactivity": 370, "InjectedRadioactivityUnits": "Ci"}, "must be MBq"),
        ({"InjectedRadioactivity": 1e9, "InjectedRadioactivityUnits": "MBq"}, "a possible one"),
    ],
)
def test_a_key_that_is_missing_or_wrong_is_named(keys: dict[str, Any], says: str, tmp_path: Path) -> None:
    path = given(tmp_path, **keys)
    with pytest.raises(InputError, match=says) as raised:
        read_with_sidecar(path, "File 1 of 2")
    assert "file 1 of 2" in str(raised.value)
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize("text", ["{", "[1, 2]", "[" * 100_000, '"text"', "\ud800"])
def test_what_is_no_sidecar_is_refused(text: str, tmp_path: Path) -> None:
    path = given(tmp_path)
    path.with_name(f"{SECRET}.json").write_text(text, encoding="utf-8", errors="surrogatepass")
    with pytest.raises(InputError, match="JSON") as raised:
        read_with_sidecar(path, "The file")
    assert SECRET not in str(raised.value)


def test_broken_volumes_are_refused_without_their_name(tmp_path: Path) -> None:
    path = given(tmp_path)
    whole = path.read_bytes()
    for content in (b"no NIfTI", whole[:200]):
        path.write_bytes(content)
        with pytest.raises(InputError) as raised:
            read_with_sidecar(path, "The file")
        assert SECRET not in str(raised.value)
    values = made.spots(4.0)
    values[3, 4, 5] = np.nan
    made.save_nifti(path, values, made.sidecar(4.0))
    with pytest.raises(InputError, match="not finite"):
        read_with_sidecar(path, "The file")


def test_a_sheared_grid_is_refused(tmp_path: Path) -> None:
    affine = np.diag([4.0, 3.0, 5.0, 1.0])
    affine[0, 1] = 0.6
    image = nib.Nifti1Image(np.ones((5, 6, 7), np.float32), affine)
    image.header.set_xyzt_units(xyz="mm")
    image.set_qform(None, code=0)
    nib.save(image, tmp_path / "a.nii.gz")
    (tmp_path / "a.json").write_text(json.dumps(made.sidecar(4.0)))
    with pytest.raises(GeometryError, match="right angles"):
        read_with_sidecar(tmp_path / "a.nii.gz", "The file")


def test_what_the_file_itself_says_of_its_unit_must_agree(tmp_path: Path) -> None:
    path = given(tmp_path)
    image = nib.load(path)
    image.header["descrip"] = b"unit: counts/s/mL"
    nib.save(image, path)
    with pytest.raises(InputError, match="contradicts the file itself"):
        read_with_sidecar(path, "The file")


def test_hours_alone_take_the_injection_of_the_others(tmp_path: Path) -> None:
    made.save_nifti(tmp_path / "a.nii.gz", made.spots(4.0), made.sidecar(4.0))
    document = made.sidecar(24.0, InjectionStart=None, AcquisitionTime=None, HoursAfterInjection=24)
    made.save_nifti(tmp_path / "b.nii.gz", made.spots(24.0), document)
    first, second = read_any_study(tmp_path).acquisitions
    assert (first.header.hours_after_injection, second.header.hours_after_injection) == (4.0, 24.0)
    assert second.header.start == datetime(2024, 1, 11, 8, 0)


def test_nifti_and_dicom_make_one_study_in_time_order(tmp_path: Path) -> None:
    save(tmp_path, made.recon_tomo(24.0, made.spots(24.0)))
    made.save_nifti(tmp_path / "z.nii.gz", made.spots(4.0), made.sidecar(4.0, FrameOfReference=made.FRAME))
    study = read_any_study(tmp_path)
    assert [a.header.hours_after_injection for a in study.acquisitions] == [4.0, 24.0]
    assert {a.header.frame_of_reference_uid for a in study.acquisitions} == {made.FRAME}
    assert len(study.problems) == 1
    assert "do not say whose they are" in study.problems[0]


def test_nifti_without_a_sidecar_is_told_by_its_position(tmp_path: Path) -> None:
    save(tmp_path, made.recon_tomo(24.0, made.spots(24.0)))
    made.save_nifti(tmp_path / f"{SECRET}.nii.gz", made.spots(4.0), None)
    (tmp_path / "notes.txt").write_text("junk")
    study = read_any_study(tmp_path)
    assert len(study.acquisitions) == 1
    assert any("NIfTI without a sidecar is not used (file 2)" in problem for problem in study.problems)
    assert any("not DICOM): file 3" in problem for problem in study.problems)
    assert SECRET not in " ".join(study.problems)
    (tmp_path / "0000.dcm").unlink()
    with pytest.raises(InputError, match="File 1 of 2 is NIfTI without a sidecar"):
        read_any_study(tmp_path)


def test_run_refuses_a_sidecar_that_inspect_tells_of(tmp_path: Path) -> None:
    study = tmp_path / "study"
    made.save_nifti(study / f"{SECRET}.nii.gz", made.spots(4.0), made.sidecar(4.0, Units=None))
    made.save_nifti(study / "good.nii.gz", made.spots(24.0), made.sidecar(24.0))
    said = leukospect("run", study, "-o", tmp_path / "out")
    assert said.code == 3
    assert "sidecar of file 2 of 4 lacks Units" in said.stderr
    assert SECRET not in said.stderr
    shown = leukospect("inspect", study)
    assert shown.code == 0
    assert "lacks Units" in shown.stdout
    assert "24.00 h after injection" in shown.stdout
    alone = leukospect("inspect", study / "good.nii.gz")
    assert alone.code == 0
    assert "RECON TOMO" in alone.stdout


def test_what_an_earlier_run_wrote_below_is_not_read_as_input(tmp_path: Path) -> None:
    study = tmp_path / "study"
    made.save_nifti(study / "good.nii.gz", made.spots(24.0), made.sidecar(24.0))
    said = leukospect("run", study, "-o", tmp_path / "out")
    assert said.code == 0, said.stderr
    (tmp_path / "out").rename(study / "out")
    problems = read_any_study(study).problems
    assert not any("NIfTI without a sidecar" in problem for problem in problems)


def test_a_label_image_of_regions_is_no_acquisition(tmp_path: Path) -> None:
    study = tmp_path / "study"
    made.save_nifti(study / "good.nii.gz", made.spots(24.0), made.sidecar(24.0))
    labels = (made.spots(24.0) > 4500.0).astype(float) + 2.0 * (made.places_mm()[..., 0] < -44.0)
    table = {"region": [{"label": 1, "name": "plate", "role": "lesion", "reference": "side"},
                        {"label": 2, "name": "side", "role": "reference"}]}  # fmt: skip
    drawn = made.save_nifti(study / "regions.nii.gz", labels, None)
    (study / "regions.json").write_text(json.dumps(table))
    assert any("NIfTI without a sidecar" in problem for problem in read_any_study(study).problems)
    said = leukospect("run", study, "-o", tmp_path / "out", "--regions", drawn)
    assert said.code == 0, said.stderr
    assert "without a sidecar" not in said.stderr
    measured = json.loads((tmp_path / "out" / "results.json").read_text())["measurements"]
    assert {one["region"] for one in measured} == {"plate", "side"}
