"""Small asymmetric acquisitions to write, and what a validator says of a file."""

from __future__ import annotations

import subprocess
import sysconfig
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

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
)
from leukospect.dicom.write.identity import PhantomIdentity

START = datetime(2026, 1, 6, 9, 30, 15)
FRAME = "1.2.826.0.1.3680043.10.1.77"
IDENTITY = PhantomIdentity("PHANTOM^POINTS", "PH-1", datetime(2026, 1, 6, 8, 0), body_part="PELVIS")
WINDOWS = (
    EnergyWindow(((126.45, 154.56),), "peak"),
    EnergyWindow(((119.4, 126.45),), "lower"),
    EnergyWindow(((154.56, 161.6),), "upper"),
)
TRACER = Radiopharmaceutical(
    "Tc-99m", "HMPAO leukocytes", START - timedelta(hours=20, minutes=30), 370.0, tracer="leukocytes"
)


def dciodvfy_errors(path: Path) -> list[str]:
    """Give the lines in which the DICOM validator calls something an error, or that it died."""
    program = Path(sysconfig.get_path("scripts")) / "dciodvfy"
    done = subprocess.run([program, path], capture_output=True, text=True, timeout=60, check=False, errors="replace")
    said = (done.stdout + done.stderr).splitlines()
    assert any(line.strip() in {"NMImage", "CTImage"} for line in said), said
    return [line for line in said if "Error" in line] + (
        [f"ended with {done.returncode}"] if done.returncode < 0 else []
    )


def header(kind: str = "TOMO", patient_position: str = "HFS") -> AcquisitionHeader:
    return AcquisitionHeader(
        kind=kind,  # type: ignore[arg-type]
        start=START,
        radiopharmaceutical=None if kind == "CT" else TRACER,
        collimator="" if kind == "CT" else "LEHR",
        manufacturer="SIMULATED",
        model="two heads",
        description=f"{kind} of points",
        frame_of_reference_uid=FRAME,
        patient_position=patient_position,
    )


def tomo(
    counts: NDArray[np.floating] | None = None,
    *,
    start_deg: float = 180.0,
    clockwise: bool = False,
    heads: int = 2,
    views: int = 6,
    windows: int = 3,
    step_deg: float = 30.0,
    per_view_radii: bool = True,
    axis_mm: tuple[float, float] = (12.0, -7.0),
    patient_position: str = "HFS",
) -> Projections:
    """Two heads opposite each other, 10 x 14 pixels of 6 by 4 mm, an axis that is not the isocentre."""
    turn = np.arange(views) * step_deg * (-1 if clockwise else 1)
    angles: NDArray[np.float64] = np.concatenate(
        [(start_deg + head * 360.0 / heads + turn) % 360.0 for head in range(heads)]
    )
    radii = np.full(heads * views, 150.0)
    if per_view_radii:
        radii += np.arange(heads * views) % 5
    if counts is None:
        counts = np.random.default_rng(3).poisson(7.0, (windows, heads * views, 10, 14)).astype(np.float32)
    return Projections(
        counts=counts.astype(np.float32),
        energy_windows=WINDOWS[:windows],
        orbit=Orbit(angles, radii),
        pixel_mm=(6.0, 4.0),
        axis_mm=axis_mm,
        first_row_z_mm=333.0,
        view_start_s=np.tile(np.arange(views) * 20.0, heads),
        view_duration_s=np.full(heads * views, 20.0),
        header=header("TOMO", patient_position),
    )


def planar() -> PlanarImages:
    counts = np.random.default_rng(4).poisson(30.0, (3, 2, 12, 9)).astype(np.float32)
    return PlanarImages(
        counts=counts,
        energy_windows=WINDOWS,
        view_names=("anterior", "posterior"),
        pixel_mm=(5.0, 3.0),
        view_duration_s=np.array([300.0, 300.0]),
        header=header("STATIC"),
        first_pixel_mm=np.array([[-12.0, -200.0, 80.0], [12.0, 200.0, 80.0]]),
    )


def ct(*, downwards: bool = False) -> CtSeries:
    """A CT whose voxel (k, j, i) is worth 100 k + 10 j + i - 500 HU; `downwards` lets k fall towards the feet."""
    k, j, i = np.indices((4, 5, 7))
    spacing = (-2.5 if downwards else 2.5, 1.5, 0.8)
    geometry = Geometry.axial((4, 5, 7), spacing, (-30.0, 11.0, 47.5), FRAME)
    image = Image((100 * k + 10 * j + i - 500).astype(np.int16), geometry, "HU")
    return CtSeries(image, header("CT"), kvp=110.0, kernel="B31s", slice_thickness_mm=3.0)
