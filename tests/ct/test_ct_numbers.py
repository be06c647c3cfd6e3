"""A CT whose numbers are not HU of a known tube voltage is refused, or told."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from leukospect.ct.ct_numbers import refuse_other_scales, voltage_of_numbers
from leukospect.data import AcquisitionHeader, CtSeries, Geometry, Image
from leukospect.errors import AssumptionWarning, InputError, MissingInformationError

SHAPE = (6, 80, 96)


def ct_of(tissue_hu: float = 40.0, air_hu: float = -1000.0, **more: Any) -> CtSeries:
    j, i = np.mgrid[: SHAPE[1], : SHAPE[2]]
    plane = np.where(np.hypot((j - 40) / 30, (i - 50) / 38) < 1, tissue_hu, air_hu)
    hu = np.repeat(plane[None], SHAPE[0], axis=0) + np.random.default_rng(1).normal(0, 12, SHAPE)
    image = Image(hu.astype(np.float32), Geometry.axial(SHAPE, (4.0, 3.0, 2.5), (0, 0, 0)), "HU")
    made = CtSeries(image, AcquisitionHeader("CT", manufacturer="SIEMENS"), 120.0, "Br38f")
    return replace(made, **more)


def test_an_ordinary_ct_passes_without_a_word() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert voltage_of_numbers(ct_of()) == 120.0
        assert voltage_of_numbers(ct_of(kvp=100.0), 100.0) == 100.0
        for tissue in (-100.0, 0.0, 150.0):
            voltage_of_numbers(ct_of(tissue))


def test_a_recorded_voltage_is_taken_and_said_where_another_was_assumed() -> None:
    with pytest.warns(AssumptionWarning, match="records 100 kV, which is taken; the assumed 120 kV is not used"):
        assert voltage_of_numbers(ct_of(kvp=100.0), 120.0) == 100.0


def test_an_unknown_voltage_is_taken_only_when_it_is_told() -> None:
    with pytest.raises(MissingInformationError, match=r"tube voltage \(KVP\).*attenuation\.assumed_kvp"):
        voltage_of_numbers(ct_of(kvp=None))
    with pytest.warns(AssumptionWarning, match="mapped like those of 130 kV"):
        assert voltage_of_numbers(ct_of(kvp=None), 130.0) == 130.0


@pytest.mark.parametrize("more", [{"spectral": "a monoenergetic image"}, {"kernel": "Sd36f"}])
def test_numbers_of_no_tube_spectrum_are_not_mapped_by_its_voltage(more: dict[str, Any]) -> None:
    with pytest.raises(MissingInformationError, match="not those of the tube's spectrum"):
        voltage_of_numbers(ct_of(**more))
    with pytest.warns(AssumptionWarning, match="mapped like those of 100 kV"):
        assert voltage_of_numbers(ct_of(**more), 100.0) == 100.0


def test_a_sharp_kernel_is_told() -> None:
    with pytest.warns(AssumptionWarning, match=r"kernel \(Br69d\) is a sharp one"):
        assert voltage_of_numbers(ct_of(kernel="Br69d")) == 120.0


@pytest.mark.parametrize(
    ("tissue", "air"), [(1064.0, 24.0), (1040.0, 0.0), (400.0, -1000.0), (0.5, 0.0002), (-360.0, -1000.0)]
)
def test_another_scale_is_refused(tissue: float, air: float) -> None:
    made = ct_of(tissue, air).image
    scaled = np.maximum(made.array, 0) if air >= 0 else made.array  # stored values are not negative
    with pytest.raises(InputError, match="rescale"):
        refuse_other_scales(Image(scaled * (1000 if tissue < 1 else 1), made.geometry))


def test_a_piece_of_tissue_without_air_is_no_other_scale() -> None:
    inside = ct_of(30.0, 30.0).image
    refuse_other_scales(inside)
    fat = np.array(inside.array)
    fat[:, ::5] = -100
    refuse_other_scales(Image(fat, inside.geometry))
