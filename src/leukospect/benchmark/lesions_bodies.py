"""Bodies with normal anatomy, and the lesions that the lesion benchmark puts into them.

A body is a phantom without its infection, with its size, side, uptakes and field drawn. A lesion is a sphere, painted
before the metal, so that metal in it takes none up. Its concentration at the late time is `contrast` times what its
surroundings hold (a shell of 10 mm round it, metal and air left out); that at the delayed time follows from its course,
which is the true change of its ratio to the tissue at its mirror place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.benchmark.lesions_results import LesionSettings
from leukospect.benchmark.registration_cases import drawn_phantom
from leukospect.data import Geometry
from leukospect.phantoms import Phantom, concentration_map, read_phantom
from leukospect.phantoms.acquisitions import SpectAcquisition
from leukospect.phantoms.description import NO_ACTIVITY, Compartment
from leukospect.phantoms.materials import METALS
from leukospect.phantoms.solids import Shape, Sphere

DELAYED_HOURS, LATE_HOURS = 4.0, 24.0
NOT_NORMAL = ("infection", "infection_hottest", "sinus", "remodelling")
"""Compartments of the phantoms that are taken out: what is left is normal anatomy and metal."""
ORGANS = ("liver", "spleen", "kidney", "bowel", "urine", "lung")
"""Compartments that a lesion keeps away from."""
BONE = ("cortical_bone", "spongiosa", "marrow")
LESION = "lesion"

_FIELD_CENTRE_MM = {"femoral-nail": 0.0, "hip-prosthesis": 90.0, "fused-spine": 0.0}
_FIELD_REACH_MM = 30.0
_TIME_SPREAD = 0.05
_SHELL_MM, _FROM_ORGANS_MM, _APART_MM, _AT_METAL_MM = 10.0, 10.0, 20.0, 5.0
_FROM_SKIN_MM, _FROM_FIELD_EDGE_MM = 3.0, 20.0
_LEAST_LEFT = 0.6
"""Least part of a lesion's sphere that metal and what lies in it leave."""
_TRIES, _LEFT_VOXELS = 60, 12
_POINT_MM = 0.01
_GROWTH = (0.25, 1.5)
_LOSS = (-0.6, -0.25)
_STABLE = (-0.08, 0.08)

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Lesion:
    """A lesion and what is true of it.

    Parameters
    ----------
    name : str
        Its compartment in the phantom.
    centre_mm : (x, y, z), LPS
    diameter_mm : float
    site : ``bone``, ``soft tissue`` or ``metal``
    contrast : float
        Late concentration over that of its surroundings.
    course : ``growing``, ``stable`` or ``falling``
    change : float
        True change of the ratio to the tissue at the mirror place, delayed to late.
    delayed_kbq_per_ml, late_kbq_per_ml : float
        Decay-corrected to the injection.
    """

    name: str
    centre_mm: tuple[float, float, float]
    diameter_mm: float
    site: str
    contrast: float
    course: str
    change: float
    delayed_kbq_per_ml: float
    late_kbq_per_ml: float


@dataclass(frozen=True, slots=True)
class _Wanted:
    site: str
    diameter_mm: float
    contrast: float
    course: str


@dataclass(frozen=True, slots=True, eq=False)
class _Places:
    """What lies where in a body, on the grid the lesions are placed on."""

    geometry: Geometry
    delayed: Floats
    late: Floats
    tissue: Bools
    depth_mm: Floats
    to_organs_mm: Floats
    to_metal_mm: Floats
    bone: Bools
    points_mm: Floats


def normal_body(body: str, seed: int, settings: LesionSettings) -> Phantom:
    """Draw a body without lesions, scanned at the delayed and at the late time as it lies."""
    rng = np.random.default_rng([seed, 11])
    drawn = drawn_phantom(body, seed)
    flipped = bool(rng.integers(2))
    shapes = tuple(_mirrored(shape) if flipped else shape for shape in map(_normal, drawn.shape) if shape is not None)
    compartments = {
        name: _each_time_changed(compartment, rng)
        for name, compartment in drawn.compartment.items()
        if name not in NOT_NORMAL
    }
    centre = _FIELD_CENTRE_MM.get(body, 0.0) + float(rng.uniform(-_FIELD_REACH_MM, _FIELD_REACH_MM))
    pixels = {"matrix": settings.matrix, "pixel_mm": (settings.pixel_mm,) * 2, "center_z_mm": centre}
    scans = tuple(
        scan.model_copy(update={**pixels, "seconds": seconds, "stops": settings.stops, "frame": "whole"})
        for scan in read_phantom(body).acquisition
        if isinstance(scan, SpectAcquisition)
        for hours, seconds in (
            (DELAYED_HOURS, settings.delayed_seconds * 60.0 / settings.stops),
            (LATE_HOURS, settings.late_seconds * 60.0 / settings.stops),
        )
        if scan.hours == hours
    )
    changes = {"shape": shapes, "compartment": compartments, "acquisition": scans, "region": ()}
    return drawn.model_copy(update={**changes, "finest_mm": settings.pixel_mm})


def with_lesions(
    phantom: Phantom, seed: int, number: int, settings: LesionSettings
) -> tuple[Phantom, tuple[Lesion, ...]]:
    """Put lesions into a body, each of a site, size, contrast and course of its own; fewer where there is no room."""
    if number == 0:
        return phantom, ()
    rng = np.random.default_rng([seed, 12])
    places = _places(phantom, settings)
    lesions: list[Lesion] = []
    while len(lesions) < number:
        wanted = _wanted(rng, seed // len(settings.bodies) + len(lesions), settings)
        lesion = _placed(phantom, places, wanted, lesions, rng)
        if lesion is None:
            break
        lesions.append(lesion)
    return painted(phantom, lesions), tuple(lesions)


def painted(phantom: Phantom, lesions: list[Lesion]) -> Phantom:
    """Paint lesions over the tissues and under the metal."""
    first_metal = next((n for n, shape in enumerate(phantom.shape) if shape.material in METALS), len(phantom.shape))
    spheres = tuple(
        Sphere(kind="sphere", compartment=one.name, center_mm=one.centre_mm, radius_mm=one.diameter_mm / 2.0)
        for one in lesions
    )
    shapes = (*phantom.shape[:first_metal], *spheres, *phantom.shape[first_metal:])
    held = {one.name: Compartment(delayed=one.delayed_kbq_per_ml, late=one.late_kbq_per_ml) for one in lesions}
    return phantom.model_copy(update={"shape": shapes, "compartment": {**phantom.compartment, **held}})


def compartment_share(phantom: Phantom, names: tuple[str, ...], geometry: Geometry, samples: int = 2) -> Floats:
    """Give the part of each voxel that some compartments fill, 0 to 1."""
    ones = {
        name: Compartment(hours=(0.0,), kbq_per_ml=(1.0 if name in names else 0.0,)) for name in phantom.compartment
    }
    filled = concentration_map(phantom.model_copy(update={"compartment": ones}), 0.0, geometry, samples)
    return np.asarray(filled.array, dtype=np.float64)


def compartment_at(phantom: Phantom, place_mm: tuple[float, float, float]) -> str:
    """Name the compartment at a place."""
    names = (NO_ACTIVITY, *phantom.compartment)
    numbered = {
        name: Compartment(hours=(0.0,), kbq_per_ml=(float(number),)) for number, name in enumerate(names) if number
    }
    point = Geometry.axial((1, 1, 1), (_POINT_MM,) * 3, place_mm)
    number = concentration_map(phantom.model_copy(update={"compartment": numbered}), 0.0, point, 1).array[0, 0, 0]
    return names[round(float(number))]


def material_share(phantom: Phantom, names: frozenset[str], geometry: Geometry, samples: int = 2) -> Floats:
    """Give the part of each voxel that some materials fill, 0 to 1."""
    shapes = tuple(
        shape.model_copy(update={"material": None, "compartment": "filled" if shape.material in names else NO_ACTIVITY})
        for shape in phantom.shape
        if shape.material is not None
    )
    ones = {"filled": Compartment(hours=(0.0,), kbq_per_ml=(1.0,))}
    filled = concentration_map(
        phantom.model_copy(update={"shape": shapes, "compartment": ones}), 0.0, geometry, samples
    )
    return np.asarray(filled.array, dtype=np.float64)


def grid_of(phantom: Phantom) -> Geometry:
    """Give the grid that the phantom's SPECT scans reconstruct to."""
    scan = next(scan for scan in phantom.acquisition if isinstance(scan, SpectAcquisition))
    (rows, columns), (axial, across) = scan.matrix, scan.pixel_mm
    half = (columns - 1) / 2.0 * across
    x, y = scan.axis_mm
    first = (x - half, y - half, scan.first_row_z_mm - (rows - 1) * axial)
    return Geometry.axial((rows, columns, columns), (axial, across, across), first)


def _normal(shape: Shape) -> Shape | None:
    if shape.compartment not in NOT_NORMAL:
        return shape
    return None if shape.material is None else shape.model_copy(update={"compartment": "soft_tissue"})


def _mirrored(shape: Shape | None) -> Shape:
    assert shape is not None
    changes = {
        name: (-value[0], *value[1:])
        for name in ("center_mm", "from_mm", "to_mm", "along", "across")
        if (value := getattr(shape, name, None)) is not None
    }
    return shape.model_copy(update=changes)


def _each_time_changed(compartment: Compartment, rng: np.random.Generator) -> Compartment:
    changes = {
        name: value * float(np.exp(rng.normal(0.0, _TIME_SPREAD)))
        for name in ("early", "delayed", "late")
        if (value := getattr(compartment, name)) is not None
    }
    return compartment.model_copy(update=changes)


def _wanted(rng: np.random.Generator, number: int, settings: LesionSettings) -> _Wanted:
    low, high = settings.contrasts
    return _Wanted(
        site=("bone", "soft tissue", "metal")[int(rng.integers(3))],
        diameter_mm=float(rng.uniform(*settings.diameters_mm)),
        contrast=float(np.exp(rng.uniform(np.log(low), np.log(high)))),
        # In turn, so that each course is as frequent as the others, in each kind of body.
        course=("growing", "stable", "falling")[number % 3],
    )


def _places(phantom: Phantom, settings: LesionSettings) -> _Places:
    grid = grid_of(phantom)
    spacing = grid.spacing_mm
    metal = material_share(phantom, METALS, grid) > 0.2
    tissue = material_share(phantom, frozenset({"soft_tissue", "adipose", "water", *BONE, *METALS}), grid) > 0.8
    organs = compartment_share(phantom, tuple(name for name in ORGANS if name in phantom.compartment), grid) > 0.05
    delayed, late = (
        np.asarray(concentration_map(phantom, hours, grid, 2).array, dtype=np.float64)
        for hours in (DELAYED_HOURS, LATE_HOURS)
    )
    # A couch attenuates, but holds no activity: only tissue that does is the body.
    body = ndimage.binary_opening(tissue & ((late > 0) | metal), iterations=2) | metal
    return _Places(
        grid, delayed, late, body & ~metal,
        ndimage.distance_transform_edt(body, sampling=spacing),
        ndimage.distance_transform_edt(~organs, sampling=spacing) if organs.any() else np.full(grid.shape, np.inf),
        ndimage.distance_transform_edt(~metal, sampling=spacing) if metal.any() else np.full(grid.shape, np.inf),
        material_share(phantom, frozenset(BONE), grid) > 0.5,
        grid.to_lps(np.moveaxis(np.indices(grid.shape), 0, -1)),
    )  # fmt: skip


def _placed(
    phantom: Phantom, places: _Places, wanted: _Wanted, others: list[Lesion], rng: np.random.Generator
) -> Lesion | None:
    """Find a place for a lesion; where its site has none, another one is taken, and smaller the later the try."""
    sites = [wanted.site, *(site for site in ("bone", "soft tissue", "metal") if site != wanted.site)]
    for site in sites:
        candidates = np.argwhere(_room(places, site, wanted.diameter_mm, others))
        for _ in range(_TRIES if len(candidates) else 0):
            index = candidates[int(rng.integers(len(candidates)))]
            place = places.geometry.to_lps(index + rng.uniform(-0.5, 0.5, 3))
            centre = (float(place[0]), float(place[1]), float(place[2]))
            lesion = _described(places, wanted, site, centre, f"{LESION} {len(others) + 1}", rng)
            if lesion is not None and _left(phantom, lesion) >= _LEAST_LEFT:
                return lesion
    return None


def _room(places: _Places, site: str, diameter_mm: float, others: list[Lesion]) -> Bools:
    radius = diameter_mm / 2.0
    room = (places.depth_mm >= radius + _FROM_SKIN_MM) & (places.to_organs_mm >= radius + _FROM_ORGANS_MM)
    z = places.points_mm[..., 2]
    edge = radius + _FROM_FIELD_EDGE_MM
    room &= (z >= z.min() + edge) & (z <= z.max() - edge)
    if site == "metal":
        room &= (places.to_metal_mm > 0) & (places.to_metal_mm <= radius + _AT_METAL_MM)
    else:
        room &= (places.to_metal_mm > radius + _AT_METAL_MM) & (places.bone == (site == "bone"))
    for other in others:
        for sign in (1.0, -1.0):
            # Nor opposite another one: that would take its reference away.
            there = np.array([sign * other.centre_mm[0], other.centre_mm[1], other.centre_mm[2]])
            apart = np.sqrt(np.sum((places.points_mm - there) ** 2, axis=-1))
            room &= apart >= radius + other.diameter_mm / 2.0 + _APART_MM
    return np.asarray(room)


def _described(
    places: _Places, wanted: _Wanted, site: str, centre: tuple[float, float, float], name: str,
    rng: np.random.Generator,
) -> Lesion | None:  # fmt: skip
    radius = wanted.diameter_mm / 2.0
    away = np.sqrt(np.sum((places.points_mm - np.array(centre)) ** 2, axis=-1))
    shell = (away > radius) & (away <= radius + _SHELL_MM) & places.tissue
    opposite = np.array([-centre[0], centre[1], centre[2]])
    mirror = (np.sqrt(np.sum((places.points_mm - opposite) ** 2, axis=-1)) <= max(radius, 7.0)) & places.tissue
    if np.count_nonzero(shell) < 10 or not mirror.any() or places.late[mirror].mean() <= 0:
        return None
    late = wanted.contrast * float(places.late[shell].mean())
    reference = float(places.late[mirror].mean() / places.delayed[mirror].mean())
    course, change = _course(wanted.course, late / (reference * float(places.delayed[shell].mean())) - 1.0, rng)
    return Lesion(
        name, centre, wanted.diameter_mm, site, wanted.contrast, course, change, late / (reference * (1.0 + change)),
        late,
    )  # fmt: skip


def _course(wanted: str, most: float, rng: np.random.Generator) -> tuple[str, float]:
    """Draw the change of the ratio; what grows was at the delayed time no colder than its surroundings."""
    if wanted == "growing" and most >= _GROWTH[0]:
        low, high = np.log1p(_GROWTH[0]), np.log1p(min(_GROWTH[1], most))
        return wanted, float(np.expm1(rng.uniform(low, high)))
    if wanted == "falling":
        return wanted, float(rng.uniform(*_LOSS))
    return "stable", float(rng.uniform(*_STABLE))


def _left(phantom: Phantom, lesion: Lesion) -> float:
    """Give the part of a lesion's sphere that is its own once all is painted."""
    step = lesion.diameter_mm / _LEFT_VOXELS
    first = np.array(lesion.centre_mm) - (lesion.diameter_mm - step) / 2.0
    box = Geometry.axial((_LEFT_VOXELS,) * 3, (step,) * 3, (float(first[0]), float(first[1]), float(first[2])))
    filled = compartment_share(painted(phantom, [lesion]), (lesion.name,), box)
    return float(filled.mean() * 6.0 / np.pi)
