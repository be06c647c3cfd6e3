"""A CT whose metal artefacts the scanner has reduced is not reduced once more on the way to the attenuation map."""

from __future__ import annotations

import shutil
from pathlib import Path

from pydicom import dcmread

from tests.command_line import leukospect


def test_ours_is_not_done_on_top(small_spect: Path, small_ct: Path, tmp_path: Path) -> None:
    shutil.copytree(small_ct, tmp_path / "ct")
    for path in (tmp_path / "ct").glob("*.dcm"):
        dataset = dcmread(path)
        dataset.SeriesDescription = "Pelvis 3.0 iMAR"
        dataset.save_as(path)
    for name, ct, reduced in (("plain", small_ct, True), ("imar", tmp_path / "ct", False)):
        out = tmp_path / name
        said = leukospect("recon", small_spect, "--ct", ct, "-o", out, "--iterations", 1, "--mar")
        assert said.code == 0, said.stderr
        assert (out / "ct_mar.nii.gz").exists() == reduced
        assert ("already (iMAR), so the metal reduction asked for is not done on top" in said.stderr) != reduced
