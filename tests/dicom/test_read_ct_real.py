"""Real CTs against what their headers say, read by hand with a DICOM dump."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from leukospect.ct.reconstruction_kernel import kernel_kind
from leukospect.data import CtSeries, FanGeometry
from leukospect.dicom.read.ct import read_ct
from leukospect.dicom.read.study import read_study

pytestmark = pytest.mark.real_data


def extent_mm(ct: CtSeries) -> list[list[float]]:
    """First and last voxel's centre, (x, y, z)."""
    geometry = ct.image.geometry
    return [list(geometry.to_lps((0, 0, 0))), list(geometry.to_lps(np.array(geometry.shape) - 1))]


def test_siemens_abdomen(real_data: Path) -> None:
    ct = read_ct(real_data / "ct" / "siemens_mct_abdomen")
    first, last = extent_mm(ct)
    assert first == pytest.approx([-249.51171875, -437.51171875, -804.5])
    assert last == pytest.approx([-249.51171875 + 511 * 0.9765625, -437.51171875 + 511 * 0.9765625, -766.5])
    assert (ct.kvp, ct.slice_thickness_mm) == (120.0, 3.0)
    assert ct.kernel == "Br38f\\3"
    assert kernel_kind(ct.header.manufacturer, ct.kernel) == "soft"
    assert (float(ct.image.array.min()), float(ct.image.array.max())) == (-1024.0, 1839.0)
    assert (ct.saturated_voxels, ct.metal_reduction) == (0, "")
    assert ct.header.patient_position == "HFS"
    assert ct.fan == FanGeometry(595.0, (0.0, -188.0), 1085.6)
    assert ct.header.assumptions == ()


def test_ge_thigh(real_data: Path) -> None:
    [ct] = read_study(real_data / "ct_pet" / "ct").ct
    first, last = extent_mm(ct)
    assert first == pytest.approx([-23.437616, -86.914146, -881.32], abs=1e-5)
    assert last == pytest.approx([-23.437616 + 197 * 0.976562, -86.914146 + 201 * 0.976562, -691.66], abs=1e-3)
    assert ct.image.geometry.spacing_mm == pytest.approx((3.27, 0.976562, 0.976562))
    assert (ct.kvp, ct.kernel) == (140.0, "SOFT")
    assert kernel_kind(ct.header.manufacturer, ct.kernel) == "soft"
    assert (float(ct.image.array.min()), float(ct.image.array.max())) == (-1000.0, 1397.0)
    assert ct.fan == FanGeometry(541.0, (0.0, 0.0), 949.075)
    assert (ct.saturated_voxels, ct.metal_reduction) == (0, "")
