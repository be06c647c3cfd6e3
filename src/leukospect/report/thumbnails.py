"""Small pictures of each acquisition, patient left on the viewer's right where it is seen from the front."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from leukospect.consistency import find_motion, find_non_uniformity
from leukospect.data import Acquisition, CtSeries, PlanarImages, Projections, Study
from leukospect.errors import InputError
from leukospect.report.figures_canvas import picture_grid, show, upper_limit
from leukospect.report.figures_orientation import Letters, Picture, axial, canonical, coronal, edges_mm
from leukospect.report.figures_views import linogram, sinogram
from leukospect.whole_files import whole_file

_SOFT_TISSUE_HU = (-160.0, 240.0)
_SIDES = {"front": 180.0, "left": 90.0, "back": 0.0, "right": 270.0}
_NEAR_DEG = 15.0
_PLANAR_LETTERS: dict[str, Letters] = {
    "anterior": ("R", "L", "H", "F"),
    "posterior": ("L", "R", "H", "F"),
    "left lateral": ("A", "P", "H", "F"),
    "right lateral": ("P", "A", "H", "F"),
}
_DPI = 100
# Panels of 256 pixels show the usual matrices of 64, 128 and 256 at whole multiples of their pixels.
_PANEL_IN, _TALLEST_IN = 2.56, 5.12
_THINNEST = 0.2
_SOFTWARE = "leukospect"
_PNG_HEAD_BYTES = 256


def write_thumbnails(study: Study, folder: Path) -> list[Path]:
    """Write one PNG an acquisition, and two more of each SPECT.

    Projections show the views from the front, the left, the back and the right, with a sinogram and a linogram beside;
    planar images all their views, CT its middle axial and coronal slices, and reconstructed volumes their maximum from
    the front and from the feet. Names and pictures hold nothing of the patient.

    Parameters
    ----------
    study : Study
    folder : Path
        Made if missing.

    Returns
    -------
    list of Path
        In the study's order.
    """
    written = []
    for number, acquisition in enumerate(study.acquisitions, start=1):
        stem = f"{number:02d}-{acquisition.header.kind.lower().replace(' ', '-')}"
        for name, figure in {"": _figure(acquisition), **_figures_of_views(acquisition)}.items():
            path = folder / f"{stem}{name}.png"
            with whole_file(path) as partial:
                figure.savefig(partial, format="png", dpi=_DPI, metadata={"Software": _SOFTWARE})
            written.append(path)
    return written


def refuse_foreign_pictures(folder: Path) -> None:
    """Refuse a folder for thumbnails that is a file, or that holds pictures of another program under their names.

    Raises
    ------
    InputError
        Something there would be replaced that this program did not write.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError("What is given for thumbnails is no folder; choose another one with --thumbnails.")
    for path in folder.glob("[0-9][0-9]*-*.png") if folder.is_dir() else []:
        with path.open("rb") as stream:
            if _SOFTWARE.encode() not in stream.read(_PNG_HEAD_BYTES):
                raise InputError(
                    "The folder for thumbnails holds pictures of another program under the same kind of names; choose "
                    "another one with --thumbnails."
                )


def _figures_of_views(acquisition: Acquisition) -> dict[str, Figure]:
    if not isinstance(acquisition, Projections):
        return {}
    findings, defects = find_motion(acquisition), find_non_uniformity(acquisition)
    return {"-sinogram": sinogram(acquisition, findings, defects), "-linogram": linogram(acquisition, findings)}


def pictures(acquisition: Acquisition) -> list[tuple[str, Picture]]:
    """Choose what shows an acquisition: titles and pictures."""
    if isinstance(acquisition, Projections):
        return _views(acquisition)
    if isinstance(acquisition, PlanarImages):
        (rows, columns), (down, across) = acquisition.counts.shape[2:], acquisition.pixel_mm
        extent = (0.0, columns * across, rows * down, 0.0)
        return [
            (name, Picture(acquisition.counts[0, view], extent, _PLANAR_LETTERS.get(name.lower(), ("", "", "", ""))))
            for view, name in enumerate(acquisition.view_names)
        ]
    upright = canonical(acquisition.image)
    if isinstance(acquisition, CtSeries):
        slices, rows, _ = upright.geometry.shape
        both = [("axial", axial(upright, slices // 2)), ("coronal", coronal(upright, rows // 2))]
        width, height = both[1][1].size_mm
        return both if height > _THINNEST * width else both[:1]
    volume = np.asarray(upright.array, dtype=np.float32)
    (left, right), (front, back), (low, high) = (edges_mm(upright, axis) for axis in (2, 1, 0))
    return [
        ("from the front", Picture(volume.max(axis=1)[::-1], (left, right, low, high), ("R", "L", "H", "F"))),
        ("from the feet", Picture(volume.max(axis=0), (left, right, back, front), ("R", "L", "A", "P"))),
    ]


def _views(acquisition: Projections) -> list[tuple[str, Picture]]:
    """Choose the views from the four sides, or the first one where none is near them."""
    angles, (rows, columns) = acquisition.orbit.angles_deg, acquisition.counts.shape[2:]
    z_mm = acquisition.first_row_z_mm + acquisition.pixel_mm[0] * np.array([0.5, 0.5 - rows])
    half_mm = columns * acquisition.pixel_mm[1] / 2.0
    found = []
    for side, angle in _SIDES.items():
        away = np.abs((angles - angle + 180.0) % 360.0 - 180.0)
        if away.min() <= _NEAR_DEG:
            found.append((side, int(away.argmin())))
    return [
        (
            f"{side} ({angles[view] % 360.0:.4g}°)".strip(),
            Picture(
                acquisition.counts[0, view],
                (-half_mm, half_mm, float(z_mm[1]), float(z_mm[0])),
                _letters(float(angles[view])),
            ),
        )
        for side, view in found or [("", 0)]
    ]


def _letters(angle_deg: float) -> Letters:
    """Tell what lies on each side of a view: its columns run along (-cos t, sin t), x to the left, y to the back."""
    along = {"L": -np.cos(np.deg2rad(angle_deg)), "P": np.sin(np.deg2rad(angle_deg))}
    opposite = {"L": "R", "P": "A"}
    axis = max(along, key=lambda letter: abs(along[letter]))
    right, left = (axis, opposite[axis]) if along[axis] > 0 else (opposite[axis], axis)
    return left, right, "H", "F"


def _coarser(picture: Picture) -> Picture:
    """Average pixels that would be smaller than those of the panel: none may be dropped, as a dead one would be."""
    rows, columns = picture.pixels.shape
    by = -(-max(rows / _TALLEST_IN, columns / _PANEL_IN) // _DPI)
    if by <= 1:
        return picture
    n = int(by)
    padded = np.pad(picture.pixels.astype(np.float32), ((0, -rows % n), (0, -columns % n)), mode="edge")
    pixels = padded.reshape(padded.shape[0] // n, n, padded.shape[1] // n, n).mean(axis=(1, 3))
    left, right, bottom, top = picture.extent_mm
    right = left + (right - left) * padded.shape[1] / columns
    bottom = top + (bottom - top) * padded.shape[0] / rows
    return Picture(pixels, (left, right, bottom, top), picture.letters)


def _figure(acquisition: Acquisition) -> Figure:
    shown = [(title, _coarser(picture)) for title, picture in pictures(acquisition)]
    hours = acquisition.header.hours_after_injection
    kind = acquisition.header.kind if hours is None else f"{acquisition.header.kind}, {hours:.1f} h"
    figure, (panels,) = picture_grid(
        [[picture.size_mm for _, picture in shown]],
        [title for title, _ in shown],
        [kind],
        width_in=0.26 + (_PANEL_IN + 0.08) * len(shown),
        tallest_in=_TALLEST_IN,
        bar_in=0.02,
    )
    is_ct = isinstance(acquisition, CtSeries)
    # Counts are shown dark on light, as planar scintigrams are read; the brightest thousandth may saturate.
    top = upper_limit(np.concatenate([picture.pixels.ravel() for _, picture in shown]), 99.9)
    scale = Normalize(*_SOFT_TISSUE_HU) if is_ct else Normalize(0.0, top)
    for panel, (_, picture) in zip(panels, shown, strict=True):
        if panel is not None:
            show(panel, picture, "gray" if is_ct else "gray_r", scale, dark=is_ct, interpolation="nearest")
    return figure
