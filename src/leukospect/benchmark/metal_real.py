"""Real anatomy for the metal benchmark: slices without metal, from a CT or an .npz file, that metal is put into."""

from __future__ import annotations

import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leukospect.ct.body import body_outline
from leukospect.data import CtSeries, Geometry, Image
from leukospect.dicom.read.study import read_study
from leukospect.errors import AssumptionWarning, GeometryError, InputError
from leukospect.phantoms.metal_in_slices import scan_in_anatomy
from leukospect.phantoms.scanned_anatomy import ScannedAnatomy
from leukospect.phantoms.slice_scanner import without_virtual_metal

_PIXEL_MM, _SPACING_MM = 0.8, 3.0
_BONE_HU = 250.0


@dataclass(frozen=True, slots=True, eq=False)
class RealAnatomy:
    """Slices without metal: HU (slices, rows, columns), the lowest first; pixel and distance between slices, mm."""

    hu: NDArray[np.int16]
    pixel_mm: tuple[float, float]
    spacing_mm: float

    def scanned(self, seed: int, slices: int, threads: int) -> ScannedAnatomy:
        """Put metal into as many slices as asked for, or as there are, from a place drawn where there is bone."""
        number = min(slices, self.hu.shape[0])
        bone = (self.hu > _BONE_HU).mean(axis=(1, 2))
        starts = np.arange(self.hu.shape[0] - number + 1)
        bony = starts[bone[starts + number // 2] >= np.median(bone)]
        first = int(np.random.default_rng((98, seed)).choice(bony))
        chosen = self.hu[first : first + number]
        geometry = Geometry.axial(chosen.shape, (self.spacing_mm, *self.pixel_mm), (0.0, 0.0, 0.0))
        body = body_outline(Image(chosen, geometry, "HU"))
        return scan_in_anatomy(chosen, self.pixel_mm, self.spacing_mm, body, seed, threads=threads)


def real_anatomies(path: Path) -> list[RealAnatomy]:
    """Read slices without metal.

    Parameters
    ----------
    path : Path
        A folder with CT as DICOM, or an .npz file of slices in HU, (rows, columns) each, by themselves; virtual metal
        from 4000 HU up is filled with the tissue beside it.

    Raises
    ------
    InputError
        Neither is there, or the slices are not of HU.
    GeometryError
        The CT's slices are not axial, head first or feet first.
    """
    if path.suffix == ".npz":
        return _stored(path)
    found = [_of_series(ct) for ct in read_study(path).ct]
    if not found:
        raise InputError("There is no CT in the anatomy's folder; give one with a CT without metal as DICOM.")
    return found


def _of_series(ct: CtSeries) -> RealAnatomy:
    geometry = ct.image.geometry
    k, j, i = geometry.spacing_mm
    upright = np.abs(geometry.affine[:3, :3] / np.array([k, j, i]) - np.fliplr(np.eye(3))).max() < 0.1
    downwards = np.abs(geometry.affine[:3, :3] / np.array([-k, j, i]) - np.fliplr(np.eye(3))).max() < 0.1
    if not (upright or downwards):
        raise GeometryError("Metal is put into axial CT slices of a supine patient; give a series of such.")
    hu = np.clip(np.rint(np.asarray(ct.image.array, dtype=np.float32)), -1024, 32767).astype(np.int16)
    return RealAnatomy(_without_metal(hu if upright else hu[::-1]), (j, i), k)


def _stored(path: Path) -> list[RealAnatomy]:
    try:
        with np.load(path) as stored:
            slices = [np.asarray(stored[name]) for name in stored]
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InputError("The anatomy's .npz file cannot be read; give one of slices in HU.") from error
    if not slices or any(one.ndim != 2 or one.min() > -500 for one in slices):
        raise InputError("The anatomy's .npz file must hold slices (rows, columns) in HU, with air round them.")
    warnings.warn(
        f"The anatomy's .npz file does not tell its pixels' size; {_PIXEL_MM:g} mm was assumed.",
        AssumptionWarning,
        stacklevel=2,
    )
    return [RealAnatomy(_without_metal(one[None].astype(np.int16)), (_PIXEL_MM,) * 2, _SPACING_MM) for one in slices]


def _without_metal(hu: NDArray[np.int16]) -> NDArray[np.int16]:
    return np.maximum(without_virtual_metal(np.ascontiguousarray(hu))[0], np.int16(-1000))
