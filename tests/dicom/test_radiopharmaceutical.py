"""What was injected: the compound's sort by its name, and two radiopharmaceuticals of one acquisition."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from leukospect.data import Projections, Radiopharmaceutical
from leukospect.dicom.read.nm import nm_acquisition
from tests.dicom.acquisitions import Tomo, item

CODES = {"Tc-99m": "C-163A8", "In-111": "C-145A4"}


def injected(name: str, nuclide: str = "Tc-99m", **elements: Any) -> Dataset:
    code = item(CodeValue=CODES[nuclide], CodingSchemeDesignator="SRT", CodeMeaning=nuclide)
    return item(
        Radiopharmaceutical=name,
        RadiopharmaceuticalStartDateTime="20240110080000",
        RadionuclideTotalDose=elements.pop("dose", 400),
        RadionuclideCodeSequence=Sequence([code]),
        **elements,
    )


def read(*injections: Dataset, **elements: Any) -> tuple[Projections, list[str]]:
    dataset = Tomo(elements=elements).dataset()
    dataset.RadiopharmaceuticalInformationSequence = Sequence(injections)
    assumptions: list[str] = []
    found = nm_acquisition(dataset, assumptions)
    assert isinstance(found, Projections)
    return found, assumptions


def tracer(found: Projections) -> Radiopharmaceutical:
    assert found.header.radiopharmaceutical is not None
    return found.header.radiopharmaceutical


@pytest.mark.parametrize(
    ("name", "sort"),
    [
        ("HMPAO leukocytes", "leukocytes"),
        ("99mTc-exametazime WBC", "leukocytes"),
        ("In-111 Oxine White Blood Cells", "leukocytes"),
        ("Leukozyten", "leukocytes"),
        ("Tc-99m sulphur colloid", "colloid"),
        ("NANOCOLL", "colloid"),
        ("Tc99m Bone Marrow", "colloid"),
        ("Antigranulocyte antibody (besilesomab)", "other"),
        ("Tc-99m MDP", "other"),
        ("red blood cells", "other"),
        ("something else", "unknown"),
        ("", "unknown"),
    ],
)
def test_the_sort_of_compound_follows_from_its_name(name: str, sort: str) -> None:
    assert tracer(read(injected(name))[0]).tracer == sort


def test_a_series_called_after_marrow_is_told_with_an_assumption() -> None:
    found, assumptions = read(injected(""), SeriesDescription="SPECT marrow colloid 30 min")
    assert tracer(found).tracer == "colloid"
    assert any("series description" in sentence for sentence in assumptions)


def test_of_two_radiopharmaceuticals_the_leukocytes_are_taken() -> None:
    found, assumptions = read(injected("sulfur colloid", dose=370), injected("oxine WBC", "In-111", dose=18))
    assert (tracer(found).nuclide, tracer(found).dose_mbq) == ("In-111", 18)
    assert [one.nuclide for one in found.header.other_radiopharmaceuticals] == ["Tc-99m"]
    assert any("2 radiopharmaceuticals" in sentence for sentence in assumptions)


def test_one_that_is_recorded_for_each_window_is_one() -> None:
    found, assumptions = read(*[injected("HMPAO WBC") for _ in range(3)])
    assert found.header.other_radiopharmaceuticals == ()
    assert not any("radiopharmaceuticals" in sentence for sentence in assumptions)


@pytest.mark.parametrize(
    ("meaning", "nuclide"),
    [("^123^Iodine", "I-123"), ("Iodine I 131", "I-131"), ("Thallium-201", "Tl-201"), ("^67^Gallium", "Ga-67"),
     ("177Lu", "Lu-177"), ("^111^Indium", "In-111"), ("nothing known", None)],
)  # fmt: skip
def test_a_nuclide_that_is_not_imaged_here_is_named(meaning: str, nuclide: str | None) -> None:
    one = injected("compound")
    one.RadionuclideCodeSequence = Sequence([item(CodeValue="X-1", CodingSchemeDesignator="99X", CodeMeaning=meaning)])
    found, assumptions = read(one)
    assert tracer(found).nuclide == nuclide
    assert any("not known here" in sentence for sentence in assumptions) == (nuclide is None)
