"""Reconstruction by maximum a posteriori: the likelihood of the counts less a penalty of rough images.

The optimiser is a stochastic gradient method over ordered subsets whose variance is reduced by full gradients (SVRG:
Johnson and Zhang, NeurIPS 2013; in emission tomography Twyman et al., IEEE Trans Med Imaging 2023; 42:29), with
heavy-ball momentum (Polyak 1964) and a diagonal preconditioner made of the sensitivity and the penalty's curvature.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukospect.errors import InputError
from leukospect.penalty import Penalty
from leukospect.reconstruction import OrderedSubsets, osem

Array = NDArray[np.float32]

FEWEST_PASSES = 5

_EPOCHS_A_GRADIENT = 2
"""Passes over the subsets between two full gradients."""

_MOMENTUM = np.float32(0.8)
_STEP_DECAY = 0.1

_FLOOR = 0.2
"""Voxels move as if they held at least this part of the mean activity, so that those at zero can leave it."""

_LEAST_CURVATURE = np.float32(0.1)
_LARGEST_GROWTH = np.float32(2.0)
_LARGEST_RATIO = np.float32(1e4)
_LAST_PRECONDITIONED_EPOCH = 4


@dataclass(frozen=True, slots=True)
class Pass:
    """What the objective had come to after some passes over all views.

    Parameters
    ----------
    passes : int
        Forward and back projections of all views so far.
    log_likelihood : float
        Poisson, without the term that only depends on the counts.
    penalty : float
        Zero for methods without one.
    """

    passes: int
    log_likelihood: float
    penalty: float = 0.0

    @property
    def objective(self) -> float:
        """What is maximised."""
        return self.log_likelihood - self.penalty


def sensitivity_of(subsets: OrderedSubsets) -> Array:
    """Give the sensitivity image A'1 where the image may differ from zero, and zero elsewhere."""
    total = np.zeros_like(subsets.inverse_sensitivities[0])
    for inverse in subsets.inverse_sensitivities:
        seen = inverse > 0
        total[seen] += 1 / inverse[seen]
    return total


def mean_activity(subsets: OrderedSubsets, counts: Array, scatter: Array | None = None) -> float:
    """Give the uniform activity that explains the total of the counts, or 0 without counts."""
    seen = float(sensitivity_of(subsets).sum(dtype=np.float64))
    measured = float(counts.sum(dtype=np.float64))
    primary = max(measured - (0.0 if scatter is None else float(scatter.sum(dtype=np.float64))), 0.1 * measured)
    return primary / seen if seen > 0 else 0.0


def maximum_a_posteriori(
    subsets: OrderedSubsets,
    penalty: Penalty,
    counts: Array,
    scatter: Array | None = None,
    *,
    passes: int = 15,
    stop_below: float = 0.0,
    record: Callable[[Pass], None] | None = None,
    made: Callable[[int], None] | None = None,
    progress: Callable[[float], None] | None = None,
) -> Array:
    """Maximise the Poisson log-likelihood less a penalty over images that are nowhere negative.

    Parameters
    ----------
    subsets : OrderedSubsets
        Their fixed order is kept, so that the result is reproducible.
    penalty : Penalty
        Of images of the model's input shape.
    counts : array of the model's output shape
        Measured counts, never corrected.
    scatter : array of the same shape, or None
        Expected scatter counts, added in the forward model.
    passes : int
        At most this many forward and back projections of all views, at least 5: one of OSEM to start from, one for
        the curvature, those of full gradients, and half of one to check the result.
    stop_below : float
        Stop once the image's relative change over a pass falls below this.
    record : function of a Pass, or None
        Told of the objective after the start and after every pass that changes the image; each costs a forward
        projection more.
    made : function of a number, or None
        Told how many passes were made in the end.
    progress : function of the fraction done, or None

    Returns
    -------
    array of the model's input shape
        Its objective is at least that of the OSEM start.

    Raises
    ------
    InputError
        Too few passes; counts or scatter of another shape, negative or not finite.

    Notes
    -----
    An update is  v <- 0.8 v - step P (m (g_s(x) - g_s(x0)) + g(x0) + penalty'(x)),  x <- max(x + v, 0),  with x0 the
    image of the last full gradient g, m subsets, and P = z / (c + z penalty''), z the start, or 0.2 of its mean where
    it is below that. c is the largest over the subsets of m A_s' (y_s / e_s^2 A_s z), e the expected counts: c / z
    bounds the second derivatives of each subset, also where few counts are expected, so that no update overshoots.
    Where a full gradient finds the objective lower than before, the image before is taken up again with half the step.
    Subsets of six views and more converge best.
    """
    if passes < FEWEST_PASSES:
        raise InputError(f"Maximum a posteriori needs at least {FEWEST_PASSES} passes; found {passes}.")
    image = osem(subsets, counts, scatter, iterations=1)
    mean = mean_activity(subsets, counts, scatter)
    if mean == 0.0:
        return image
    if not image.any():
        # A subset without any count leaves OSEM with nothing.
        image = np.where(sensitivity_of(subsets) > 0, np.float32(mean), np.float32(0))
    report = progress or (lambda done: None)
    search = _Search(_Objective(subsets, penalty, counts, scatter), image, mean)
    used, change = 1, np.inf
    if record is not None:
        record(search.measured(used))
    while passes - used > _EPOCHS_A_GRADIENT and change >= stop_below:
        used += search.take_full_gradient()
        # What is too short for another full gradient and a pass after it is used up before the last check.
        rest = passes - used - 1
        for _ in range(_EPOCHS_A_GRADIENT if rest > _EPOCHS_A_GRADIENT + 1 else rest):
            change = search.run_through_subsets()
            used += 1
            report(used / passes)
            if record is not None:
                record(search.measured(used))
            if change < stop_below:
                break
    report(1.0)
    if made is not None:
        made(used + 1)
    return search.better()


class _Objective:
    """Log-likelihood less penalty, and the gradient of a subset's part of the likelihood.

    Below 1e-4 of its counts a bin's expectation goes on in a straight line, so that nothing becomes infinite.
    """

    def __init__(self, subsets: OrderedSubsets, penalty: Penalty, counts: Array, scatter: Array | None) -> None:
        self.subsets, self.penalty = subsets, penalty
        self._counts = [counts[views] for views in subsets.views]
        self._scatter = [0 if scatter is None else scatter[views] for views in subsets.views]

    def __len__(self) -> int:
        return len(self._counts)

    def expected(self, s: int, image: Array) -> Array:
        views: Array = self.subsets.operators[s].forward(image) + self._scatter[s]
        return views

    def likelihood(self, s: int, expected: Array) -> float:
        counts = self._counts[s].astype(np.float64)
        least = np.where(counts > 0, counts / float(_LARGEST_RATIO), 1.0)
        logarithm = np.log(np.maximum(expected, least)) + np.minimum(expected / least - 1, 0.0)
        return float(np.sum(np.where(counts > 0, counts * logarithm, 0.0) - expected, dtype=np.float64))

    def uphill(self, s: int, expected: Array) -> Array:
        counts = self._counts[s]
        least = np.maximum(counts / _LARGEST_RATIO, np.float32(1e-30))
        return self.subsets.operators[s].adjoint(counts / np.maximum(expected, least) - 1)

    def curvature(self, s: int, expected: Array, along: Array) -> Array:
        """Give the second derivatives of the subset's negative log-likelihood, times an image."""
        counts, operator = self._counts[s], self.subsets.operators[s]
        least = np.maximum(counts / _LARGEST_RATIO, np.float32(1e-15))
        return operator.adjoint(counts / np.maximum(expected, least) ** 2 * operator.forward(along))

    def at(self, image: Array, passes: int) -> Pass:
        parts = (self.likelihood(s, self.expected(s, image)) for s in range(len(self)))
        return Pass(passes, sum(parts), self.penalty.value(image))


class _Search:
    """The image on its way up, and the full gradient that leads it."""

    def __init__(self, objective: _Objective, image: Array, mean: float) -> None:
        self.objective, self.image = objective, image
        self._sensitivity = sensitivity_of(objective.subsets)
        self._reach = np.maximum(image, np.float32(_FLOOR * mean))
        self._curvature = np.zeros_like(image)
        self._velocity = np.zeros_like(image)
        self._step, self._epoch = 1.0, 0
        self._best, self._best_value = image, -np.inf
        self._parts: list[Array] = []

    def measured(self, passes: int) -> Pass:
        return self.objective.at(self.image, passes)

    def take_full_gradient(self) -> int:
        """Compute the gradients of all subsets at the image, or the one before where it is worse; give passes used."""
        first = self._epoch == 0
        value = self._differentiate(and_curvature=first)
        if value >= self._best_value:
            self._best, self._best_value = self.image, value
            return 2 if first else 1
        self.image, self._velocity = self._best, np.zeros_like(self._best)
        self._step *= 0.5
        self._differentiate()
        return 2

    def _differentiate(self, *, and_curvature: bool = False) -> float:
        value, parts = -self.objective.penalty.value(self.image), []
        for s in range(len(self.objective)):
            expected = self.objective.expected(s, self.image)
            value += self.objective.likelihood(s, expected)
            parts.append(self.objective.uphill(s, expected))
            if and_curvature:
                bend = self.objective.curvature(s, expected, self._reach)
                np.maximum(self._curvature, bend * np.float32(len(self.objective)), out=self._curvature)
        self._parts = parts
        self._full = np.sum(parts, axis=0, dtype=np.float32)
        return value

    def run_through_subsets(self) -> float:
        """Update the image by each subset; return its relative change."""
        before = self.image
        if self._epoch <= _LAST_PRECONDITIONED_EPOCH:
            self._precondition()
        step = np.float32(self._step / (1 + _STEP_DECAY * self._epoch))
        subsets = np.float32(len(self.objective))
        for s in range(len(self.objective)):
            uphill = self.objective.uphill(s, self.objective.expected(s, self.image))
            uphill -= self._parts[s]
            uphill *= subsets
            uphill += self._full
            uphill -= self.objective.penalty.gradient(self.image)
            uphill *= self._preconditioner
            velocity = _MOMENTUM * self._velocity + step * uphill
            velocity = np.clip(velocity, -self.image, _LARGEST_GROWTH * np.maximum(self.image, self._reach))
            self.image = self.image + velocity
            self._velocity = velocity
        self._epoch += 1
        change = float(np.sum((self.image - before) ** 2, dtype=np.float64))
        total = float(np.sum(self.image**2, dtype=np.float64))
        return float(np.sqrt(change / total)) if total > 0 else 0.0

    def _precondition(self) -> None:
        # Where hardly a count was measured the likelihood is flat, which must not make steps without end.
        curvature = np.maximum(self._curvature, _LEAST_CURVATURE * self._sensitivity)
        curvature += self._reach * self.objective.penalty.curvature(self.image)
        seen = self._sensitivity > 0
        self._preconditioner = np.where(seen, self._reach / np.where(seen, curvature, 1), 0).astype(np.float32)

    def better(self) -> Array:
        """Give the image, or that of the last full gradient where its objective is higher."""
        return self.image if self.measured(0).objective >= self._best_value else self._best
