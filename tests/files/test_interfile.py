"""Interfile headers of STIR and SIMIND: layout, angles, units, and what is refused."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.data import Projections
from leukospect.errors import AssumptionWarning, GeometryError, InputError
from leukospect.files.interfile import patient_angles, read_interfile

COUNTS = np.arange(6 * 4 * 5, dtype=np.float64).reshape(6, 4, 5)
KEYS = {
    "!imaging modality": "nucmed",
    "!version of keys": "3.3",
    "name of data file": "scan.s",
    "!type of data": "Tomographic",
    "imagedata byte order": "LITTLEENDIAN",
    "!number format": "float",
    "!number of bytes per pixel": "4",
    "!matrix size [1]": "5",
    "!matrix size [2]": "4",
    "!scaling factor (mm/pixel) [1]": "3.5",
    "!scaling factor (mm/pixel) [2]": "4.5",
    "!number of projections": "6",
    "!extent of rotation": "360",
    "!process status": "acquired",
    "!direction of rotation": "CW",
    "start angle": "180",
    "orbit": "circular",
    "radius": "150",
}


def write(folder: Path, dtype: str = "<f4", counts: Any = COUNTS, lead: bytes = b"", **changes: Any) -> Path:
    keys = {**KEYS, **{key.replace("_", " "): value for key, value in changes.items()}}
    lines = ["!INTERFILE  :=", *(f"{key} := {value}" for key, value in keys.items() if value is not None)]
    (folder / "scan.s").write_bytes(lead + np.asarray(counts).astype(dtype).tobytes())
    (folder / "scan.hs").write_text("\n".join([*lines, "!END OF INTERFILE :=", ""]))
    return folder / "scan.hs"


def read(path: Path, **told: Any) -> Projections:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)
        return read_interfile(path, **told)


def radii(projections: Projections) -> NDArray[np.float64]:
    assert projections.orbit.radii_mm is not None
    return projections.orbit.radii_mm


def test_projections_are_read_as_they_lie(tmp_path: Path) -> None:
    projections = read(write(tmp_path))
    np.testing.assert_array_equal(projections.counts[0], COUNTS)
    assert projections.pixel_mm == (4.5, 3.5)
    assert projections.first_row_z_mm == pytest.approx(1.5 * 4.5)
    np.testing.assert_allclose(radii(projections), 150.0)
    np.testing.assert_allclose(projections.orbit.angles_deg, [0, 300, 240, 180, 120, 60])


@pytest.mark.parametrize(
    ("dtype", "word", "size", "order"),
    [
        (">u2", "unsigned integer", "2", "BIGENDIAN"),
        ("<i4", "Signed Integer", "4", "littleendian"),
        ("<f8", "long float", "8", "LITTLEENDIAN"),
        (">f4", "short float", "4", None),
        ("u1", "unsigned integer", "1", None),
    ],
)
def test_number_formats(tmp_path: Path, dtype: str, word: str, size: str, order: str | None) -> None:
    keys: dict[str, Any] = {"!number_format": word, "!number_of_bytes_per_pixel": size, "imagedata_byte_order": order}
    path = write(tmp_path, dtype, **keys)
    np.testing.assert_array_equal(read(path).counts[0], COUNTS)


@pytest.mark.parametrize(
    ("key", "value", "lead"), [("data_offset_in_bytes", "12", 12), ("data_starting_block", "1", 2048)]
)
def test_data_may_begin_later(tmp_path: Path, key: str, value: str, lead: int) -> None:
    np.testing.assert_array_equal(read(write(tmp_path, lead=b"\1" * lead, **{key: value})).counts[0], COUNTS)


def test_keys_are_read_whatever_their_case_and_spaces(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.write_text(path.read_text().upper().replace(" := ", ":=").replace("SCAN.S", "scan.s").replace(" [", "["))
    np.testing.assert_array_equal(read(path).counts[0], COUNTS)


def test_windows_follow_each_other(tmp_path: Path) -> None:
    keys: dict[str, Any] = {
        "number_of_energy_windows": "2",
        "energy_window_lower_level [1]": "126",
        "energy_window_upper_level [1]": "154",
        "energy_window_lower_level [2]": "119",
        "energy_window_upper_level [2]": "126",
    }
    projections = read(write(tmp_path, counts=[COUNTS, COUNTS + 7], **keys))
    assert [window.ranges_kev[0] for window in projections.energy_windows] == [(126.0, 154.0), (119.0, 126.0)]
    np.testing.assert_array_equal(projections.counts[1], COUNTS + 7)


def test_simind_writes_centimetres_and_windows_behind_a_semicolon(tmp_path: Path) -> None:
    keys: dict[str, Any] = {"!originating_system": "simind", "radius": "25.0", "image_duration_(sec)": "20"}
    path = write(tmp_path, **keys)
    path.write_text(path.read_text() + ";energy window lower level := 126.45\n;energy window upper level := 154.56\n")
    projections = read(path)
    np.testing.assert_allclose(radii(projections), 250.0)
    assert projections.energy_windows[0].ranges_kev == ((126.45, 154.56),)
    np.testing.assert_allclose(projections.view_duration_s, 20.0)


def test_radii_of_a_body_contour(tmp_path: Path) -> None:
    projections = read(write(tmp_path, radius="{150, 151, 152, 153, 154, 155}"))
    np.testing.assert_allclose(radii(projections), np.arange(150.0, 156.0))
    assert read(write(tmp_path, radius=None)).orbit.radii_mm is None
    np.testing.assert_allclose(radii(read(write(tmp_path, radius=None), radius_mm=211.0)), 211.0)


@pytest.mark.parametrize(
    ("keys", "seconds"),
    [
        ({"time per projection (sec)": "12"}, 12.0),
        ({"number of time frames": "1", "image duration (sec) [1]": "60"}, 10.0),
        ({"study duration (sec)": "90"}, 15.0),
        ({}, 1.0),
    ],
)
def test_time_of_a_view(tmp_path: Path, keys: dict[str, Any], seconds: float) -> None:
    projections = read(write(tmp_path, **keys))
    np.testing.assert_allclose(projections.view_duration_s, seconds)
    np.testing.assert_allclose(projections.view_start_s, seconds * np.arange(6))


def test_the_reading_of_the_angles() -> None:
    np.testing.assert_allclose(patient_angles(0.0, 180.0, 4, "ccw"), [180, 225, 270, 315])
    np.testing.assert_allclose(patient_angles(90.0, 360.0, 4, "CW"), [270, 180, 90, 0])
    with pytest.raises(GeometryError, match="--direction"):
        patient_angles(0.0, 360.0, 4, "left")


def test_angles_told_are_the_patients(tmp_path: Path) -> None:
    projections = read(write(tmp_path), start_angle_deg=90.0, direction="cc")
    np.testing.assert_allclose(projections.orbit.angles_deg, [90, 150, 210, 270, 330, 30])
    turned = read(write(tmp_path), direction="cc")
    np.testing.assert_allclose(turned.orbit.angles_deg, [0, 60, 120, 180, 240, 300])


def test_every_assumption_is_warned_of_and_kept(tmp_path: Path) -> None:
    with pytest.warns(AssumptionWarning) as raised:
        projections = read_interfile(write(tmp_path))
    assert [str(warning.message) for warning in raised] == list(projections.header.assumptions)
    for word in ("angles", "radius", "1 s a view", "energy window", "z = 0", "way rows run"):
        assert any(word in sentence for sentence in projections.header.assumptions), word


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"!type_of_data": "Static"}, "not of tomographic"),
        ({"!process_status": "Reconstructed"}, "reconstructed"),
        ({"!number_of_projections": "7"}, "480 bytes where 560 are expected"),
        ({"!number_of_projections": None}, "number of projections"),
        ({"!matrix_size [1]": "five"}, "not a number"),
        ({"!number_format": "ascii"}, "number format"),
        ({"imagedata_byte_order": "PDP"}, "byte order"),
        ({"name_of_data_file": "../scan.s"}, "outside"),
        ({"name_of_data_file": "/etc/passwd"}, "outside"),
        ({"name_of_data_file": "other.s"}, "not beside it"),
        ({"name_of_data_file": None}, "does not name"),
        ({"!extent_of_rotation": None}, "extent of rotation"),
        ({"!direction_of_rotation": None}, "--direction"),
        ({"!scaling_factor_(mm/pixel) [1]": None}, "scaling factor"),
        ({"radius": "{150, 151}"}, "2 radii"),
        ({"number_of_detector_heads": "2"}, "several detector heads"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises((InputError, GeometryError), match=sentence):
        read(write(tmp_path, **changes))


def test_negative_counts_and_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="negative"):
        read(write(tmp_path, counts=-COUNTS))
    note = tmp_path / "note.hs"
    note.write_text("a letter")
    with pytest.raises(InputError, match="not an Interfile header"):
        read(note)
    with pytest.raises(InputError, match="no such"):
        read(tmp_path / "missing.hs")


@pytest.mark.real_data
def test_monte_carlo_projections_of_stir(real_data: Path) -> None:
    projections = read(real_data / "spect_monte_carlo" / "input.hs")
    assert projections.counts.shape == (1, 120, 64, 128)
    np.testing.assert_allclose(projections.orbit.angles_deg[:3], [0.0, 357.0, 354.0])
    assert projections.header.patient_position == "HFS"
