"""Fitting the pose of a CT, and the uptakes of its tissues, to an emission image; and how sure the pose is.

Levenberg-Marquardt on the six numbers of the pose and the uptakes together. Residuals enter by a bounded loss
(Geman and McClure's), so that a focus or an organ which no CT foretells counts little. How sure the pose is follows
from the residuals themselves, summed within blocks as wide as they hang together (the sandwich estimator with
clusters): it grows where a limb is a cylinder along which it might slide, with noise, and where the prediction is off.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukospect.kernels.channels import sampled, slopes
from leukospect.kernels.least_squares import add_normal_equations
from leukospect.registration.conversion import Matrix
from leukospect.registration.emission_samples import EmissionSamples

Doubles = NDArray[np.float64]

# A rotation of 1 / LEVER_MM rad weighs as much as a shift of 1 mm.
LEVER_MM = 100.0
_BLOCK_MM = 40.0
# How far beyond the CT its end slices go on, ever less believed; and the least part of the places that must be left.
_BEYOND_MM, _LEAST_PART = 30.0, 0.5
_LONGEST_STEP_MM = 20.0
_STILL_MM = 0.02
_RIDGE, _NOTHING = 1e-5, 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """A rotation about the body's centre, (3, 3), and the centre's shift, mm."""

    rotation: Doubles
    shift_mm: Doubles

    def matrix(self, centre_mm: Doubles) -> Matrix:
        """Give it as a 4x4 matrix, LPS mm, that takes places of the emission image to places of the CT."""
        made = np.eye(4)
        made[:3, :3] = self.rotation
        made[:3, 3] = centre_mm + self.shift_mm - self.rotation @ centre_mm
        return made

    def moved(self, step: Doubles) -> Pose:
        """Turn by step[:3] / LEVER_MM rad and shift by step[3:6] mm more."""
        return Pose(turn(step[:3] / LEVER_MM) @ self.rotation, self.shift_mm + step[3:6])


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A pose with all that the fit knows of it.

    Parameters
    ----------
    pose : Pose
    matrix : (4, 4) array
    cost : float
        Mean bounded loss over the places, infinite where too few are left in the CT.
    uptakes : (channels,) array
    indices, places_mm : (places, 3) arrays
        Of the samples in the CT.
    basis : (places, channels) array
    residuals : (places,) array
        Relative to the uptake round about.
    inside : (places,) array
        1 in the CT, falling to 0 beyond it.
    """

    pose: Pose
    matrix: Matrix
    cost: float
    uptakes: Doubles
    indices: Doubles
    places_mm: Doubles
    basis: Doubles
    residuals: Doubles
    inside: Doubles


def apart_from(one: Pose, other: Pose) -> Doubles:
    """Give the step (rotation times LEVER_MM, shift in mm) that leads from another pose to this one, (6,)."""
    between = np.einsum("ij,kj->ik", one.rotation, other.rotation)
    cosine = (np.trace(between) - 1.0) / 2.0
    axis = np.array([between[2, 1] - between[1, 2], between[0, 2] - between[2, 0], between[1, 0] - between[0, 1]])
    # The axis is twice the angle's sine long.
    sine = 0.5 * float(np.sqrt(np.sum(axis**2)))
    vector = axis * (0.5 * np.arctan2(sine, cosine) / sine) if sine > 1e-12 else 0.5 * axis
    return np.concatenate([LEVER_MM * vector, one.shift_mm - other.shift_mm])


def turn(vector: Doubles) -> Doubles:
    """Make the rotation about a vector by its length in rad."""
    angle = float(np.sqrt(np.sum(vector**2)))
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = vector / angle
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    squared = np.einsum("ij,jk->ik", cross, cross)
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * squared)


def evaluated(samples: EmissionSamples, pose: Pose, bound: float, uptakes: Doubles | None = None) -> Fit:
    """Find the uptakes that fit best at a pose, from those given on.

    Parameters
    ----------
    samples : EmissionSamples
    pose : Pose
    bound : float
        Relative residual from which on a place counts ever less.
    uptakes : (channels,) array or None
    """
    geometry, centre = samples.predicted.geometry, samples.predicted.centre_mm
    matrix = pose.matrix(centre)
    places = _carried(samples.points_mm, matrix)
    indices = _carried(places, _inverse(geometry.affine))
    beyond = np.maximum(np.maximum(-indices, indices - (np.array(geometry.shape) - 1.0)), 0.0) * geometry.spacing_mm
    inside = np.clip(1.0 - beyond.max(axis=1) / _BEYOND_MM, 0.0, 1.0)
    basis = sampled(samples.predicted.channels, indices)
    weights = samples.weights**2 * inside
    for _ in range(3):
        robust = weights
        if uptakes is not None:
            residuals = _residuals(samples, basis, uptakes)
            robust = weights / (1.0 + (residuals / bound) ** 2) ** 2
        matrix_of, right = _normal(basis, samples.values, robust)
        ridge = max(_RIDGE * np.trace(matrix_of) / len(matrix_of), _NOTHING) * np.eye(len(matrix_of))
        uptakes = np.asarray(np.linalg.solve(matrix_of + ridge, right), np.float64)
    assert uptakes is not None
    residuals = _residuals(samples, basis, uptakes)
    left, squared = float(inside.sum()), residuals**2
    cost = float(np.sum(inside * bound**2 * squared / (squared + bound**2)) / max(left, 1.0))
    if left < _LEAST_PART * len(inside):
        cost = np.inf
    return Fit(pose, matrix, cost, uptakes, indices, places, basis, residuals, inside)


def fitted(samples: EmissionSamples, pose: Pose, *, bound: float, steps: int) -> Fit:
    """Improve a pose until it rests or so many steps are done."""
    fit, damping = evaluated(samples, pose, bound), 1e-3
    for _ in range(steps if np.isfinite(fit.cost) else 0):
        matrix, right = _normal(_derivatives(samples, fit), *_weighted(samples, fit, bound))
        length, better = 0.0, None
        for _ in range(6):
            damped = matrix + np.diag(damping * np.diag(matrix) + 1e-9 * np.trace(matrix))
            step = np.asarray(np.linalg.solve(damped, right)[:6], np.float64)
            length = float(np.sqrt(np.sum(step**2)))
            step *= min(1.0, _LONGEST_STEP_MM / max(length, 1e-12))
            tried = evaluated(samples, fit.pose.moved(step), bound, fit.uptakes)
            if tried.cost < fit.cost:
                better, damping = tried, max(damping / 5.0, 1e-6)
                break
            damping *= 8.0
        if better is None:
            break
        fit = better
        if length < _STILL_MM:
            break
    return fit


def covariance(samples: EmissionSamples, fit: Fit, bound: float) -> Doubles:
    """Tell how sure a pose is: covariance of (rotation times LEVER_MM, shift), (6, 6), mm^2."""
    derivatives = _derivatives(samples, fit)
    values, weights = _weighted(samples, fit, bound)
    matrix, _ = _normal(derivatives, values, weights)
    inverse = np.linalg.inv(matrix + 1e-9 * np.trace(matrix) * np.eye(len(matrix)))
    pulls = derivatives * (values * weights)[:, None]
    blocks = np.floor(samples.points_mm / _BLOCK_MM).astype(int)
    block = np.unique(blocks, axis=0, return_inverse=True)[1].ravel()
    sums = np.stack([np.bincount(block, column) for column in pulls.T], axis=1)
    spread = np.einsum("bi,bj->ij", sums, sums)
    return np.asarray(np.einsum("ij,jk,kl->il", inverse, spread, inverse)[:6, :6])


def advantage(samples: EmissionSamples, one: Fit, other: Fit, bound: float) -> float:
    """Tell how surely one pose fits better than another: the difference of their losses over its standard error.

    The error comes from how the difference varies between blocks of places, each as wide as residuals hang together.
    """
    losses = []
    for fit in (one, other):
        squared = fit.residuals**2
        losses.append(fit.inside * squared / (squared + bound**2) / max(float(fit.inside.sum()), 1.0))
    blocks = np.floor(samples.points_mm / _BLOCK_MM).astype(int)
    block = np.unique(blocks, axis=0, return_inverse=True)[1].ravel()
    sums = np.bincount(block, losses[1] - losses[0])
    return float(sums.sum() / max(np.sqrt(np.sum(sums**2)), 1e-300))


def displacements_mm(points_mm: Doubles, one: Matrix, other: Matrix) -> Doubles:
    """Tell how far apart two transforms put points, (points,), mm."""
    apart = _carried(points_mm, one - other)
    return np.asarray(np.sqrt(np.sum(apart**2, axis=1)))


def spread_mm(pose_covariance: Doubles, points_mm: Doubles, centre_mm: Doubles) -> float:
    """Root mean square displacement of points that a pose's covariance stands for, mm."""
    return float(np.sqrt(np.einsum("ij,ij->", _squares(points_mm, centre_mm), pose_covariance)))


def spread_along_mm(pose_covariance: Doubles, step: Doubles, points_mm: Doubles, centre_mm: Doubles) -> float:
    """Tell how sure a pose is along a step (rotation times LEVER_MM, shift): standard error over points, mm."""
    weights = np.einsum("ij,j->i", _squares(points_mm, centre_mm), step)
    length_squared = float(np.einsum("i,i->", step, weights))
    if length_squared <= 0:
        return 0.0
    return float(np.sqrt(np.einsum("i,ij,j->", weights, pose_covariance, weights) / length_squared))


def _squares(points_mm: Doubles, centre_mm: Doubles) -> Doubles:
    """Give the matrix that makes of a small step the mean square displacement of points, (6, 6)."""
    x, y, z = (points_mm - centre_mm).T / LEVER_MM
    zero, one = np.zeros_like(x), np.ones_like(x)
    rows = np.array([[zero, z, -y, one, zero, zero], [-z, zero, x, zero, one, zero], [y, -x, zero, zero, zero, one]])
    return np.asarray(np.einsum("ain,ajn->ij", rows, rows) / len(points_mm))


def _derivatives(samples: EmissionSamples, fit: Fit) -> Doubles:
    """Give the prediction's derivatives by rotation times LEVER_MM, shift and uptakes: (places, 6 + channels)."""
    per_index = slopes(samples.predicted.channels, fit.indices, fit.uptakes)
    per_mm = np.einsum("na,ab->nb", per_index, _inverse(samples.predicted.geometry.affine)[:3, :3])
    from_centre = fit.places_mm - (samples.predicted.centre_mm + fit.pose.shift_mm)
    return np.concatenate([np.cross(from_centre, per_mm) / LEVER_MM, per_mm, fit.basis], axis=1)


def _weighted(samples: EmissionSamples, fit: Fit, bound: float) -> tuple[Doubles, Doubles]:
    """Give residuals in the image's unit, and the weights that the bounded loss leaves them."""
    robust = fit.inside / (1.0 + (fit.residuals / bound) ** 2) ** 2
    return fit.residuals / samples.weights, samples.weights**2 * robust


def _residuals(samples: EmissionSamples, basis: Doubles, uptakes: Doubles) -> Doubles:
    return np.asarray((samples.values - np.einsum("nc,c->n", basis, uptakes)) * samples.weights)


def _inverse(matrix: Matrix) -> Matrix:
    return np.asarray(np.linalg.inv(matrix), np.float64)


def _carried(points: Doubles, matrix: Matrix) -> Doubles:
    """Apply a 4x4 matrix to points; a plain sum, since the last bits of a library's product follow its threads."""
    return np.asarray(np.einsum("ab,nb->na", matrix[:3, :3], points) + matrix[:3, 3])


def _normal(columns: Doubles, values: Doubles, weights: Doubles) -> tuple[Doubles, Doubles]:
    matrix, right = np.zeros((columns.shape[1], columns.shape[1])), np.zeros(columns.shape[1])
    add_normal_equations(columns, values, np.ascontiguousarray(weights), matrix, right)
    return matrix + np.tril(matrix, -1).T, right
