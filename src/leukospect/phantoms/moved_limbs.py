"""Two CT scans of one anatomy whose limbs lie elsewhere the second time: digital truth of a registration.

The solids themselves are moved and scanned anew, so nothing is resampled and both scans have noise, sampling and
streaks of their own. Nothing here knows how anything is registered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from leukospect.data import Geometry, Image
from leukospect.phantoms.acquisitions import CtAcquisition
from leukospect.phantoms.ct_scanner import CtScanner
from leukospect.phantoms.description import Phantom, read_phantom
from leukospect.phantoms.materials import METALS
from leukospect.phantoms.scene import Scene, scene_of
from leukospect.phantoms.solids import Cylinder, Ellipsoid, Shape, Solid, Sphere

Part = Literal["right", "left", "trunk"]
Matrix = NDArray[np.float64]

_HIPS_MM = {"right": (-92.0, 2.0, 134.0), "left": (90.0, 3.0, 131.0)}
# A shaft's axis at its upper and lower end, as the phantom draws it, and its radius.
_SHAFTS_MM = {
    "right": ((-124.0, 6.0, 82.0), (-92.0, -2.0, -320.0)),
    "left": ((121.0, 8.0, 78.0), (94.0, 1.0, -320.0)),
}
_SHAFT_RADIUS_MM = 16.0
_WHOLE_BODY = (30.0, 15.0)
_BETWEEN_LIMBS_DEG = 4.0
_FIELD_MM, _LENGTH_MM = 500.0, 350.0


@dataclass(frozen=True, slots=True, eq=False)
class MovedLimbs:
    """Two scans and what is true of them.

    Parameters
    ----------
    late, early : Image
        CT in HU.
    late_to_early : mapping
        Each part's true motion, 4x4, LPS mm: takes where a point lies in the late scan to where in the early one.
    femur_points_mm : mapping
        Points on each femur's surface inside the late scan, (n, 3) LPS mm.
    implant : str
        ``none`` or the implants' material.
    """

    late: Image
    early: Image
    late_to_early: Mapping[str, Matrix]
    femur_points_mm: Mapping[str, NDArray[np.float64]]
    implant: str


def rigid_matrix(shift_mm: NDArray[np.float64], degrees: NDArray[np.float64], about_mm: NDArray[np.float64]) -> Matrix:
    """Make the matrix of a rotation about x, y and z through a point, followed by a shift."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    matrix[:3, 3] = about_mm + shift_mm - matrix[:3, :3] @ about_mm
    return matrix


def moved_scene(scene: Scene, motions: tuple[Matrix, ...]) -> Scene:
    """Move every solid of a scene by a matrix of its own."""
    solids = tuple(_moved(solid, matrix) for solid, matrix in zip(scene.solids, motions, strict=True))
    inverse = np.array([np.linalg.inv(solid.half_axes_mm) for solid in solids])
    return replace(scene, solids=solids, inverse=inverse)


def _moved(solid: Solid, matrix: Matrix) -> Solid:
    turned = matrix[:3, :3]
    return replace(solid, centre_mm=turned @ solid.centre_mm + matrix[:3, 3], half_axes_mm=turned @ solid.half_axes_mm)


def limb_phantom(implant: str) -> Phantom:
    """Give the shipped nailed and plated femora, with another material of the implants or none.

    The ridge at the back of the femur and the lesser trochanter, which tell how a shaft is turned, are added.
    """
    phantom = read_phantom("femoral-nail")
    shapes = [shape for shape in phantom.shape if implant != "none" or shape.material not in METALS]
    shapes = [s if s.material not in METALS else s.model_copy(update={"material": implant}) for s in shapes]
    bone = "cortical_bone"
    added: list[Shape] = []
    for side, sign in (("right", -1.0), ("left", 1.0)):
        top, end = (np.array(p) for p in _SHAFTS_MM[side])
        ridge = np.array([-2.0 * sign, 14.0, 0.0])
        added.append(
            Cylinder(kind="cylinder", from_mm=_point(top + ridge - [0, 0, 60.0]), to_mm=_point(end + ridge),
                     radius_mm=4.0, material=bone)
        )  # fmt: skip
        lesser = top + np.array([-14.0 * sign, 10.0, -22.0])
        added.append(Ellipsoid(kind="ellipsoid", center_mm=_point(lesser), radii_mm=(8.0, 9.0, 13.0), material=bone))
    first = _first_of_limbs(tuple(shapes))
    return phantom.model_copy(update={"shape": (*shapes[: first + 2], *added, *shapes[first + 2 :])})


def _point(place: NDArray[np.float64]) -> tuple[float, float, float]:
    return float(place[0]), float(place[1]), float(place[2])


def _first_of_limbs(shapes: tuple[object, ...]) -> int:
    """Find where the drawing of the limbs' inside begins: at the right hip joint, drawn before the femora."""
    return next(
        number
        for number, shape in enumerate(shapes)
        if isinstance(shape, Sphere | Ellipsoid) and shape.center_mm == _HIPS_MM["right"]
    )


def parts_of(phantom: Phantom, scene: Scene) -> tuple[Part, ...]:
    """Tell which part of the body each solid of `limb_phantom` goes with."""
    first = _first_of_limbs(phantom.shape)
    parts: list[Part] = []
    for number, solid in enumerate(scene.solids):
        x, _, z = solid.centre_mm
        of_limb = abs(x) > 30.0 and (number >= first or z < 0.0)
        parts.append("trunk" if not of_limb else "left" if x > 0 else "right")
    return tuple(parts)


def _poses(rng: np.random.Generator, scale: float) -> dict[str, Matrix]:
    """Draw how the body lies, and how the limbs lie to it: turned about their hips."""
    whole = rigid_matrix(
        scale * rng.uniform(-_WHOLE_BODY[0], _WHOLE_BODY[0], 3),
        scale * rng.uniform(-_WHOLE_BODY[1], _WHOLE_BODY[1], 3),
        np.array([0.0, 0.0, 0.0]),
    )
    poses = {"trunk": whole}
    for side, hip in _HIPS_MM.items():
        angles = scale * rng.uniform(-_BETWEEN_LIMBS_DEG, _BETWEEN_LIMBS_DEG, 3)
        poses[side] = whole @ rigid_matrix(np.zeros(3), angles, np.array(hip))
    return poses


def scan_moved_limbs(seed: int, *, implant: str | None = None, moved: bool = True, threads: int = 1) -> MovedLimbs:
    """Scan one anatomy twice: late in about its own place, early moved by up to 30 mm and 15 degrees along each axis.

    Parameters
    ----------
    seed : int
        Of the size, the poses, the scanner's settings and the noise.
    implant : str or None
        A metal, ``none``, or None to draw one.
    moved : bool
        False lets everything lie early where it lies late; scanners and noise differ still.
    threads : int
        The result does not depend on it.
    """
    rng = np.random.default_rng([27182, seed])
    drawn = str(rng.choice(["titanium_alloy", "titanium_alloy", "steel_316l", "none"]))
    implant = drawn if implant is None else implant
    phantom = limb_phantom(implant)
    scene = scene_of(phantom)
    parts = parts_of(phantom, scene)
    size = np.eye(4)
    size[:3, :3] = np.diag(rng.uniform(0.92, 1.08, 3))
    late, early = _poses(rng, 0.15), _poses(rng, 1.0)
    early = early if moved else late
    images = []
    for number, pose in enumerate((late, early)):
        scan = _scan(rng)
        scanner = CtScanner(moved_scene(scene, tuple(pose[part] @ size for part in parts)), scan)
        hu = scanner.scan_hu((lambda block, n=number: np.random.default_rng([seed, n, block]),), threads)[0]  # type: ignore[misc]
        spacing = (scan.slice_spacing_mm, *scan.pixel_mm)
        geometry = Geometry.axial(hu.shape, spacing, scanner.first_voxel_mm, f"2.25.{number + 1}")
        images.append(Image(hu.astype(np.float32), geometry, "HU"))
    points = {}
    for side in _SHAFTS_MM:
        there = _through(late[side] @ size, _surface(side))
        box = images[0].geometry
        index = box.to_index(there)
        points[side] = there[np.all((index >= 0) & (index <= np.array(box.shape) - 1), axis=1)]
    truth: dict[str, Matrix] = {part: early[part] @ np.linalg.inv(late[part]) for part in late}
    return MovedLimbs(images[0], images[1], truth, points, implant)


def _scan(rng: np.random.Generator) -> CtAcquisition:
    """Draw a scanner: pixels of 1.3 to 1.8 mm, slices of 2 to 3 mm, the noise of a low dose."""
    columns, spacing = int(rng.integers(280, 385)), float(rng.uniform(2.0, 3.0))
    return CtAcquisition(
        kind="CT",
        time_point="late",
        hours=24.0,
        matrix=(columns, columns),
        pixel_mm=(_FIELD_MM / columns, _FIELD_MM / columns),
        slices=round(_LENGTH_MM / spacing),
        slice_spacing_mm=spacing,
        center_z_mm=-20.0 + float(rng.uniform(-5.0, 5.0)),
        kvp=float(rng.choice([110.0, 120.0, 130.0])),
        views=360,
        photons_per_ray=float(np.exp(rng.uniform(np.log(3e4), np.log(3e5)))),
    )


def _surface(side: str) -> NDArray[np.float64]:
    """Points round a femur's shaft, and its head."""
    top, end = (np.array(p) for p in _SHAFTS_MM[side])
    along = np.linspace(0.0, 1.0, 41)[:, None, None]
    turn = np.linspace(0.0, 2.0 * np.pi, 12, endpoint=False)
    ring = _SHAFT_RADIUS_MM * np.stack([np.cos(turn), np.sin(turn), np.zeros(12)], axis=-1)
    shaft = (top + along * (end - top) + ring).reshape(-1, 3)
    hip = np.array(_HIPS_MM[side])
    return np.concatenate([shaft, hip + 24.0 * np.concatenate([np.eye(3), -np.eye(3)])])


def _through(matrix: Matrix, points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(points @ matrix[:3, :3].T + matrix[:3, 3])


def target_errors_mm(found: Matrix, truth: Matrix, points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Tell how far from its true place a transform puts each point, (n,) mm."""
    return np.asarray(np.linalg.norm(_through(found, points_mm) - _through(truth, points_mm), axis=1))


def angle_between_deg(one: Matrix, other: Matrix) -> float:
    """Tell by which angle two transforms turn differently, degrees."""
    turn = Rotation.from_matrix(one[:3, :3].T @ other[:3, :3])
    return float(np.degrees(turn.magnitude()))
