"""Bodies, scans and misalignments of the registration benchmark.

Every draw makes a body of its own: the phantom scaled, its uptakes changed one by one, counted for another time, its CT
covering another part. Counts come from the phantom's own gamma camera with Poisson noise, the CT from its own scanner
with noise and all that metal does to it, not reduced. A misalignment is put on the CT's place, not on its voxels, so
that no interpolation makes the true pose any special.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from leukospect.ct.body import body_outline
from leukospect.data import CtSeries, Geometry, Image, Projections
from leukospect.errors import AssumptionWarning
from leukospect.phantoms import Phantom, read_phantom, simulate_study
from leukospect.phantoms.acquisitions import CtAcquisition, SpectAcquisition
from leukospect.phantoms.description import Compartment
from leukospect.pipeline import reconstruct_spect
from leukospect.protocol import load_protocol

BODIES = ("femoral-nail", "hip-prosthesis", "fused-spine")
BENCHMARK_SEEDS_FROM = 2000
"""Draws below are for tuning, from here up for the benchmark."""

_PROTOCOL = "tc99m-hmpao-spect-ct"
_FINEST_MM = 4.8
_CT_MATRIX, _CT_PIXEL_MM, _CT_VIEWS = (256, 256), (1.953125, 1.953125), 240
_LENGTHS = ("center_mm", "from_mm", "to_mm", "radii_mm", "radius_mm", "to_radius_mm", "size_mm")
_CT_OFFSET_MM = 24.0
_POINTS = 1000

Matrix = NDArray[np.float64]
Values = TypeVar("Values", bound=BaseModel)


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """One draw: what is registered, and where the body and its lesions are.

    Parameters
    ----------
    body : str
    seed : int
    counts : float
        Photopeak counts of all views.
    emission : Image
        Reconstructed without attenuation correction, as the program does.
    ct : Image, HU
    outline : (slices, rows, columns) bool array
        The body in the CT.
    body_mm, lesions_mm : (points, 3) arrays
        Points all over the body within both fields of view, and the middles of the lesions, LPS mm.
    """

    body: str
    seed: int
    counts: float
    emission: Image
    ct: Image
    outline: NDArray[np.bool_]
    body_mm: NDArray[np.float64]
    lesions_mm: NDArray[np.float64]

    @property
    def pixel_mm(self) -> float:
        """Size of a SPECT voxel, mm."""
        return min(self.emission.geometry.spacing_mm)


def drawn_phantom(body: str, seed: int) -> Phantom:
    """Draw a body: its size, its uptakes, the time of its scan and what part the CT covers."""
    rng = np.random.default_rng([seed, BODIES.index(body) if body in BODIES else len(BODIES)])
    phantom = read_phantom(body)
    scale = float(rng.uniform(0.9, 1.08))
    shapes = tuple(_scaled(shape, scale) for shape in phantom.shape)
    compartments = {
        name: _changed(compartment, float(np.exp(rng.normal(0.0, 0.2))))
        for name, compartment in phantom.compartment.items()
    }
    time_point = str(rng.choice(["delayed", "late"]))
    spect = [scan for scan in phantom.acquisition if isinstance(scan, SpectAcquisition)]
    ct = [scan for scan in phantom.acquisition if isinstance(scan, CtAcquisition)]
    [camera] = [scan for scan in spect if scan.time_point == time_point]
    [scanner] = [scan for scan in ct if scan.time_point == time_point]
    offset = float(rng.uniform(-_CT_OFFSET_MM, _CT_OFFSET_MM))
    changes = {
        "matrix": _CT_MATRIX,
        "pixel_mm": _CT_PIXEL_MM,
        "views": _CT_VIEWS,
        "center_z_mm": scanner.center_z_mm + offset,
    }
    regions = tuple(
        region.model_copy(
            update={
                "sphere": tuple(_scaled(part, scale) for part in region.sphere),
                "cylinder": tuple(_scaled(part, scale) for part in region.cylinder),
                "box": tuple(_scaled(part, scale) for part in region.box),
            }
        )
        for region in phantom.region
    )
    return phantom.model_copy(
        update={
            "shape": shapes,
            "compartment": compartments,
            "acquisition": (camera, scanner.model_copy(update=changes)),
            "finest_mm": _FINEST_MM,
            "region": regions,
        }
    )


def scanned(body: str, seed: int, *, part_of_counts: float = 1.0, threads: int | None = None) -> Scan:
    """Draw a body, scan it, and reconstruct its SPECT without attenuation correction.

    Parameters
    ----------
    body : str
    seed : int
        Of the body and of the noise.
    part_of_counts : float
        Of the acquisition's usual counts.
    threads : int or None
    """
    phantom = drawn_phantom(body, seed)
    study = simulate_study(phantom, seed=seed, threads=threads)
    [(projections, mean)] = [
        (one, mean)
        for one, mean in zip(study.study.acquisitions, study.expected, strict=True)
        if isinstance(one, Projections) and mean is not None
    ]
    if part_of_counts != 1.0:
        counts = np.random.default_rng([seed, 7]).poisson(part_of_counts * mean).astype(np.float32)
        projections = replace(projections, counts=counts)
    [series] = [one for one in study.study.acquisitions if isinstance(one, CtSeries)]
    protocol = load_protocol(_PROTOCOL, ["registration.enabled=false"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)
        made = reconstruct_spect(projections, None, protocol, threads=threads)
    outline = body_outline(series.image)
    lesions = [
        _middle(part) for region in phantom.region if region.role == "lesion"
        for part in (*region.sphere, *region.cylinder, *region.box)
    ]  # fmt: skip
    emission = made.recon if made.recon_nac is None else made.recon_nac
    return Scan(
        body, seed, float(np.sum(projections.counts[0], dtype=np.float64)), emission, series.image, outline,
        _points(series.image.geometry, outline, emission.geometry), np.array(lesions),
    )  # fmt: skip


def random_misalignment(
    rng: np.random.Generator, centre_mm: NDArray[np.float64], shift_mm: float, rotation_deg: float
) -> Matrix:
    """Draw a shift and a rotation about a point: each component evenly between minus and plus so much."""
    x, y, z = np.radians(rng.uniform(-rotation_deg, rotation_deg, 3))
    about_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_z = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    made = np.eye(4)
    made[:3, :3] = np.einsum("ij,jk,kl->il", about_z, about_y, about_x)
    made[:3, 3] = centre_mm + rng.uniform(-shift_mm, shift_mm, 3) - made[:3, :3] @ centre_mm
    return made


def misplaced(ct: Image, matrix: Matrix) -> Image:
    """Put a CT elsewhere, so that `matrix` takes places of the body as SPECT has it to places in the CT."""
    grid = ct.geometry
    return replace(ct, geometry=Geometry(grid.shape, matrix @ grid.affine, grid.frame_of_reference_uid))


def errors_mm(points_mm: NDArray[np.float64], one: Matrix, other: Matrix) -> NDArray[np.float64]:
    """Tell how far apart two transforms put points, (points,), mm."""
    apart = np.einsum("ab,nb->na", (one - other)[:3, :3], points_mm) + (one - other)[:3, 3]
    return np.asarray(np.sqrt(np.sum(apart**2, axis=1)))


def _scaled(table: Values, scale: float) -> Values:
    values = table.model_dump()
    changes: dict[str, object] = {}
    for name in _LENGTHS:
        value = values.get(name)
        if value is not None:
            changes[name] = tuple(scale * each for each in value) if isinstance(value, tuple | list) else scale * value
    return table.model_copy(update=changes)


def _changed(compartment: Compartment, factor: float) -> Compartment:
    values = {name: value for name, value in compartment.model_dump().items() if value is not None and value != ()}
    times = {name: factor * value for name, value in values.items() if name in ("early", "delayed", "late")}
    curve = tuple(factor * value for value in compartment.kbq_per_ml)
    return compartment.model_copy(update=times | ({"kbq_per_ml": curve} if curve else {}))


def _middle(part: object) -> tuple[float, ...]:
    centre = getattr(part, "center_mm", None)
    if centre is None:
        ends = np.array([getattr(part, "from_mm"), getattr(part, "to_mm")])  # noqa: B009
        centre = ends.mean(axis=0)
    return tuple(float(each) for each in centre)


def _points(ct: Geometry, outline: NDArray[np.bool_], emission: Geometry) -> NDArray[np.float64]:
    """Choose points of the body evenly where both images have them."""
    places = ct.to_lps(np.argwhere(outline)[::101])
    indices = emission.to_index(places)
    seen = np.all((indices >= 0) & (indices <= np.array(emission.shape) - 1), axis=1)
    places = places[seen]
    return np.asarray(places[:: max(1, len(places) // _POINTS)])
