"""What the metal benchmark finds: settings, measures of every slice, targets."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukospect.benchmark.metal_measures import BoneEdge
from leukospect.benchmark.metal_process import LargeCt
from leukospect.benchmark.metal_spect_cases import CASES, QUICK_CASES, SpectCase
from leukospect.errors import InputError
from leukospect.phantoms.metal_anatomies import BENCHMARK_SEEDS_FROM, FAMILIES

_MOST_VOLUMES = 100


@dataclass(frozen=True, slots=True)
class MetalSettings:
    """How much is done.

    Parameters
    ----------
    volumes : int
        Anatomies of each family.
    slices : int
        Of each.
    matrix : int
        Rows and columns; 512 for results that count.
    large_slices, large_metal_slices : int
        Of the CT by which time and memory of a whole one are measured; 0 leaves it out.
    compared : int
        Anatomies of each family that every method is tried on; the others are for the default method alone.
    seed : int
        Chooses the anatomies: see `first_anatomy`.
    families : tuple of str
    spect : tuple of SpectCase
        Implants whose SPECT is simulated and reconstructed with the CT as scanned and with its metal reduced.
    """

    volumes: int = 8
    slices: int = 6
    matrix: int = 512
    large_slices: int = 400
    large_metal_slices: int = 150
    compared: int = 2
    seed: int = 1
    families: tuple[str, ...] = FAMILIES
    spect: tuple[SpectCase, ...] = CASES

    def __post_init__(self) -> None:
        if not 1 <= self.volumes <= _MOST_VOLUMES:
            raise InputError(f"The benchmark takes 1 to {_MOST_VOLUMES} anatomies a family; found {self.volumes}.")

    @property
    def first_anatomy(self) -> int:
        """Seed of the first anatomy: from 1000 up, where nothing was tuned on; each `seed` has its own."""
        return BENCHMARK_SEEDS_FROM + _MOST_VOLUMES * self.seed


QUICK = MetalSettings(volumes=2, slices=4, large_slices=0, large_metal_slices=0, spect=QUICK_CASES)


@dataclass(frozen=True, slots=True)
class SliceMeasure:
    """One slice with metal after one method.

    Parameters
    ----------
    family, anatomy : str, int
        The anatomy's seed.
    metals : str
        Materials, joined by ``+``.
    slice_index : int
    method : str
    changed : bool
        False where the reduction left the slice as it was.
    metal_pixels : int
    rmse_before_hu, rmse_after_hu : float
        Outside metal.
    rmse_without_metal_hu : float
        Of the same scan without metal: its noise.
    artefact_before_hu, artefact_after_hu : float
        RMS difference from that scan, which has the same noise, outside metal: the artefact alone.
    ssim_before, ssim_after : float
    edge_before_mm, edge_after_mm : float
        By how much the bone's edge beside metal lies off the truth's; NaN where there is none.
    width_truth_mm, width_before_mm, width_after_mm : float
        Of that edge, from 10 to 90 %.
    """

    family: str
    anatomy: int
    metals: str
    slice_index: int
    method: str
    changed: bool
    metal_pixels: int
    rmse_before_hu: float
    rmse_after_hu: float
    rmse_without_metal_hu: float
    artefact_before_hu: float
    artefact_after_hu: float
    ssim_before: float
    ssim_after: float
    edge_before_mm: float = float("nan")
    edge_after_mm: float = float("nan")
    width_truth_mm: float = float("nan")
    width_before_mm: float = float("nan")
    width_after_mm: float = float("nan")

    @property
    def reduction(self) -> float:
        """By which fraction the error fell; negative where it rose."""
        return 1.0 - self.rmse_after_hu / self.rmse_before_hu

    @property
    def artefact_reduction(self) -> float:
        """By which fraction the artefact alone fell; negative where it rose."""
        return 1.0 - self.artefact_after_hu / self.artefact_before_hu

    @property
    def rise_hu(self) -> float:
        """By how much the error rose, HU; negative where it fell."""
        return self.rmse_after_hu - self.rmse_before_hu

    def row(self) -> dict[str, Any]:
        """Give the measure as one flat row; what is not there is None."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {key: None if isinstance(v, float) and np.isnan(v) else v for key, v in values.items()}


@dataclass(frozen=True, slots=True)
class Volume:
    """One anatomy after the default method.

    Parameters
    ----------
    family, anatomy : str, int
    with_metal : bool
    slices, metal_slices : int
        Of the scan, and of those the ones that the truth says have metal.
    seconds : float
        Of the whole reduction.
    identical : bool
        Without metal: every slice came out as it was, to the bit. With metal: all outside the body did.
    """

    family: str
    anatomy: int
    with_metal: bool
    slices: int
    metal_slices: int
    seconds: float
    identical: bool


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A slice to look at: HU before, after and truth, each (rows, columns), and where its metal is."""

    family: str
    title: str
    before: NDArray[np.float32]
    after: NDArray[np.float32]
    truth: NDArray[np.float32]
    metal: NDArray[np.bool_]
    pixel_mm: float
    rmse_before_hu: float
    rmse_after_hu: float


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked, what was found, and whether it is met; None where it is only told."""

    asked: str
    found: str
    met: bool | None

    @property
    def verdict(self) -> str:
        """Say it in a word: ``met``, ``missed`` or ``told``."""
        return "told" if self.met is None else "met" if self.met else "missed"


@dataclass(frozen=True, slots=True, eq=False)
class MetalMeasures:
    """Everything that a run measured.

    Parameters
    ----------
    default : str
        The method that `reduce_metal` takes by itself.
    slices : tuple of SliceMeasure
        Of every method.
    volumes : tuple of Volume
    large : LargeCt or None
    edges : tuple of (family, BoneEdge)
        After the default method.
    """

    default: str
    slices: tuple[SliceMeasure, ...]
    volumes: tuple[Volume, ...]
    large: LargeCt | None
    edges: tuple[tuple[str, BoneEdge], ...]

    @property
    def methods(self) -> tuple[str, ...]:
        """Every method that was measured, the default first."""
        return tuple(dict.fromkeys([self.default, *(one.method for one in self.slices)]))

    def of(self, method: str | None = None, **wanted: object) -> tuple[SliceMeasure, ...]:
        """Give the slices of a method (the default's without one) whose fields are those given."""
        chosen = (one for one in self.slices if one.method == (method or self.default))
        return tuple(one for one in chosen if all(getattr(one, name) == value for name, value in wanted.items()))

    def as_values(self) -> dict[str, Any]:
        """Give everything as plain values for a JSON file."""
        return {
            "default_method": self.default,
            "slices": [one.row() for one in self.slices],
            "volumes": [asdict(one) for one in self.volumes],
            "large_ct": None if self.large is None else _without_nan(asdict(self.large)),
        }


def median_of(measures: Iterable[SliceMeasure], value: Callable[[SliceMeasure], float]) -> float:
    """Give the median of a value over slices that have it; NaN without any."""
    values = np.array([value(one) for one in measures], dtype=np.float64)
    values = values[np.isfinite(values)]
    return float(np.median(values)) if values.size else float("nan")


def _without_nan(values: dict[str, Any]) -> dict[str, Any]:
    return {key: None if isinstance(v, float) and np.isnan(v) else v for key, v in values.items()}
