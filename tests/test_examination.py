"""What of a study may be compared: one injection, one way of correcting, and injections without a date."""

from __future__ import annotations

import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from leukospect.dicom.read.study import read_study
from tests.command_line import leukospect, volume

FAST = ("--set", "uncertainty.replicates=0", "--set", "registration.enabled=false",
        "--set", "reconstruction.iterations=1")  # fmt: skip


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
