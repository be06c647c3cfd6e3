"""What inspection tells must be what is there, and nothing of the patient."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from leukospect.data import (
    AcquisitionHeader,
    CtSeries,
    EnergyWindow,
    Geometry,
    Image,
    Orbit,
    PlanarImages,
    Projections,
    Radiopharmaceutical,
    ReconstructedSeries,
    Study,
)
from leukospect.report.inspection import describe, table, write_thumbnails
from leukospect.report.thumbnails import pictures

INJECTED = datetime(2024, 1, 10, 8, 0)
GIVEN = Radiopharmaceutical("Tc-99m", "leukocytes of Jane Doe", INJECTED, 400.0)
WINDOWS = (EnergyWindow(((126.0, 154.0),), "peak"), EnergyWindow(((100.0, 110.0), (115.0, 126.0)), "scatter"))


def tomo() -> Projections:
    counts = np.zeros((2, 12, 8, 10), np.float32)
    counts[0, 0, 1, 8] = 50  # seen from the front: high up, on the patient's left
    counts[1] = 2
    angles = np.concatenate([180.0 - 15.0 * np.arange(6), (360.0 - 15.0 * np.arange(6)) % 360])
    return Projections(
        counts=counts,
        energy_windows=WINDOWS,
        orbit=Orbit(angles, np.linspace(200.0, 255.0, 12)),
        pixel_mm=(5.0, 4.0),
        axis_mm=(0.0, 3.0),
        first_row_z_mm=20.0,
        view_start_s=np.tile(20.0 * np.arange(6), 2),
        view_duration_s=np.full(12, 20.0),
        header=AcquisitionHeader(
            "TOMO",
            INJECTED + timedelta(hours=4),
            GIVEN,
            "LEHR",
            description="Doe Jane",
            study_uid="1.2.19700102",
            sources=(Path("Doe.dcm"),),
            assumptions=("The radius is in mm.",),
        ),
    )


def study() -> Study:
    planar = PlanarImages(
        np.ones((1, 2, 6, 4), np.float32),
        WINDOWS[:1],
        ("anterior", "posterior"),
        (2.0, 2.0),
        np.full(2, 300.0),
        AcquisitionHeader("STATIC", INJECTED + timedelta(hours=1), GIVEN),
    )
    ct = CtSeries(
        Image(np.zeros((5, 6, 7), np.float32), Geometry.axial((5, 6, 7), (3.0, 1.0, 1.0), (-3.0, -2.5, 100.0)), "HU"),
        AcquisitionHeader("CT"),
        110.0,
        "B31s",
        3.0,
    )
    volume = np.zeros((4, 5, 6), np.float32)
    volume[0, 2, 5] = 9.0  # slice 0 is nearest the head here, column 5 the patient's left
    recon = ReconstructedSeries(
        Image(volume, Geometry.axial((4, 5, 6), (-4.0, 2.0, 2.0), (0.0, 0.0, 50.0))), AcquisitionHeader("RECON TOMO")
    )
    return Study((planar, tomo(), ct, recon), ("2 of 9 files not used (not DICOM): files 1, 2.",))


def test_facts_of_every_acquisition() -> None:
    planar, spect, ct, recon = json.loads(json.dumps(describe(study())))
    assert (planar["kind"], planar["view_names"], planar["duration_s"]) == ("STATIC", ["anterior", "posterior"], 300.0)
    assert planar["hours_after_injection"] == 1.0
    assert (spect["heads"], spect["views"], spect["direction"]) == (2, 12, "CW")
    assert (spect["step_deg"], spect["arc_per_head_deg"], spect["start_angles_deg"]) == (15.0, 90.0, [180.0, 0.0])
    assert (spect["radius_mm"], spect["matrix"], spect["pixel_mm"]) == ([200.0, 255.0], [8, 10], [5.0, 4.0])
    assert (spect["duration_s"], spect["seconds_per_view"]) == (120.0, 20.0)
    assert [window["counts"] for window in spect["windows"]] == [50.0, 1920.0]
    assert spect["windows"][1]["ranges_kev"] == [[100.0, 110.0], [115.0, 126.0]]
    assert spect["rows_z_mm"] == [20.0, -15.0]
    assert (ct["kvp"], ct["kernel"], ct["slices"], ct["spacing_mm"]) == (110.0, "B31s", 5, [3.0, 1.0, 1.0])
    assert ct["extent_mm"] == {"x": [-3.0, 3.0], "y": [-2.5, 2.5], "z": [100.0, 112.0]}
    assert recon["extent_mm"]["z"] == [38.0, 50.0]


def test_the_table_says_what_counts_and_nothing_of_the_patient() -> None:
    words = table(study())
    for part in (
        "1.00 h after injection",
        "12 by 2 head(s), 15 degrees apart, CW",
        "90 degrees a head from 180, 0; radius 200 to 255 mm",
        "126-154 keV  50 counts",
        "100-110 + 115-126 keV",
        "110 kV",
        "The radius is in mm.",
        "! 2 of 9 files not used",
    ):
        assert part in words
    told = words + json.dumps(describe(study()))
    assert not any(secret in told for secret in ("Doe", "Jane", "2024", "1970"))


def test_pictures_are_seen_from_the_front() -> None:
    _, spect, _, recon = study().acquisitions
    ((title, view, aspect),) = pictures(spect)
    assert "180" in title
    assert divmod(int(view.argmax()), view.shape[1]) == (1, 8)
    assert aspect == pytest.approx(5.0 / 4.0)
    ((_, maximum, aspect),) = pictures(recon)
    assert divmod(int(maximum.argmax()), maximum.shape[1]) == (0, 5)
    assert aspect == pytest.approx(2.0)


def test_thumbnails_are_written_for_each(tmp_path: Path) -> None:
    written = write_thumbnails(study(), tmp_path / "pictures")
    assert [path.name for path in written] == ["01-static.png", "02-tomo.png", "03-ct.png", "04-recon-tomo.png"]
    assert sorted(written) == sorted((tmp_path / "pictures").iterdir())
    assert all(imread(path).std() > 0 for path in written)
    assert not any(word in path.read_bytes() for path in written for word in (b"Doe", b"2024"))
