"""What several tests need: real data where it is at hand, and small objects made in memory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.command_line import Said, leukospect


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of images made by others, or skip."""
    named = os.environ.get("LEUKOSPECT_REAL_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not (folder / "README.md").is_file():
        pytest.skip("the real data are not at hand; set LEUKOSPECT_REAL_DATA to their folder")
    return folder


@dataclass(frozen=True)
class SmallRun:
    """A run of the small phantom, and what it printed."""

    folder: Path
    said: Said


@pytest.fixture(scope="session")
def small_phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make `femoral-nail-small` once as DICOM; its folder holds study/, truth/ and regions.toml, not to be changed."""
    folder = tmp_path_factory.mktemp("made") / "nail"
    said = leukospect("phantom", "make", "femoral-nail-small", "-o", folder)
    assert said.code == 0, said.stderr
    return folder


@pytest.fixture(scope="session")
def small_spect(small_phantom: Path) -> Path:
    """Give the late SPECT file of the small phantom."""
    return max((small_phantom / "study").glob("*-spect.dcm"))


@pytest.fixture(scope="session")
def small_ct(small_phantom: Path) -> Path:
    """Give the folder of the small phantom's late CT."""
    return max((small_phantom / "study").glob("*-ct"))


@pytest.fixture(scope="session")
def small_run(small_phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> SmallRun:
    """Run the small phantom with the regions a reader would draw; the folder is not to be changed."""
    folder = tmp_path_factory.mktemp("ran") / "run"
    said = leukospect("run", small_phantom / "study", "-o", folder, "--regions", small_phantom / "regions.toml",
                      "--set", "attenuation.hu_table=icru-bone",
                      "--set", "uncertainty.replicates=8")  # fmt: skip
    return SmallRun(folder, said)
