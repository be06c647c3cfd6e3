"""A small SPECT system as an explicit matrix, made in closed form and sharing no code with the projector.

An ellipse of uniform attenuation, a Gaussian response that widens with distance, integrated over the detector's pixels;
and the penalised optimum of its counts by a slow, general method in double precision.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import ndtr

from leukospect.operators import ViewOperator
from leukospect.support import Support

Array = NDArray[np.float32]
Values = NDArray[np.float64]

SPACING_MM = (9.0, 7.0, 7.0)
MU_PER_MM = 0.015


class DenseViews(ViewOperator):
    """A matrix (views, columns x slices, places x slices) from runs to views."""

    def __init__(self, matrix: Values, columns: int, in_shape: tuple[int, int]) -> None:
        self.matrix, self.in_shape = matrix, in_shape
        self.out_shape = (matrix.shape[0], columns, in_shape[1])
        self.flat = matrix.reshape(-1, matrix.shape[2])

    def _forward(self, x: Array) -> Array:
        return np.asarray((self.flat @ x.ravel()).reshape(self.out_shape), np.float32)

    def _adjoint(self, y: Array) -> Array:
        return np.asarray((self.flat.T @ y.ravel()).reshape(self.in_shape), np.float32)

    def subset(self, views: NDArray[np.intp]) -> DenseViews:
        """Return the operator of these views only."""
        return DenseViews(self.matrix[views], self.out_shape[1], (self.in_shape[0], self.in_shape[1]))


@dataclass(frozen=True, eq=False)
class DenseCase:
    """A system, noisy counts of a known object with scatter, and the object's regions."""

    model: DenseViews
    support: Support
    angles_deg: Values
    counts: Array
    scatter: Array
    truth: Values
    regions: dict[str, NDArray[np.bool_]]


def dense_case(
    views: int = 40, columns: int = 18, slices: int = 5, mean_counts: float = 15.0, seed: int = 1
) -> DenseCase:
    """Make the case: a body, a hot, a warm and a cold region, scatter a quarter of the primary counts."""
    axial, transverse, _ = SPACING_MM
    centres = (np.arange(columns) - (columns - 1) / 2) * transverse
    y, x = np.meshgrid(centres, centres, indexing="ij")
    half = columns / 2 * transverse
    mask = np.hypot(x, y) <= half - 0.5 * transverse
    x, y = x[mask], y[mask]
    z = np.asarray((np.arange(slices) - (slices - 1) / 2) * axial, np.float64)
    angles = 17.0 + np.arange(views) * 360.0 / views
    matrix = np.stack([_view(x, y, z, columns, half, np.deg2rad(angle)) for angle in angles])
    model = DenseViews(matrix.reshape(views, columns * slices, -1), columns, (x.size, slices))
    body = np.repeat(((x / (0.9 * half)) ** 2 + (y / (0.7 * half)) ** 2 <= 1)[:, None], slices, axis=1)
    truth = body.astype(np.float64)
    regions = {}
    for name, place, radius, level in (
        ("hot", (0.35, 0.1, 0.0), 0.24, 6.0),
        ("cold", (-0.4, 0.1, 0.05), 0.27, 0.05),
        ("warm", (0.0, -0.35, -0.05), 0.22, 3.0),
    ):
        squared = ((x - place[0] * half) ** 2 + (y - place[1] * half) ** 2)[:, None] + (z[None] - place[2] * half) ** 2
        regions[name] = squared <= (radius * half) ** 2
        truth[regions[name]] = level
    regions["body"] = body & ~np.any(list(regions.values()), axis=0)
    truth *= mean_counts / model.forward(truth.astype(np.float32)).mean()
    mean = model.forward(truth.astype(np.float32))
    scatter = np.full(model.out_shape, 0.25 * mean.mean(), np.float32)
    counts = np.random.default_rng(seed).poisson(mean + scatter).astype(np.float32)
    return DenseCase(model, Support(mask), angles, counts, scatter, truth, regions)


def _view(x: Values, y: Values, z: Values, columns: int, half: float, t: float) -> Values:
    axial, transverse, _ = SPACING_MM
    u, depth = -x * np.cos(t) + y * np.sin(t), half + 10.0 - x * np.sin(t) - y * np.cos(t)
    sigma = np.hypot(1.0 + 0.02 * depth, 1.6)
    edges = (np.arange(columns + 1) - columns / 2) * transverse
    across = np.diff(ndtr((edges[:, None] - u) / sigma), axis=0)
    rows = (np.arange(z.size + 1) - z.size / 2) * axial
    along = np.diff(ndtr((rows[:, None, None] - z) / sigma[None, :, None]), axis=0)
    through = np.exp(-MU_PER_MM * _path(x, y, 0.9 * half, 0.7 * half, t))
    return np.asarray(through[:, None] * across[:, None, :, None] * along[None])


def _path(x: Values, y: Values, a: float, b: float, t: float) -> Values:
    """Give the way from inside an ellipse to its edge, towards the detector."""
    square = (np.sin(t) / a) ** 2 + (np.cos(t) / b) ** 2
    mixed = x * np.sin(t) / a**2 + y * np.cos(t) / b**2
    root = mixed**2 - square * ((x / a) ** 2 + (y / b) ** 2 - 1)
    return np.asarray(np.maximum(np.sqrt(np.maximum(root, 0)) - mixed, 0) / square)


class PairwisePenalty:
    """The relative difference penalty by an explicit list of pairs, in double precision."""

    def __init__(
        self,
        support: Support,
        gain: Values,
        strength: float,
        epsilon: float,
        gamma: float,
        spacing_mm: tuple[float, ...],
    ) -> None:
        places = np.argwhere(support.mask)
        slices = gain.shape[1]
        voxels = np.array([(k, j, i) for j, i in places for k in range(slices)])
        number = {tuple(voxel): n for n, voxel in enumerate(voxels.tolist())}
        one, other, weight = [], [], []
        for (k, j, i), n in number.items():
            for dk in (-1, 0, 1):
                for dj in (-1, 0, 1):
                    for di in (-1, 0, 1):
                        m = number.get((k + dk, j + dj, i + di), -1)
                        if m > n:
                            one.append(n)
                            other.append(m)
                            distance = np.linalg.norm(np.array([dk, dj, di]) * np.array(spacing_mm))
                            weight.append(min(spacing_mm) / distance)
        self.one, self.other = np.array(one), np.array(other)
        self.weight = strength * np.array(weight) * gain.ravel()[self.one] * gain.ravel()[self.other]
        self.epsilon, self.gamma = epsilon, gamma

    def __call__(self, image: Values) -> tuple[float, Values]:
        """Give value and gradient of an image, flattened."""
        a, b = image[self.one], image[self.other]
        d = a - b
        s = a + b + self.gamma * np.abs(d) + self.epsilon
        by_a = self.weight * (2 * d / s - d**2 / s**2 * (1 + self.gamma * np.sign(d)))
        by_b = self.weight * (-2 * d / s - d**2 / s**2 * (1 - self.gamma * np.sign(d)))
        gradient = np.bincount(self.one, by_a, image.size) + np.bincount(self.other, by_b, image.size)
        return float(np.sum(self.weight * d**2 / s)), np.asarray(gradient)


def optimum(case: DenseCase, penalty: PairwisePenalty, start: Array) -> tuple[Values, float]:
    """Find the penalised optimum by L-BFGS-B; return it and how far it is from meeting the optimality conditions.

    The latter is the largest gradient times activity, where it could still rise or fall, in units of counts.
    """
    matrix = case.model.flat
    counts, scatter = case.counts.ravel().astype(np.float64), case.scatter.ravel().astype(np.float64)
    first = start.ravel().astype(np.float64)
    scale = np.sqrt(np.maximum(first, 0.05 * first.mean()) / matrix.sum(axis=0))

    def cost(scaled: Values) -> tuple[float, Values]:
        image = scaled * scale
        mean = matrix @ image + scatter
        value, gradient = penalty(image)
        gradient += matrix.T @ (1 - counts / mean)
        return float(np.sum(mean - counts * np.log(mean)) + value), gradient * scale

    found = minimize(
        cost, first / scale, jac=True, method="L-BFGS-B", bounds=[(0, None)] * first.size,
        options={"maxiter": 3000, "maxfun": 6000, "ftol": 1e-15, "gtol": 1e-9, "maxcor": 30},
    )  # fmt: skip
    image = found.x * scale
    gradient = cost(found.x)[1] / scale
    free = np.where(image > 0, gradient, np.minimum(gradient, 0))
    residual = float(np.max(np.abs(free) * np.maximum(image, 1e-3 * image.max())))
    return image.reshape(case.model.in_shape), residual
