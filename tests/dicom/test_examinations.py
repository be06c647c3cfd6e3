"""A folder of several patients and examinations: nothing is mixed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import FileDataset

from leukospect.data import Study
from leukospect.dicom.read.study import read_study
from leukospect.errors import InputError
from tests.dicom.acquisitions import Tomo, ct_slices, nm_dataset, save


def spect(**elements: Any) -> FileDataset:
    injected = elements.pop("injected", "20240110080000")
    dataset = Tomo(elements=elements).dataset()
    dataset.RadiopharmaceuticalInformationSequence[0].RadiopharmaceuticalStartDateTime = injected
    return dataset


def ct(**elements: Any) -> list[FileDataset]:
    slices = ct_slices(np.zeros((3, 6, 5), np.int16), np.array([[0.0, 0.0, 3.0 * k] for k in range(3)]))
    for one in slices:
        for keyword, value in elements.items():
            setattr(one, keyword, value)
    return slices


def look(folder: Path) -> Study:
    return read_study(folder, one_patient=False)


def told(study: Study) -> set[tuple[str, float | None, tuple[int, int]]]:
    hours = [one.header.hours_after_injection for one in study.acquisitions]
    return {
        (one.header.kind, None if h is None else round(h, 2), place)
        for one, h, place in zip(study.acquisitions, hours, study.places, strict=True)
    }


def test_two_examinations_of_one_patient_each_with_its_ct(tmp_path: Path) -> None:
    later = {"StudyInstanceUID": "1.2.9", "FrameOfReferenceUID": "1.2.8", "AcquisitionDate": "20240710"}
    folder = save(tmp_path / "study", spect(), spect(AcquisitionTime="160000"),
                  spect(injected="20240710080000", **later), *ct(), *ct(**later))  # fmt: skip
    assert told(look(folder)) == {
        ("TOMO", 4.0, (1, 1)), ("TOMO", 8.0, (1, 1)), ("CT", None, (1, 1)),
        ("TOMO", 4.0, (1, 2)), ("CT", None, (1, 2)),
    }  # fmt: skip


def test_patients_are_never_mixed(tmp_path: Path) -> None:
    other = {"PatientID": "N2", "PatientName": "Some^Body"}
    views = [nm_dataset("STATIC", np.full((1, 8, 8), 5, np.uint16), (4.0, 4.0)) for _ in range(2)]
    for dataset, name in zip(views, ("anterior", "posterior"), strict=True):
        dataset.SeriesDescription = name
    views[1].PatientID, views[1].PatientName = "N2", "Some^Body"
    folder = save(tmp_path / "study", spect(), spect(**other), *ct(), *ct(**other), *views)
    study = look(folder)
    assert sorted(place for place in study.places) == [(1, 1)] * 3 + [(2, 1)] * 3
    assert [planar.view_names for planar in study.planar] == [("anterior",), ("posterior",)] or [
        planar.view_names for planar in study.planar
    ] == [("posterior",), ("anterior",)]
    with pytest.raises(InputError, match="2 patients"):
        read_study(folder)


def test_a_patient_whose_id_is_missing_in_some_files_is_one(tmp_path: Path) -> None:
    folder = save(tmp_path / "study", spect(), *ct(PatientID=""), spect(AcquisitionTime="160000", PatientName=""))
    assert look(folder).places == ()
    assert len(read_study(folder).acquisitions) == 3


def test_one_id_with_two_names_is_two_patients(tmp_path: Path) -> None:
    folder = save(tmp_path / "study", spect(), spect(AcquisitionTime="160000", PatientName="Some^Body"))
    assert set(look(folder).places) == {(1, 1), (2, 1)}


def test_a_marrow_study_with_an_injection_of_its_own_is_an_examination_of_its_own(tmp_path: Path) -> None:
    marrow = spect(injected="20240112080000", AcquisitionDate="20240112", AcquisitionTime="083000")
    marrow.RadiopharmaceuticalInformationSequence[0].Radiopharmaceutical = "Tc-99m colloid"
    assert told(look(save(tmp_path / "study", spect(), marrow))) == {("TOMO", 4.0, (1, 1)), ("TOMO", 0.5, (1, 2))}
