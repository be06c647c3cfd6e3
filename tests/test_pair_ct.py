"""Which CT of a study corrects which SPECT."""

from __future__ import annotations

import warnings
from datetime import datetime, timedelta

import numpy as np
import pytest

from leukospect.data import AcquisitionHeader, CtSeries, EnergyWindow, Geometry, Image, Orbit, Projections, Study
from leukospect.errors import AssumptionWarning
from leukospect.examination import pair_ct

NOON = datetime(2024, 1, 10, 12)


def ct(kernel: str = "B31s", frame: str | None = "1.2", minutes: float = 0.0, thickness: float = 3.0,
       reduction: str = "") -> CtSeries:  # fmt: skip
    geometry = Geometry.axial((60, 3, 4), (3.0, 1.0, 1.0), (0.0, 0.0, -120.0), frame)
    header = AcquisitionHeader(
        "CT", NOON + timedelta(minutes=minutes), manufacturer="SIEMENS", frame_of_reference_uid=frame
    )
    image = Image(np.zeros((60, 3, 4), np.float32), geometry, "HU")
    return CtSeries(image, header, 110.0, kernel, thickness, metal_reduction=reduction)


def spect(frame: str | None = "1.2") -> Projections:
    return Projections(
        np.zeros((1, 2, 30, 8), np.float32), (EnergyWindow(((126.0, 154.0),)),), Orbit(np.array([0.0, 180.0])),
        (4.0, 5.0), (0.0, 0.0), 50.0, np.zeros(2), np.ones(2),
        AcquisitionHeader("TOMO", NOON, frame_of_reference_uid=frame),
    )  # fmt: skip


def paired(found: list[CtSeries], projections: Projections | None = None) -> tuple[CtSeries | None, list[str]]:
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always", AssumptionWarning)
        chosen = pair_ct(projections or spect(), Study(tuple(found)))
    return chosen, [str(one.message) for one in raised]


def test_the_only_ct_of_the_frame_is_taken_without_a_word() -> None:
    own = ct()
    assert paired([ct(frame="1.9"), own]) == (own, [])


@pytest.mark.parametrize("turned", [False, True])
def test_of_reconstructions_of_one_scan_the_soft_one_is_taken_and_said(turned: bool) -> None:
    soft, sharp, late = ct(), ct("B70f", thickness=1.0, minutes=-2), ct(minutes=300, thickness=1.0)
    chosen, said = paired([late, sharp, soft] if turned else [soft, sharp, late])
    assert chosen is soft
    assert len(said) == 1
    assert said[0].endswith("the one nearest to it in time, of a soft-tissue kernel is taken.")


def test_of_scans_at_other_times_the_nearest_is_taken() -> None:
    near = ct("B70f", minutes=-30)
    assert paired([ct(minutes=240), near])[0] is near


def test_the_scanners_metal_reduction_is_preferred() -> None:
    reduced = ct(reduction="iMAR")
    assert paired([ct(thickness=1.0), reduced])[0] is reduced


def test_without_a_frame_the_reconstructions_of_the_only_scan_serve() -> None:
    soft = ct(frame=None)
    chosen, said = paired([ct("B70f", frame=None, minutes=1), soft])
    assert chosen is soft
    assert any("taken as aligned" in sentence for sentence in said)
    chosen, said = paired([ct(frame=None, minutes=300), soft])
    assert chosen is None
    assert any("taken without a CT" in sentence for sentence in said)
