"""Reading a blood table: headings, units, and what is refused with its row named."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from leukospect.blood.count_units import factor_to_10e9_per_litre
from leukospect.blood.headings import heading
from leukospect.blood.patients import Patients, patients_of
from leukospect.errors import AssumptionWarning, InputError, LeukospectError, MissingInformationError
from leukospect.files.delimited import table_of_text

HEADER = "patient,flag,WBC (10^9/L),neutrophils (10^9/L),lymphocytes (10^9/L),platelets (10^9/L)\n"


def read(text: str, *, neutrophils_are_wbc: bool = False) -> Patients:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)
        return patients_of(table_of_text(text), neutrophils_are_wbc=neutrophils_are_wbc)


def values(patients: Patients, name: str) -> list[float]:
    return next(list(marker.values) for marker in patients.markers if marker.name == name)


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("10^9/L", 1.0), ("x10^9/l", 1.0), ("×10⁹/L", 1.0), ("10e9/L", 1.0), ("1e9/L", 1.0), ("10*9/L", 1.0),
        ("G/L", 1.0),
        ("10^3/uL", 1.0), ("10³/µL", 1.0), ("K/uL", 1.0), ("10^9 cells/L", 1.0), ("10^3/mm3", 1.0), ("/nL", 1.0),
        ("/uL", 1e-3), ("cells/mm3", 1e-3), ("cells per µL", 1e-3), ("/mm^3", 1e-3), ("10^6/L", 1e-3), ("/L", 1e-9),
    ],
)  # fmt: skip
def test_units_of_counts_are_told_apart(unit: str, factor: float) -> None:
    assert factor_to_10e9_per_litre(unit) == factor


@pytest.mark.parametrize("unit", ["mg/dL", "g", "10^9", "fL", "L/10^9", "10^9/parsec"])
def test_other_units_are_no_units_of_counts(unit: str) -> None:
    assert factor_to_10e9_per_litre(unit) is None


@pytest.mark.parametrize(
    ("text", "meaning", "unit"),
    [
        ("Neutrophils (10^9/L)", "neutrophils", "10^9/L"), ("NEU#", "neutrophils", ""), ("N", "neutrophils", ""),
        ("PLT 10^3/uL", "platelets", "10^3/uL"), ("wbc [/µL]", "wbc", "/µL"), ("Leukozyten", "wbc", ""),
        ("LYM %", "", "%"), ("Lymphocytes (%)", "", "%"), ("CRP (mg/L)", "crp", "mg/L"), ("Patient ID", "patient", ""),
        ("Scan", "flag", ""), ("absolute_neutrophil_count", "neutrophils", ""), ("height (cm)", "", "cm"),
    ],
)  # fmt: skip
def test_headings_are_understood_as_people_write_them(text: str, meaning: str, unit: str) -> None:
    understood = heading(text)
    assert (understood.meaning, understood.unit) == (meaning, unit)


def test_indices_are_ratios_of_absolute_counts() -> None:
    found = read(HEADER + "a,positive,8.0,5.0,2.0,300\n")
    assert values(found, "NLR") == [2.5]
    assert values(found, "PLR") == [150.0]
    assert values(found, "SII") == [750.0]


def test_units_separators_and_decimal_marks_do_not_change_the_indices() -> None:
    plain = read(HEADER + "a,positive,8.1,5.2,2.0,300\n")
    other = read("\ufeffPatient;Scan;WBC (/µL);Neut. (/mm3);LYM# [10³/µL];PLT G/L\r\n\r\na;POS;8100;5200,0;2,0;300\r\n")
    tabbed = read("sep=\t\nid\tgroup\twbc\tn\tl\tp\na\t+\t8,1\t5,2\t2\t300\n")
    for name in ("NLR", "PLR", "SII", "WBC"):
        assert values(plain, name) == pytest.approx(values(other, name))
        assert values(plain, name) == pytest.approx(values(tabbed, name))
    assert other.row_numbers == (3,)
    assert plain.flags == other.flags == tabbed.flags == ("positive",)


CASES = "patient,WBC,neutrophils,lymphocytes,platelets\n1,5.66,5.66,1.79,172\n2,9.31,9.31,0.96,171\n"


def test_the_source_papers_cases_need_its_convention() -> None:
    """Case 1: platelets 172, lymphocytes 1.79, SII 544, WBC 5.66; case 2: SII 1658, WBC 9.31, NLR 9.70, PLR 178."""
    with pytest.raises(InputError, match=r"Row 2 .*neutrophils.*lymphocytes.*more than WBC.*--neutrophils-are-wbc"):
        read(CASES)
    found = read(CASES, neutrophils_are_wbc=True)
    assert [round(value) for value in values(found, "SII")] == [544, 1658]
    assert round(values(found, "NLR")[1], 2) == 9.70
    assert round(values(found, "PLR")[1]) == 178
    assert "neutrophils" not in [marker.name for marker in found.markers]


def test_the_convention_is_said() -> None:
    with pytest.warns(AssumptionWarning, match="Total leukocytes .* neutrophils' place"):
        patients_of(table_of_text("flag,WBC (G/L),L (G/L),P (G/L)\npositive,5.66,1.79,172\n"), neutrophils_are_wbc=True)


@pytest.mark.parametrize(
    ("row", "match"),
    [
        ("a,positive,7,,2,200", "Row 3 .*neutrophils is missing"),
        ("a,positive,7,NaN,2,200", "Row 3 .*neutrophils is missing"),
        ("a,positive,7,inf,2,200", "Row 3 .*not a number"),
        ("a,positive,7,4 G/L,2,200", "Row 3 .*not a number"),
        ("a,positive,7,-4,2,200", "Row 3 .*negative"),
        ("a,positive,7,4,0,200", "Row 3 .*lymphocytes are 0"),
        ("a,positive,7,5,2.01,200", "Row 3 .*together are more than WBC"),
        ("a,positive,7000,5,2,200", "Row 3 .*WBC of 7000.*not plausible"),
        ("a,positive,7,4,2,200000", "Row 3 .*platelets of 200000.*not plausible"),
        ("a,positive,7,4,0.002,200", "Row 3 .*lymphocytes of 0.002.*not plausible"),
        ("a,perhaps,7,4,2,200", "Row 3 .*none of positive"),
        ("a,,7,4,2,200", "Row 3 .*has no flag"),
        (",positive,7,4,2,200", "Row 3 .*'patient' is missing"),
        ("FIRST  one,negative,7,4,2,200", "Row 3 .*same patient as row 2"),
        ("a,positive,7,4,2", "Row 3 .*5 cells"),
        ("a,positive,7,2,4,2,2,200", "Row 3 .*8 cells.*semicolons"),
    ],
)
def test_a_row_that_cannot_be_is_refused_by_its_number(row: str, match: str) -> None:
    with pytest.raises(InputError, match=match) as refused:
        read(f"{HEADER}First one,positive,7,4,2,200\n{row}\n")
    assert "irst one" not in str(refused.value)


@pytest.mark.parametrize("table", ["flag,n,neut,l,p\npositive,4,4,2,200\n", "flag,n,l,p,x,X\npositive,4,2,200,1,2\n"])
def test_two_columns_of_one_meaning_are_refused(table: str) -> None:
    with pytest.raises(InputError, match="keep one"):
        read(table)


def test_shares_of_the_leukocytes_are_no_counts() -> None:
    with pytest.raises(
        MissingInformationError, match=r"no column of neutrophils, lymphocytes.*per cent \(NE %, LY %\)"
    ):
        read("flag,WBC,NE %,LY %,PLT\npositive,7,60,30,200\n")


def test_a_unit_of_something_else_is_refused() -> None:
    with pytest.raises(InputError, match=r"neutrophils \(mg/dL\)"):
        read("flag,neutrophils (mg/dL),lymphocytes,platelets\npositive,4,2,200\n")


def test_a_unit_that_is_not_told_is_said() -> None:
    with pytest.warns(AssumptionWarning, match="No unit is told of n, p;"):
        patients_of(table_of_text("flag,WBC (G/L),n,l (G/L),p\npositive,7,4,2,200\n"))


@pytest.mark.parametrize("cell", ["2.000", '"2,000.0"'])
def test_a_number_that_could_be_two_is_refused(cell: str) -> None:
    with pytest.raises(InputError, match="'l' is not a number"):
        read(f"flag;wbc;n;l;p\npositive;7,1;4,1;{cell};200\n")


@pytest.mark.parametrize(
    "text",
    ["", "\n\n", "one\n1\n", HEADER, "a,b\n1,2\n", 'a,b,"c\n1,2,3\n', "a,,b\n1,2,3\n", "a" * 200_000 + ",b\n1,2\n"],
)
def test_what_is_no_table_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(LeukospectError):
        read(text)


def test_other_columns_are_numbers_groups_or_left_out() -> None:
    rows = "".join(
        f"{i},{'+' if i % 2 else '-'},4,2,200,{i}.5,{'M' if i % 3 else 'f'},{i % 2},Name {i},\n" for i in range(8)
    )
    text = "id,flag,n,l,p,CRP (mg/L),sex,diabetes,surname,empty\n" + rows.replace("3.5", "")
    with pytest.warns(AssumptionWarning) as said:
        found = patients_of(table_of_text(text))
    assert [marker.title for marker in found.markers][-1] == "CRP (mg/L)"
    assert math.isnan(values(found, "CRP")[3])
    assert [(c.name, c.levels) for c in found.categories] == [("sex", ("f", "m")), ("diabetes", ("0", "1"))]
    texts = [str(one.message) for one in said]
    assert any("'surname', 'empty'" in text for text in texts)
    assert any("'CRP (mg/L)' is missing in 1 of 8 rows" in text for text in texts)
    assert np.isfinite(values(found, "SII")).all()


def test_text_in_a_column_of_numbers_is_refused() -> None:
    with pytest.raises(InputError, match=r"Row 3 .*'CRP' is not a number"):
        read("flag,n,l,p,CRP\n+,4,2,200,3\n-,4,2,200,<0.5\n")


def test_percentages_without_a_unit_are_refused_and_high_counts_of_one_patient_are_not() -> None:
    shares = "patient,flag,neutrophils,lymphocytes,platelets\na,positive,72,19,250\nb,negative,64,28,310\n"
    with pytest.raises(InputError, match="as percentages of the leukocytes do"):
        read(shares)
    fractions = (
        "patient,flag,WBC,neutrophils,lymphocytes,platelets\na,positive,9,0.72,0.19,250\nb,negative,7,0.64,0.28,310\n"
    )
    with pytest.raises(InputError, match="as fractions of the leukocytes do"):
        read(fractions)
    told = shares.replace("neutrophils,lymphocytes", "neutrophils (10^9/L),lymphocytes (10^9/L)")
    assert values(read(told), "neutrophils") == [72.0, 64.0]
    counts = "patient,flag,neutrophils,lymphocytes,platelets\na,positive,55,3,250\nb,negative,4,2,310\n"
    assert values(read(counts), "neutrophils") == [55.0, 4.0]
