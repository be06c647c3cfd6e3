"""What several tests need: real data where it is at hand, and small objects made in memory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of images made by others, or skip."""
    named = os.environ.get("LEUKOSPECT_REAL_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not (folder / "README.md").is_file():
        pytest.skip("the real data are not at hand; set LEUKOSPECT_REAL_DATA to their folder")
    return folder
