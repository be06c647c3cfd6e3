from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from leukospect.dicom.write.acquisition import write_planar
from leukospect.errors import InputError
from tests.dicom.written import IDENTITY, dciodvfy_errors, planar


def test_views_windows_and_places(tmp_path: Path) -> None:
    images = planar()
    write_planar(images, tmp_path / "static.dcm", IDENTITY)
    ds = pydicom.dcmread(tmp_path / "static.dcm")
    assert list(ds.ImageType) == ["ORIGINAL", "PRIMARY", "STATIC", "EMISSION"]
    assert ds.ActualFrameDuration == 300000
    for frame, pixels in enumerate(ds.pixel_array):
        window, view = ds.EnergyWindowVector[frame] - 1, ds.DetectorVector[frame] - 1
        np.testing.assert_array_equal(pixels, images.counts[window, view])
    anterior, posterior = ds.DetectorInformationSequence
    assert "nterior" in anterior.ViewCodeSequence[0].CodeMeaning
    assert "osterior" in posterior.ViewCodeSequence[0].CodeMeaning
    # The patient's left is on the right of an anterior view and on the left of a posterior one.
    assert anterior.ImageOrientationPatient[0] == 1
    assert posterior.ImageOrientationPatient[0] == -1
    assert list(posterior.ImagePositionPatient) == [12, 200, 80]
    assert [float(v) for v in ds.PixelSpacing] == [5.0, 3.0]


def test_the_validator_finds_no_error(tmp_path: Path) -> None:
    for name, images in {"placed": planar(), "unplaced": replace(planar(), first_pixel_mm=None)}.items():
        write_planar(images, tmp_path / f"{name}.dcm", IDENTITY)
        assert dciodvfy_errors(tmp_path / f"{name}.dcm") == []


def test_what_one_file_cannot_say_is_refused(tmp_path: Path) -> None:
    images = planar()
    with pytest.raises(InputError, match="different times"):
        write_planar(replace(images, view_duration_s=np.array([300.0, 200.0])), tmp_path / "x.dcm", IDENTITY)
    with pytest.raises(InputError, match="marker"):
        write_planar(replace(images, view_names=("anterior", "marker")), tmp_path / "x.dcm", IDENTITY)
    header = replace(images.header, kind="WHOLE BODY")
    with pytest.raises(InputError, match="WHOLE BODY"):
        write_planar(replace(images, header=header), tmp_path / "x.dcm", IDENTITY)
    assert list(tmp_path.iterdir()) == []
