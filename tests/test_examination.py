"""What of a study may be compared: one injection, one way of correcting, and injections without a date."""

from __future__ import annotations

import json
import shutil
from copy import deepcopy
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from leukospect.dicom.read.study import read_study
from tests.command_line import leukospect, volume

FAST = ("--set", "uncertainty.replicates=0", "--set", "registration.enabled=false",
        "--set", "registration.sensitivity=false", "--set", "reconstruction.iterations=1")  # fmt: skip


def _spects(study: Path) -> list[Path]:
    return sorted(study.glob("*-spect.dcm"))


def _shifted(source: Path, target: Path, days: float) -> None:
    """Copy an acquisition as if all of it, injection and study, had been so many days later."""
    dataset = dcmread(source)
    for item in dataset.RadiopharmaceuticalInformationSequence:
        moment = datetime.strptime(str(item.RadiopharmaceuticalStartDateTime)[:14], "%Y%m%d%H%M%S")
        item.RadiopharmaceuticalStartDateTime = (moment + timedelta(days=days)).strftime("%Y%m%d%H%M%S")
    day = datetime.strptime(dataset.AcquisitionDate, "%Y%m%d") + timedelta(days=days)
    dataset.AcquisitionDate = day.strftime("%Y%m%d")
    dataset.save_as(target)


def test_examinations_after_two_injections_are_not_compared(small_phantom: Path, tmp_path: Path) -> None:
    (tmp_path / "visits").mkdir()
    early, late = _spects(small_phantom / "study")
    shutil.copy(early, tmp_path / "visits")
    _shifted(late, tmp_path / "visits" / "late.dcm", 365.0)
    said = leukospect("run", tmp_path / "visits", "-o", tmp_path / "out", *FAST)
    assert said.code == 3
    assert "injections 8760.0 hours apart" in said.stderr
    assert not (tmp_path / "out").exists()


def test_a_time_without_ct_leaves_attenuation_uncorrected_at_every_time(small_phantom: Path, tmp_path: Path) -> None:
    study = tmp_path / "study"
    study.mkdir()
    for path in _spects(small_phantom / "study"):
        shutil.copy(path, study)
    shutil.copytree(min((small_phantom / "study").glob("*-ct")), study / "ct")
    said = leukospect("run", study, "-o", tmp_path / "out", *FAST)
    assert said.code == 0, said.stderr
    [told] = [line for line in said.stderr.splitlines() if "cannot be compared" in line]
    assert "24.0 h" in told
    for time_point in ("delayed", "late"):
        folder = tmp_path / "out" / time_point
        np.testing.assert_array_equal(volume(folder / "recon.nii.gz").array, volume(folder / "recon_nac.nii.gz").array)
    warned = json.loads((tmp_path / "out" / "results.json").read_text())["warnings"]
    assert any("cannot be compared" in text for text in warned)


@pytest.mark.parametrize("hours", [3.0, 20.0, 24.0])
def test_an_injection_without_a_date_is_the_same_for_all(hours: float, small_phantom: Path, tmp_path: Path) -> None:
    first = _spects(small_phantom / "study")[0]
    for number in range(2):
        dataset = dcmread(first)
        for item in dataset.RadiopharmaceuticalInformationSequence:
            item.RadiopharmaceuticalStartTime = str(item.RadiopharmaceuticalStartDateTime)[8:14]
            del item.RadiopharmaceuticalStartDateTime
        start = datetime.strptime(dataset.AcquisitionDate + dataset.AcquisitionTime[:6], "%Y%m%d%H%M%S")
        start += timedelta(hours=number * hours)
        dataset.AcquisitionDate, dataset.AcquisitionTime = start.strftime("%Y%m%d"), start.strftime("%H%M%S")
        dataset.SOPInstanceUID += f".{number}"
        dataset.save_as(tmp_path / f"{number}.dcm")
    found = [a.header.hours_after_injection for a in read_study(tmp_path).acquisitions]
    assert found[0] == pytest.approx(4.0, abs=0.01)
    assert found[1] == pytest.approx(4.0 + hours, abs=0.01)


def _gated(source: Path, target: Path) -> None:
    """Copy an acquisition as gated: every frame twice, in the first gate and in the second."""
    dataset = dcmread(source)
    pixels = dataset.pixel_array
    values = list(dataset.ImageType)
    dataset.ImageType = [*values[:2], "GATED TOMO", *values[3:]]
    for keyword in ("EnergyWindowVector", "DetectorVector", "RotationVector", "AngularViewVector"):
        setattr(dataset, keyword, list(getattr(dataset, keyword)) * 2)
    dataset.TimeSlotVector = [1] * pixels.shape[0] + [2] * pixels.shape[0]
    dataset.NumberOfFrames = 2 * pixels.shape[0]
    dataset.PixelData = np.concatenate([pixels, pixels]).tobytes()
    dataset.save_as(target)


def test_gates_are_added_up_only_where_the_user_asks(small_spect: Path, tmp_path: Path) -> None:
    _gated(small_spect, tmp_path / "gated.dcm")
    refused = leukospect("recon", tmp_path / "gated.dcm", "-o", tmp_path / "no")
    assert refused.code == 3
    assert "GATED TOMO, of 2 gates or time frames" in refused.stderr
    assert "--sum-frames" in refused.stderr
    assert leukospect("run", tmp_path / "gated.dcm", "-o", tmp_path / "no", *FAST).code == 3
    quick = ("--iterations", 1, "--subsets", 5, "--no-resolution")
    assert leukospect("recon", tmp_path / "gated.dcm", "-o", tmp_path / "sum", "--sum-frames", *quick).code == 0
    assert leukospect("recon", small_spect, "-o", tmp_path / "once", *quick).code == 0
    twice, once = (volume(tmp_path / name / "recon.nii.gz").array for name in ("sum", "once"))
    np.testing.assert_allclose(twice, 2 * once, rtol=1e-4, atol=1e-6 * once.max())


def test_a_marrow_study_is_kept_apart_from_the_leukocytes(small_phantom: Path, tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    early, late = _spects(small_phantom / "study")
    shutil.copy(late, tmp_path / "study")
    dataset = dcmread(early)
    dataset.RadiopharmaceuticalInformationSequence[0].Radiopharmaceutical = "Tc-99m nanocolloid"
    dataset.save_as(tmp_path / "study" / "marrow.dcm")
    said = leukospect("run", tmp_path / "study", "-o", tmp_path / "out", *FAST)
    assert said.code == 0, said.stderr
    assert "marrow colloid is measured apart" in said.stderr
    assert (tmp_path / "out" / "recon.nii.gz").exists()  # one time is left, so it has no folder of its own
    assert (tmp_path / "out" / "marrow" / "recon.nii.gz").exists()
    only = leukospect("run", tmp_path / "study" / "marrow.dcm", "-o", tmp_path / "no", *FAST)
    assert only.code == 3
    assert "no leukocyte images" in only.stderr


def test_two_tracers_of_one_nuclide_cannot_be_told_apart(small_spect: Path, tmp_path: Path) -> None:
    dataset = dcmread(small_spect)
    colloid = deepcopy(dataset.RadiopharmaceuticalInformationSequence[0])
    colloid.Radiopharmaceutical = "Tc-99m nanocolloid"
    dataset.RadiopharmaceuticalInformationSequence.append(colloid)
    dataset.save_as(tmp_path / "both.dcm")
    said = leukospect("run", tmp_path / "both.dcm", "-o", tmp_path / "out", *FAST)
    assert said.code == 3
    assert "no energy window tells them apart" in said.stderr


def test_a_study_without_injection_time_is_told_it(small_phantom: Path, tmp_path: Path) -> None:
    """Telling the injection that was removed gives what the whole study gives."""
    (tmp_path / "study").mkdir()
    moments = set()
    for path in _spects(small_phantom / "study"):
        dataset = dcmread(path)
        item = dataset.RadiopharmaceuticalInformationSequence[0]
        moments.add(datetime.strptime(str(item.RadiopharmaceuticalStartDateTime)[:14], "%Y%m%d%H%M%S"))
        for keyword in ("RadiopharmaceuticalStartDateTime", "RadiopharmaceuticalStartTime"):
            if keyword in item:
                delattr(item, keyword)
        dataset.save_as(tmp_path / "study" / path.name)
    [injected] = moments
    untold = leukospect("run", tmp_path / "study", "-o", tmp_path / "no", *FAST)
    assert untold.code == 3
    assert "--injection-time" in untold.stderr
    said = leukospect(
        "run", tmp_path / "study", "-o", tmp_path / "out", "--injection-time", injected.isoformat(), *FAST
    )
    assert said.code == 0, said.stderr
    assert {path.name for path in (tmp_path / "out").iterdir() if path.is_dir()} >= {"delayed", "late"}
    late = leukospect("run", tmp_path / "study", "-o", tmp_path / "no", "--injection-time", "2100-01-01T08:00", *FAST)
    assert late.code == 3
    assert "after the start" in late.stderr
