"""Tests from printed means: the figures of Ertuerk and Hasbek (2023, doi:10.47582/jompac.1307746)."""

from __future__ import annotations

import pytest

from leukospect.blood.summary_statistics import SummaryTest, compare_table
from leukospect.errors import InputError
from leukospect.files.delimited import table_of_text

WIDE = "marker,mean_positive,sd_positive,n_positive,mean_negative,sd_negative,n_negative\n"
PAPER = WIDE + "SII,1526,787,16,1025,370,20\nWBC,8.43,2.69,16,7.31,2.07,20\nHGB,12.4,1.9,16,13.55,1.67,20\n"


def compared(text: str) -> dict[str, SummaryTest]:
    return {test.marker: test for test in compare_table(table_of_text(text))}


def test_the_papers_p_values_follow_from_its_means() -> None:
    """It prints 0.017 for SII, 0.170 for WBC, and 0.049 for haemoglobin, which only rounding allows."""
    found = compared(PAPER)
    assert 0.016 < found["SII"].student_p.value < 0.018
    assert 0.16 < found["WBC"].student_p.value < 0.18
    assert found["WBC"].student_p.low < 0.170 < found["WBC"].student_p.high
    haemoglobin = found["HGB"].student_p
    assert haemoglobin.value == pytest.approx(0.062, abs=5e-4)
    assert (haemoglobin.low, haemoglobin.high) == pytest.approx((0.048, 0.079), abs=5e-4)


def test_unequal_deviations_make_welchs_test_the_sounder() -> None:
    found = compared(PAPER)
    assert found["SII"].sounder == "Welch's t"
    assert found["SII"].welch_p.value == pytest.approx(0.0292, abs=5e-5)
    assert found["WBC"].sounder == "Student's t"
    assert found["SII"].student_p_holm == pytest.approx(3 * found["SII"].student_p.value)


def test_zeros_at_the_end_are_figures_too() -> None:
    coarse, fine = compared(WIDE + "x,5,2,10,7,2,10\ny,5.00,2.00,10,7.00,2.00,10\n").values()
    assert coarse.student_p.value == fine.student_p.value
    assert coarse.student_p.low < fine.student_p.low < fine.student_p.high < coarse.student_p.high


def test_a_row_for_each_group_gives_the_same() -> None:
    long = "marker;group;mean;sd;n\nWBC;positive;8,43;2,69;16\nWBC;negative;7,31;2,07;20\n"
    assert compared(long)["WBC"].student_p == compared(PAPER)["WBC"].student_p


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (WIDE + "x,5,2,1,7,2,10\n", "Row 2 .*n is 1"),
        (WIDE + "x,5,2,10.5,7,2,10\n", "Row 2 .*n is 10.5"),
        (WIDE + "x,5,-2,10,7,2,10\n", "Row 2 .*negative"),
        (WIDE + "x,5,0,10,7,0,10\n", "Row 2 .*both standard deviations are 0"),
        (WIDE + "x,5,,10,7,2,10\n", "Row 2 .*standard deviation of a group is missing"),
        (WIDE + "x,5±2,2,10,7,2,10\n", "Row 2 .*not a number"),
        (WIDE + "x,5,2,10,7,2,10\nx,5,2,10,7,2,10\n", "Row 3 .*same marker"),
        ("marker,mean_positive\nx,5\n", "no column sd_positive"),
        ("marker,group,mean,sd,n\nx,positive,5,2,10\n", "one group only"),
        ("marker,group,mean,sd,n\nx,equivocal,5,2,10\n", "Row 2 .*neither positive nor negative"),
    ],
)
def test_figures_that_cannot_be_are_refused(text: str, match: str) -> None:
    with pytest.raises(InputError, match=match):
        compared(text)
