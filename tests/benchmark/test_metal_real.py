"""Real anatomy is read, and refused where it is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from leukospect.benchmark.metal_real import real_anatomies
from leukospect.errors import AssumptionWarning, InputError


def test_slices_of_an_npz_lose_their_virtual_metal(tmp_path: Path) -> None:
    hu = np.full((40, 50), -1024, dtype=np.int16)
    hu[10:30, 12:40] = 60
    hu[18:21, 20:23] = 5000
    np.savez(tmp_path / "slices.npz", first=hu, second=hu[:, ::-1])
    with pytest.warns(AssumptionWarning, match="pixels' size"):
        first, second = real_anatomies(tmp_path / "slices.npz")
    assert first.hu.shape == (1, 40, 50)
    assert first.hu.min() == -1000
    assert first.hu.max() == 60
    np.testing.assert_array_equal(first.hu[0], second.hu[0, :, ::-1])


def test_what_is_no_anatomy_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.npz").write_bytes(b"none")
    with pytest.raises(InputError, match="cannot be read"):
        real_anatomies(tmp_path / "broken.npz")
    np.savez(tmp_path / "volume.npz", one=np.zeros((3, 4, 5)))
    with pytest.raises(InputError, match="slices"):
        real_anatomies(tmp_path / "volume.npz")


@pytest.mark.real_data
def test_a_real_ct_is_taken_from_the_lowest_slice_up(real_data: Path) -> None:
    (anatomy,) = real_anatomies(real_data / "ct" / "siemens_mct_abdomen")
    assert anatomy.hu.shape == (20, 512, 512)
    assert anatomy.spacing_mm == pytest.approx(2.0)
    assert anatomy.hu.min() >= -1000
