"""Small acquisitions to spoil, written and reconstructed by the command line, and what is right of their images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import FileDataset, dcmread

from leukospect.data import Projections
from leukospect.dicom.write.acquisition import write_projections
from tests.command_line import Volume, leukospect, volume
from tests.dicom.written import IDENTITY, WINDOWS, header
from tests.slow_model.body import Body, Sphere
from tests.slow_model.model import SlowModel, lehr_sigma_mm
from tests.spot_acquisition import acquisition, orbit

Float64 = NDArray[np.float64]

BALL = Sphere((22.0, -11.0, 9.0), 32.0, 9.0)
BODY = Body((BALL,), 60.0, 46.0, lung=None, bone=None)
SIZE, PIXEL_MM, RADIUS_MM, VIEW_S = (9, 24), (7.0, 6.0), 90.0, 20.0
DECAY_PER_S = np.log(2) / (6.0072 * 3600)
LEAST = ("--collimator", "siemens:LEHR", "--scatter", "none", "--iterations", 4, "--subsets", 4)


@dataclass(frozen=True)
class Tried:
    """What came of a command: the exit code, what it said, and the image if there is one."""

    code: int
    said: str
    image: Volume | None
    corrected: Volume | None

    def refused(self) -> str:
        """Check that it was refused as it ought to be, and give the sentence."""
        assert self.code == 3, self.said
        assert self.image is None
        assert self.said.startswith("leukospect: ")
        assert self.said.count("\n") == 1
        assert "Traceback" not in self.said
        return self.said

    def done(self) -> Volume:
        """Check that there is an image without impossible values, and give it."""
        assert self.code == 0, self.said
        assert self.image is not None
        for one in (self.image, self.corrected):
            if one is not None:
                assert np.all(np.isfinite(one.array))
                assert one.array.min() >= 0
        return self.image


def measured(
    views: int = 24, size: tuple[int, int] = SIZE, pixel_mm: tuple[float, float] = PIXEL_MM, **changes: Any
) -> Projections:
    """The ball in its warm body, seen by the slow model, about 40 counts a pixel; one head, all around."""
    angles = np.mod(orbit(200.0, "CC", views), 360.0)
    radii = np.full(views, RADIUS_MM)
    activity, _ = BODY.drawn((size[0], size[1]), pixel_mm)
    counts = SlowModel(angles, size, pixel_mm, radii, mask=activity.max(axis=0) > 0).forward(activity) * 4.0
    made = acquisition(
        angles, size, pixel_mm, counts=np.rint(counts)[None], windows=WINDOWS[:1], radii_mm=radii,
        start_s=np.arange(views) * np.float64(VIEW_S), duration_s=np.full(views, VIEW_S),
        first_row_z_mm=(size[0] - 1) / 2 * pixel_mm[0],
    )  # fmt: skip
    return replace(made, header=header(), **changes)


def with_counts(projections: Projections, counts: NDArray[np.floating]) -> Projections:
    return replace(projections, counts=counts.astype(np.float32))


def explained(image: Volume, projections: Projections) -> Float64:
    """Project an image by the slow model: (views, rows, columns) counts."""
    activity = image.array.transpose(2, 1, 0)
    assert np.all(np.diag(image.affine)[:3] > 0)
    orbit_ = projections.orbit
    assert orbit_.radii_mm is not None
    size = (projections.counts.shape[2], projections.counts.shape[3])
    model = SlowModel(
        orbit_.angles_deg, size, projections.pixel_mm, orbit_.radii_mm, None, lehr_sigma_mm,
        mask=activity.max(axis=0) > 0,
    )  # fmt: skip
    seconds = projections.view_duration_s
    counted = np.exp(-DECAY_PER_S * projections.view_start_s) * -np.expm1(-DECAY_PER_S * seconds) / DECAY_PER_S
    ml = projections.pixel_mm[0] * projections.pixel_mm[1] ** 2 / 1000
    return np.asarray(model.forward(activity) * (counted * ml)[:, None, None])


def assert_explained(image: Volume, projections: Projections, within: float = 0.02) -> None:
    """Maximum likelihood explains the total of the counts; ordered subsets nearly so."""
    total = float(projections.counts[0].sum(dtype=np.float64))
    assert float(explained(image, projections).sum()) == pytest.approx(total, rel=within)


def assert_ball_found(image: Volume, within: float = 0.75) -> None:
    weights = np.where(image.near(BALL.centre_mm, 26.0), np.maximum(image.array - 0.5 * image.array.max(), 0.0), 0.0)
    assert weights.sum() > 0
    centre = (weights[..., None] * image.places_mm()).sum(axis=(0, 1, 2)) / weights.sum()
    assert np.all(np.abs(centre - BALL.centre_mm) < within * image.voxel_mm), centre


class Bench:
    """Writes acquisitions into a folder and reconstructs them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runs = 0
        self.start: tuple[object, ...] = ()

    def dicom(self, projections: Projections, change: Callable[[FileDataset], None] | None = None) -> Path:
        path = self.folder / "scan.dcm"
        path.unlink(missing_ok=True)
        write_projections(projections, path, IDENTITY)
        if change is not None:
            dataset = dcmread(path)
            change(dataset)
            dataset.save_as(path)
        return path

    def interfile(
        self,
        projections: Projections,
        values: NDArray[np.floating] | None = None,
        *,
        radius_mm: float = RADIUS_MM,
        time_s: float = VIEW_S,
    ) -> Path:
        """Write the first window as Interfile of 4-byte floats; angles are then told."""
        counts = projections.counts[0] if values is None else values
        views, rows, columns = counts.shape
        said = {
            "!imaging modality": "nucmed", "name of data file": "scan.s", "!type of data": "Tomographic",
            "imagedata byte order": "LITTLEENDIAN", "!number format": "float", "!number of bytes per pixel": 4,
            "!matrix size [1]": columns, "!matrix size [2]": rows,
            "!scaling factor (mm/pixel) [1]": projections.pixel_mm[1],
            "!scaling factor (mm/pixel) [2]": projections.pixel_mm[0], "!number of projections": views,
            "!extent of rotation": 360, "!process status": "acquired", "!direction of rotation": "CCW",
            "start angle": 0, "orbit": "circular", "radius": f"{radius_mm:g}", "time per projection (sec)": time_s,
            "isotope name": "Tc-99m",
        }  # fmt: skip
        lines = ["!INTERFILE  :=", *(f"{key} := {value}" for key, value in said.items()), "!END OF INTERFILE :="]
        (self.folder / "scan.hs").write_text("\n".join(lines) + "\n")
        (self.folder / "scan.s").write_bytes(counts.astype("<f4").tobytes())
        self.start = ("--start-angle-deg", float(projections.orbit.angles_deg[0]), "--direction", "cc")
        return self.folder / "scan.hs"

    def map(self, values: Float64, voxel_mm: tuple[float, float, float], first_mm: Float64) -> Path:
        """Write an attenuation map (i, j, k) as NIfTI, LPS in and RAS out."""
        affine = np.diag([*voxel_mm, 1.0])
        affine[:3, 3] = first_mm
        image = nib.Nifti1Image(values.astype(np.float32), np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine)
        image.header.set_xyzt_units("mm")
        nib.save(image, self.folder / "mu.nii.gz")
        return self.folder / "mu.nii.gz"

    def recon(self, path: Path, *options: object) -> Tried:
        self.runs += 1
        place = self.folder / f"out {self.runs}"
        before = set(self.folder.rglob("*"))
        said = leukospect("recon", path, "-o", place, *options, *(self.start if path.suffix == ".hs" else ()))
        if said.code != 0:
            assert set(self.folder.rglob("*")) == before
            return Tried(said.code, said.stderr, None, None)
        corrected = volume(place / "recon.nii.gz")
        return Tried(said.code, said.stderr, volume(place / "recon_nac.nii.gz"), corrected)
