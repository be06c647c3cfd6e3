"""What is found between the views reaches whoever reads the reconstruction's report or inspects the study."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leukospect.consistency.views import views_of_heads
from leukospect.dicom.read.study import read_projections
from leukospect.dicom.write.acquisition import PhantomIdentity, write_projections
from tests.command_line import leukospect


@pytest.fixture
def moved_study(small_spect: Path, tmp_path: Path) -> Path:
    """The small phantom's patient moved across the axis at the 13th view."""
    acquisition = read_projections(small_spect)
    counts = acquisition.counts.copy()
    for views, sign in zip(views_of_heads(acquisition), (1, -1), strict=True):
        counts[:, views[12:]] = np.roll(counts[:, views[12:]], 3 * sign, axis=3)
    path = tmp_path / "study" / "moved.dcm"
    assert acquisition.header.start is not None
    identity = PhantomIdentity("PHANTOM^MOVED", "phantom-moved", acquisition.header.start)
    write_projections(replace(acquisition, counts=counts), path, identity, heads=2)
    return path


def test_motion_is_a_note_of_the_reconstruction(moved_study: Path, tmp_path: Path) -> None:
    said = leukospect("recon", moved_study, "-o", tmp_path / "run", "--iterations", "1", "--subsets", "3")
    assert said.code == 0, said.stderr
    sentence = "From view 13 on, heads 1 and 2 see the activity 2"
    assert sentence in said.stderr
    assert sentence in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert any(sentence in text for text in json.loads((tmp_path / "run" / "provenance.json").read_text())["warnings"])


def test_motion_is_in_what_inspect_tells_and_draws(moved_study: Path, tmp_path: Path) -> None:
    said = leukospect("inspect", moved_study, "--json", "--thumbnails", tmp_path / "small")
    (found,) = json.loads(said.stdout)["acquisitions"][0]["motion"]
    assert (found["kind"], found["first_view"]) == ("transverse motion", 13)
    assert {path.name for path in (tmp_path / "small").iterdir()} == {
        "01-tomo.png", "01-tomo-sinogram.png", "01-tomo-linogram.png",
    }  # fmt: skip


@pytest.fixture
def saturated_study(small_spect: Path, tmp_path: Path) -> Path:
    """The small phantom counted until its hottest pixels hold no more than 12 bits."""
    acquisition = read_projections(small_spect)
    counts = np.asarray(acquisition.counts)
    clipped = np.minimum(np.rint(counts * (2.0 * 4095.0 / counts.max())), 4095.0).astype(np.float32)
    path = tmp_path / "study" / "saturated.dcm"
    assert acquisition.header.start is not None
    identity = PhantomIdentity("PHANTOM^FULL", "phantom-full", acquisition.header.start)
    write_projections(replace(acquisition, counts=clipped), path, identity, heads=2)
    return path


def test_saturated_views_are_told_by_the_reconstruction_and_by_inspect(saturated_study: Path, tmp_path: Path) -> None:
    sentence = "at 4095 counts, the largest number that their type of pixel holds"
    said = leukospect("recon", saturated_study, "-o", tmp_path / "run", "--iterations", "1", "--subsets", "3")
    assert said.code == 0, said.stderr
    assert sentence in said.stderr
    assert sentence in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert sentence in leukospect("inspect", saturated_study).stdout
    (told,) = json.loads(leukospect("inspect", saturated_study, "--json").stdout)["acquisitions"][0]["saturation"]
    assert sentence in told
