"""Which of several reconstructions is taken for a SPECT, and the makers' kernels."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest

from leukospect.ct.reconstruction_kernel import kernel_kind
from leukospect.ct.series_choice import (
    Reconstruction,
    SpectPlace,
    choose_reconstruction,
    place_of_spect,
    reconstruction_of,
)
from leukospect.data import AcquisitionHeader, CtSeries, EnergyWindow, Geometry, Image, Orbit, Projections

NOON = datetime(2024, 1, 10, 12)
SPECT = SpectPlace("1.2.1", NOON, (-300.0, 100.0))
PLAIN = Reconstruction(
    slices=150,
    z_mm=(-350.0, 100.0),
    thickness_mm=3.0,
    kernel="B31s",
    manufacturer="SIEMENS",
    metal_reduction="",
    original_axial=True,
    complete=True,
    frame_of_reference_uid="1.2.1",
    start=NOON,
)
SHARP = replace(PLAIN, kernel="B70f")
THIN = replace(PLAIN, thickness_mm=1.0, slices=450)


@pytest.mark.parametrize(
    ("maker", "kernel", "kind"),
    [
        ("SIEMENS", "B31s", "soft"),
        ("SIEMENS", "Br38f\\3", "soft"),
        ("Siemens Healthineers", "I50f\\3", "medium"),
        ("SIEMENS", "Bl57", "medium"),
        ("SIEMENS", "B70f", "sharp"),
        ("SIEMENS", "Br64d", "sharp"),
        ("SIEMENS", "Sd36f", "other"),
        ("GE MEDICAL SYSTEMS", "STANDARD", "soft"),
        ("GE MEDICAL SYSTEMS", "DETAIL", "medium"),
        ("GE MEDICAL SYSTEMS", "BONEPLUS", "sharp"),
        ("GE MEDICAL SYSTEMS", "LUNG", "sharp"),
        ("Philips", "B", "soft"),
        ("Philips Medical Systems", "YA", "sharp"),
        ("Philips", "L", "sharp"),
        ("TOSHIBA_MEC", "FC08-H", "soft"),
        ("Canon Medical Systems", "FC52", "sharp"),
        ("Canon", "FC30", "sharp"),
        ("", "FC55", "sharp"),
        ("", "B31s", "soft"),
        ("Hitachi", "32", "unknown"),
        ("Hitachi", "B31s", "soft"),
        ("SIEMENS", "", "unknown"),
        ("GE MEDICAL SYSTEMS", "B", "unknown"),
        ("Philips", "(*", "unknown"),
    ],
)
def test_kernels(maker: str, kernel: str, kind: str) -> None:
    assert kernel_kind(maker, kernel) == kind


@pytest.mark.parametrize(
    ("better", "worse", "why"),
    [
        (SHARP, replace(THIN, frame_of_reference_uid="1.2.9"), "in the SPECT's frame"),
        (SHARP, replace(THIN, start=NOON + timedelta(hours=3)), "nearest to it in time"),
        (SHARP, replace(THIN, complete=False), "without gaps"),
        (SHARP, replace(THIN, original_axial=False), "original axial"),
        (PLAIN, replace(THIN, kernel="B70f"), "soft-tissue kernel"),
        (PLAIN, replace(THIN, kernel="strange"), "soft-tissue kernel"),
        (replace(PLAIN, kernel="strange"), replace(THIN, kernel="B70f"), "softer kernel"),
        (PLAIN, replace(THIN, z_mm=(-100.0, 100.0)), "covering more of the SPECT"),
        (replace(PLAIN, metal_reduction="iMAR"), THIN, r"metal reduced by the scanner \(iMAR\)"),
        (THIN, replace(PLAIN, slices=900), "thinnest"),
        (THIN, replace(PLAIN, thickness_mm=None), "thinnest"),
        (replace(PLAIN, slices=151), PLAIN, "most slices"),
    ],
)
def test_each_criterion_outweighs_all_that_follow(better: Reconstruction, worse: Reconstruction, why: str) -> None:
    for found, expected in (((better, worse), 0), ((worse, better), 1)):
        index, sentence = choose_reconstruction(found, SPECT)
        assert index == expected
        assert sentence.startswith("2 CT series were found (")
        assert re.search(why, sentence), sentence


def test_without_a_spect_a_short_thin_detail_is_not_the_scan() -> None:
    detail = replace(THIN, slices=60, z_mm=(0.0, 60.0))
    assert choose_reconstruction([detail, PLAIN])[0] == 1
    assert choose_reconstruction([detail, PLAIN], replace(SPECT, z_mm=(5.0, 55.0)))[0] == 0


def test_a_criterion_that_tells_nothing_apart_is_not_a_reason() -> None:
    index, sentence = choose_reconstruction([SHARP, PLAIN], SPECT)
    assert index == 1
    assert "frame" not in sentence
    assert "thin" not in sentence
    assert (
        "; they are alike, and the first is taken; give the folder" in choose_reconstruction([PLAIN, PLAIN], SPECT)[1]
    )


def test_a_single_slice_is_no_scan_without_gaps() -> None:
    """A slice that monitors contrast agent lies beside a scan that lost one of its own."""
    torn, monitor = replace(SHARP, complete=False), replace(PLAIN, slices=1, z_mm=(-100.0, -97.0))
    assert choose_reconstruction([monitor, torn])[0] == 1
    assert choose_reconstruction([monitor, SHARP])[0] == 1
    assert choose_reconstruction([replace(PLAIN, z_mm=(-350.0, -100.0)), torn])[0] == 0


def test_what_differs_is_told() -> None:
    fine = replace(PLAIN, matrix=(512, 512), pixel_mm=(0.75, 0.75), series_number="4")
    coarse = replace(fine, matrix=(256, 256), pixel_mm=(1.5, 1.5), series_number="5")
    zoomed = replace(fine, pixel_mm=(0.5, 0.5), series_number="6")
    index, sentence = choose_reconstruction([zoomed, coarse, fine])
    assert index == 2
    assert "kernel B31s 256 x 256 pixels of 1.5 x 1.5 mm series 5, " in sentence
    assert sentence.endswith("the one of the widest field of view, of the finest pixels is taken.")
    index, sentence = choose_reconstruction([replace(fine, z_mm=(600.0, 1050.0), frame_of_reference_uid="1.9"), fine])
    assert index == 0
    assert "z 600 to 1050 mm" in sentence
    assert "z -350 to 100 mm" in sentence
    assert sentence.endswith(
        "; nothing else tells which is meant, and the first is taken, and what only others show is left out; give the "
        "folder of the one that is meant."
    )
    assert "alike" not in sentence
    third = replace(fine, kernel="B70f")
    assert (
        "; of those of a soft-tissue kernel the first is taken; give"
        in choose_reconstruction([third, fine, replace(fine, series_number="7")])[1]
    )


def test_for_our_own_reduction_the_one_without_the_scanners_is_taken() -> None:
    reduced = replace(PLAIN, metal_reduction="O-MAR")
    assert choose_reconstruction([reduced, PLAIN], metal_reduced=False)[0] == 1
    assert choose_reconstruction([reduced, PLAIN])[0] == 0


def test_many_are_not_all_listed() -> None:
    sentence = choose_reconstruction([PLAIN] * 9)[1]
    assert sentence.count("150 slices") == 6
    assert "3 more" in sentence


def test_what_is_known_of_a_ct_and_of_a_spect() -> None:
    tilt = np.deg2rad(90.0)
    axial = Geometry.axial((10, 4, 5), (2.0, 1.0, 1.0), (0.0, 0.0, 100.0), "1.2")
    coronal = np.eye(4)
    coronal[:3, :3] = [[0, 0, 1.0], [2.0 * np.sin(tilt), 0, 0], [0, -1.0, 0]]
    header = AcquisitionHeader("CT", NOON, manufacturer="SIEMENS")
    made = reconstruction_of(CtSeries(Image(np.zeros((10, 4, 5)), axial), header, kernel="B70f"))
    assert made.z_mm == (99.0, 119.0)
    assert (made.kernel_kind, made.original_axial, made.slices) == ("sharp", True, 10)
    turned = Geometry((10, 4, 5), coronal)
    assert not reconstruction_of(CtSeries(Image(np.zeros((10, 4, 5)), turned), header)).original_axial
    mip = replace(header, description="Abdomen MIP cor")
    assert not reconstruction_of(CtSeries(Image(np.zeros((10, 4, 5)), axial), mip)).original_axial

    spect = Projections(
        np.zeros((1, 2, 30, 8), np.float32), (EnergyWindow(((126.0, 154.0),)),), Orbit(np.array([0.0, 180.0])),
        (4.0, 5.0), (0.0, 0.0), 50.0, np.zeros(2), np.ones(2), AcquisitionHeader("TOMO", NOON),
    )  # fmt: skip
    assert place_of_spect(spect).z_mm == (52.0 - 120.0, 52.0)
