"""What inspection tells must be what is there, and nothing of the patient."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from leukospect.consistency import NonUniformity, find_motion
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
from leukospect.report.figures_views import linogram, sinogram
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
    shown = dict(pictures(spect))
    assert list(shown) == ["front (180°)", "left (105°)", "back (0°)", "right (285°)"]
    front = shown["front (180°)"]
    assert divmod(int(front.pixels.argmax()), front.pixels.shape[1]) == (1, 8)
    assert front.size_mm == (10 * 4.0, 8 * 5.0)
    assert [picture.letters for picture in shown.values()] == [
        ("R", "L", "H", "F"),
        ("A", "P", "H", "F"),
        ("L", "R", "H", "F"),
        ("P", "A", "H", "F"),
    ]
    (_, maximum), (_, from_feet) = pictures(recon)
    assert divmod(int(maximum.pixels.argmax()), maximum.pixels.shape[1]) == (0, 5)
    assert maximum.size_mm == (6 * 2.0, 4 * 4.0)
    assert divmod(int(from_feet.pixels.argmax()), from_feet.pixels.shape[1]) == (2, 5)


def test_thumbnails_are_written_for_each(tmp_path: Path) -> None:
    written = write_thumbnails(study(), tmp_path / "pictures")
    assert [path.name for path in written] == [
        "01-static.png",
        "02-tomo.png",
        "02-tomo-sinogram.png",
        "02-tomo-linogram.png",
        "03-ct.png",
        "04-recon-tomo.png",
    ]
    assert sorted(written) == sorted((tmp_path / "pictures").iterdir())
    assert all(imread(path).std() > 0 for path in written)
    assert all(path.stat().st_size < 100_000 for path in written)
    assert not any(word in path.read_bytes() for path in written for word in (b"Doe", b"2024"))


def test_a_dead_pixel_of_a_large_matrix_does_not_vanish_from_its_picture(tmp_path: Path) -> None:
    counts = np.full((1, 1, 600, 600), 40.0, np.float32)
    counts[0, 0, 301, 299] = 0.0
    header = AcquisitionHeader("STATIC")
    planar = PlanarImages(counts, WINDOWS[:1], ("anterior",), (1.0, 1.0), np.full(1, 9.0), header)
    (path,) = write_thumbnails(Study((planar,)), tmp_path)
    shade = imread(path)[..., :3].mean(axis=2)
    assert shade[120:200, 120:200].max() > shade[120:200, 120:200].mean() + 0.05


def spot_and_body(lower: int) -> Projections:
    """A spot and a body on two heads; on both, everything lies `lower` rows lower from the ninth view on."""
    rows, columns, stops = 40, 44, 24
    rng, angles = np.random.default_rng(3), np.asarray(180.0 + 7.5 * np.arange(2 * stops))
    z, u = np.arange(rows)[:, None], np.arange(columns)
    counts = np.zeros((1, 2 * stops, rows, columns), np.float32)
    for view, angle in enumerate(angles):
        low = lower * (view % stops >= 8)
        spot = 21.5 + 9 * np.sin(np.deg2rad(angle))
        mean = 40 * np.exp(-((z - 18 - low) ** 2) / 60 - (u - 21.5) ** 2 / 90)
        mean = mean + 60 * np.exp(-((z - 24 - low) ** 2 + (u - spot) ** 2) / 6)
        counts[0, view] = rng.poisson(mean)
    header = AcquisitionHeader("TOMO", radiopharmaceutical=GIVEN, corrections=("DECY",))
    start = np.tile(20.0 * np.arange(stops), 2)
    return Projections(
        counts,
        WINDOWS[:1],
        Orbit(np.mod(angles, 360.0, dtype=np.float64)),
        (6.0, 5.0),
        (0.0, 0.0),
        117.0,
        start,
        np.full(48, 20.0),
        header,
    )


def test_motion_is_among_the_facts_and_in_the_table() -> None:
    facts = json.loads(json.dumps(describe(Study((spot_and_body(2),)))))[0]
    (found,) = facts["motion"]
    assert (found["kind"], found["heads"], found["first_view"], found["last_view"]) == ("axial motion", [1, 2], 9, None)
    assert found["size_mm"] == pytest.approx(12.0, abs=1.0)
    assert (facts["count_changes"], facts["non_uniformity"], facts["uniformity_corrected"]) == ([], [], False)
    words = table(Study((spot_and_body(2),)))
    assert "consistency   From view 9 on, heads 1 and 2 see the activity 1" in words
    assert "uniformity    UNIF is not among the corrections recorded" in words
    assert "consistency   no sudden motion, lost view or sharp detector defect seen" in table(
        Study((spot_and_body(0),))
    )


def test_a_spot_at_the_side_and_clipped_views_are_told_of_planar_images() -> None:
    arms_and_trunk = np.zeros((100, 120))
    arms_and_trunk[10:, 30:90] = 8.0
    arms_and_trunk[20:60, 8:20] = 8.0
    counts = np.random.default_rng(8).poisson(np.stack([arms_and_trunk, arms_and_trunk])).astype(np.float32)
    header = AcquisitionHeader("STATIC")
    quiet = PlanarImages(counts[None], WINDOWS[:1], ("anterior", "posterior"), (4.0, 4.0), np.full(2, 300.0), header)
    assert "consistency   no saturated view or infiltrated injection seen" in table(Study((quiet,)))
    counts = counts.copy()
    counts[0, 48:51, 12:15] = 4095.0
    (facts,) = json.loads(json.dumps(describe(Study((replace(quiet, counts=counts[None]),)))))
    (saturated,), (spot,) = facts["saturation"], facts["injection_site"]
    assert saturated.startswith("View 1 has 9 pixels at 4095 counts")
    assert "of the anterior view lie in one spot" in spot


def test_sinogram_and_linogram_show_every_view_where_it_belongs() -> None:
    acquisition = spot_and_body(2)
    findings = find_motion(acquisition)
    defect = NonUniformity(1, 25, 10, 3, 3, -30.0, 2.0)
    across, along = sinogram(acquisition, findings, (defect,)), linogram(acquisition, findings)
    assert [axes.get_title() for axes in across.axes] == ["head 2", "head 1"]  # in the order of angle, from 0
    second, first = (axes.images[0] for axes in across.axes)
    total = acquisition.counts[0, :, 23:26].sum(axis=1)  # the rows of the defect
    np.testing.assert_array_equal(np.asarray(first.get_array()), total[:24])
    np.testing.assert_array_equal(np.asarray(second.get_array()), total[24:])
    assert tuple(first.get_extent()) == (-110.0, 110.0, 23.5, -0.5)
    marks = [np.asarray(line.get_xdata()) for line in across.axes[1].lines if line.get_marker() == "v"]
    assert [float(mark[0]) for mark in marks] == [pytest.approx((10 - 1 - 21.5) * 5.0)]
    assert not [line for line in across.axes[0].lines if line.get_marker() == "v"]
    lines = along.axes[1].images[0]
    np.testing.assert_array_equal(np.asarray(lines.get_array()), acquisition.counts[0, :24].sum(axis=2).T)
    assert tuple(lines.get_extent()) == (-0.5, 23.5, 117.0 - 39 * 6.0 - 3.0, 120.0)
    steps = [float(np.asarray(line.get_xdata())[0]) for axes in along.axes for line in axes.lines]
    assert steps == [7.5, 7.5]  # between the eighth and the ninth view
    angles = [float(text.get_text()) for text in along.axes[1].get_xticklabels()]
    assert angles == [180.0, 210.0, 240.0, 270.0, 300.0, 330.0]
