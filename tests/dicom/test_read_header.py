"""Times, doses and nuclides as they are found in the wild."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from leukospect.dicom.elements import library_warnings_silenced
from leukospect.dicom.read.header import acquisition_header, energy_windows, patient_position
from leukospect.dicom.read.nm import nm_acquisition
from leukospect.dicom.read.times import acquisition_start, date_and_time, moment
from leukospect.errors import InputError
from tests.dicom.acquisitions import Tomo, item

NOON = {"AcquisitionDate": "20240110", "AcquisitionTime": "120000"}


def injected(modality: str = "NM", **elements: Any) -> Dataset:
    given = item(**elements)
    return item(Modality=modality, RadiopharmaceuticalInformationSequence=Sequence([given]), **NOON)


def nuclide_code(value: str, meaning: str) -> Sequence:
    return Sequence([item(CodeValue=value, CodingSchemeDesignator="X", CodeMeaning=meaning)])


def test_dates_and_times() -> None:
    assert date_and_time("20240110", "235959.25") == datetime(2024, 1, 10, 23, 59, 59, 250000)
    assert date_and_time("2024.01.10", "07:05") == datetime(2024, 1, 10, 7, 5)
    assert moment("20240110120000.5+0100") == datetime(2024, 1, 10, 12, 0, 0, 500000)
    for date, time in (("", "120000"), ("20240110", ""), ("20241340", "120000"), ("20240110", "250000")):
        assert date_and_time(date, time) is None


@pytest.mark.parametrize(
    ("elements", "start", "assumed"),
    [
        (NOON, datetime(2024, 1, 10, 12), 0),
        ({"AcquisitionDateTime": "20240110120000.0"}, datetime(2024, 1, 10, 12), 0),
        ({"SeriesDate": "20240110", "SeriesTime": "1201"}, datetime(2024, 1, 10, 12, 1), 1),
        ({"ContentDate": "20240110", "ContentTime": "1202"}, datetime(2024, 1, 10, 12, 2), 1),
        ({}, None, 1),
    ],
)
def test_start_of_counting(elements: dict[str, str], start: datetime | None, assumed: int) -> None:
    said: list[str] = []
    assert acquisition_start(item(**elements), said) == start
    assert len(said) == assumed


@pytest.mark.parametrize(
    ("elements", "hours", "assumed"),
    [
        ({"RadiopharmaceuticalStartDateTime": "20240110080000"}, 4.0, 0),
        ({"RadiopharmaceuticalStartDateTime": "20240109120000"}, 24.0, 0),
        ({"RadiopharmaceuticalStartTime": "103000"}, 1.5, 1),
        ({"RadiopharmaceuticalStartTime": "180000"}, 18.0, 1),
        ({"RadiopharmaceuticalStartDateTime": "20240110180000"}, None, 1),
        ({"RadiopharmaceuticalStartDateTime": "20240110080000+0100"}, 4.0, 1),
        ({"RadiopharmaceuticalStartDateTime": "20240110080000+0100", "TimezoneOffsetFromUTC": "+0200"}, 3.0, 0),
        ({"RadiopharmaceuticalStartDateTime": "20240110080000-0330", "TimezoneOffsetFromUTC": "-0500"}, 5.5, 0),
        ({"RadiopharmaceuticalStartDateTime": "20240110"}, None, 1),
        ({"RadiopharmaceuticalStartDateTime": "20240110080000", "RadiopharmaceuticalStartTime": "0800"}, 4.0, 0),
        ({"RadiopharmaceuticalStartDateTime": "20240110080000", "RadiopharmaceuticalStartTime": "0900"}, 4.0, 1),
        ({"RadiopharmaceuticalStartDateTime": "20231210120000"}, 744.0, 1),
        ({}, None, 0),
    ],
)
def test_hours_after_injection(elements: dict[str, str], hours: float | None, assumed: int) -> None:
    zone = {key: elements[key] for key in elements if key == "TimezoneOffsetFromUTC"}
    dataset = injected(**{key: value for key, value in elements.items() if key not in zone})
    dataset.update(item(**zone))
    header = acquisition_header(dataset, "TOMO", [])
    assert header.hours_after_injection == hours
    assert len(header.assumptions) == assumed


@pytest.mark.parametrize(
    ("modality", "dose", "mbq", "assumed"),
    [
        ("NM", 400, 400.0, 0),
        ("NM", 4e8, 400.0, 1),
        ("NM", 1e20, None, 1),
        ("NM", 0, None, 0),
        ("NM", 1.0, 1.0, 1),
        ("PT", 4e8, 400.0, 0),
    ],
)
def test_doses(modality: str, dose: float, mbq: float | None, assumed: int) -> None:
    kind: Any = "PET" if modality == "PT" else "TOMO"
    header = acquisition_header(injected(modality, RadionuclideTotalDose=dose), kind, [])
    assert header.radiopharmaceutical is not None
    assert header.radiopharmaceutical.dose_mbq == mbq
    assert len(header.assumptions) == assumed


@pytest.mark.parametrize(
    ("elements", "nuclide"),
    [
        ({"RadionuclideCodeSequence": nuclide_code("C-163A8", "")}, "Tc-99m"),
        ({"RadionuclideCodeSequence": nuclide_code("C-145A4", "")}, "In-111"),
        ({"RadionuclideCodeSequence": nuclide_code("72454006", "")}, "Tc-99m"),
        ({"RadionuclideCodeSequence": nuclide_code("?", "^111^Indium")}, "In-111"),
        ({"RadionuclideCodeSequence": nuclide_code("?", "Technetium Tc 99m")}, "Tc-99m"),
        ({"RadionuclideCodeSequence": nuclide_code("?", "^133^Barium")}, None),
        ({"Radiopharmaceutical": "99mTc-HMPAO leukocytes"}, "Tc-99m"),
        ({"Radiopharmaceutical": "In-111 oxine"}, "In-111"),
        ({"Radiopharmaceutical": "Tc-99m and In-111"}, None),
        ({"Radiopharmaceutical": "Intravenous 1110"}, None),
    ],
)
def test_nuclides(elements: dict[str, Any], nuclide: str | None) -> None:
    header = acquisition_header(injected(**elements), "TOMO", [])
    assert header.radiopharmaceutical is not None
    assert header.radiopharmaceutical.nuclide == nuclide


@pytest.mark.parametrize(("code", "assumed"), [("C-163A8", 1), ("C-145A4", 0)])
def test_a_dose_in_millicurie_is_suspected_by_the_nuclide(code: str, assumed: int) -> None:
    header = acquisition_header(
        injected(RadionuclideTotalDose=13.5, RadionuclideCodeSequence=nuclide_code(code, "")), "TOMO", []
    )
    assert len(header.assumptions) == assumed


def test_the_header_keeps_no_patient() -> None:
    dataset = injected()
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = "Doe^Jane", "4711", "19700102"
    assert not any(word in repr(acquisition_header(dataset, "TOMO", [])) for word in ("Doe", "4711", "1970"))


def test_positions_from_codes() -> None:
    def lying(entry: str, modifier: str) -> Dataset:
        inner = item(PatientOrientationModifierCodeSequence=Sequence([item(CodeValue=modifier)]))
        return item(
            PatientGantryRelationshipCodeSequence=Sequence([item(CodeValue=entry)]),
            PatientOrientationCodeSequence=Sequence([inner]),
        )

    assert patient_position(lying("F-10470", "F-10340")) == "HFS"
    assert patient_position(lying("F-10480", "F-10310")) == "FFP"
    assert patient_position(lying("102541007", "40199007")) == "FFS"
    assert patient_position(lying("?", "F-10340")) == ""


def test_windows_of_several_ranges_and_without_any() -> None:
    ranges = Sequence(
        item(EnergyWindowLowerLimit=low, EnergyWindowUpperLimit=high) for low, high in ((154, 188), (221, 270))
    )
    dataset = item(
        NumberOfEnergyWindows=2,
        EnergyWindowInformationSequence=Sequence([item(EnergyWindowRangeSequence=ranges), item()]),
    )
    said: list[str] = []
    windows = energy_windows(dataset, said)
    assert windows[0].ranges_kev == ((154.0, 188.0), (221.0, 270.0))
    assert windows[1].name == "not recorded"
    assert len(said) == 1


def test_garbage_is_named_by_its_element_and_not_quoted() -> None:
    dataset = Dataset.from_json(
        {"00281050": {"vr": "DS", "Value": ["1"]}, "00540011": {"vr": "LO", "Value": ["Doe^Jane"]}}
    )
    with library_warnings_silenced(), pytest.raises(InputError, match="Number of Energy Windows") as raised:
        energy_windows(dataset, [])
    assert "Doe" not in str(raised.value)


def test_pixels_that_were_compressed_with_loss_are_said() -> None:
    assumptions: list[str] = []
    nm_acquisition(Tomo(elements={"LossyImageCompression": "01"}).dataset(), assumptions)
    assert any("compressed with loss" in sentence for sentence in assumptions)
