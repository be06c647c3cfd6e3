"""The trace model: hardening of a known form goes, what the metal hides comes back as far as noise allows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from leukospect.ct.linear_interpolation import linear
from leukospect.ct.metal_trace import MetalTrace
from leukospect.ct.normalised import normalised
from leukospect.ct.ray_model import RayModel
from leukospect.ct.tissue_prior import smoothed_prior
from leukospect.ct.trace_model import CAUTIOUS, DENSE_BONE, TRUSTING, Passes, TraceModel
from tests.ct.hardened_slice import BONE, METAL, SECOND_METAL, hardened_slice
from tests.ct.polychromatic_slice import Ellipse

HIDDEN = Ellipse((-5.0, 1.0), (8.0, 8.0), "water", 240.0)


@pytest.mark.parametrize(("passes", "left"), [(CAUTIOUS, 0.3), (DENSE_BONE, 0.35), (TRUSTING, 0.4)])
def test_known_hardening_is_taken_out_and_bone_keeps_its_edge(passes: Passes, left: float) -> None:
    """The more a model trusts the rays, the more of the reconstruction's own ripple it keeps."""
    made = hardened_slice((METAL, SECOND_METAL))
    trace = made.trace
    interpolated = linear(trace)
    start = normalised(trace, smoothed_prior(trace, interpolated))
    improved = TraceModel(trace).reduced(start, passes)
    soft = made.soft_tissue
    assert made.error_hu(made.scanned_hu, soft) > 50.0
    assert made.error_hu(improved, soft) < left * made.error_hu(made.scanned_hu, soft)
    assert made.error_hu(improved, soft) < 0.65 * made.error_hu(start, soft)

    # The side of the bone that faces the metal.
    side = made.edge_of(BONE) & (made.places[1] < BONE.centre_mm[0]) & ~trace.rim
    assert made.error_hu(improved, side) < 0.5 * made.error_hu(made.scanned_hu, side)
    assert made.error_hu(improved, side) < 0.5 * made.error_hu(interpolated, side)


def test_what_is_taken_for_noise_is_believed_less() -> None:
    """The contrast between two metals that comes back: of a slice with it less one without it, noise alike."""
    contrast: dict[tuple[float, float], float] = {}
    for noise_mm in (0.0, 120.0):
        made = [
            hardened_slice(
                (METAL, SECOND_METAL), (BONE, *more), per_mm=0.02, per_tissue_mm=0.0, noise_mm=noise_mm
            ).trace
            for more in ((HIDDEN,), ())
        ]
        middle = hardened_slice().distance_mm(HIDDEN) < 4.0
        for expected in (4.0, 30.0):
            with_it, without = (RayModel(one).improved(linear(one), expected, CAUTIOUS.prior) for one in made)
            contrast[noise_mm, expected] = float((with_it - without)[middle].mean())
        bridged = float((linear(made[0]) - linear(made[1]))[middle].mean())
    true = 190.0
    assert bridged < 0.7 * true
    assert contrast[0.0, 30.0] - bridged > 0.4 * (true - bridged)
    # A prior trusted to lack little takes more of it for noise, the more so where there is noise.
    assert contrast[0.0, 4.0] < contrast[0.0, 30.0] - 10.0
    assert contrast[120.0, 4.0] < contrast[0.0, 4.0] - 8.0
    assert contrast[120.0, 30.0] > contrast[120.0, 4.0] + 20.0


def test_noise_in_the_rays_spreads_less_where_less_is_expected() -> None:
    noisy = hardened_slice(noise_mm=60.0, per_mm=0.02, per_tissue_mm=0.0)
    model, start = RayModel(noisy.trace), linear(noisy.trace)
    believed = [model.improved(start, expected, CAUTIOUS.prior) for expected in (2.0, 8.0, 40.0, 1e4)]
    errors = [noisy.error_hu(image, noisy.soft_tissue) for image in believed]
    assert errors == sorted(errors)
    assert errors[0] < 0.5 * errors[-1]
    assert errors[-1] < noisy.error_hu(noisy.scanned_hu, noisy.soft_tissue)


def test_a_better_image_explains_its_rays_better() -> None:
    made = hardened_slice((METAL, SECOND_METAL))
    model = RayModel(made.trace)
    worse = np.where(made.distance_mm(BONE) < 14.0, np.float32(50.0), made.truth_hu)
    assert model.unexplained_hu_m(made.truth_hu, CAUTIOUS.prior) < 0.8 * model.unexplained_hu_m(worse, CAUTIOUS.prior)


def test_nothing_to_model_changes_nothing_much() -> None:
    """Metal drawn into a clean slice: the model must not take its surroundings for hardening."""
    made = hardened_slice((), (BONE,))
    metal = hardened_slice((METAL,)).metal
    drawn = ndimage.gaussian_filter(np.where(metal, np.float32(8000.0), made.scanned_hu), 0.7)
    trace = MetalTrace(made.trace.beam, drawn, metal, made.body)
    start = normalised(trace, smoothed_prior(trace, linear(trace)))
    improved = TraceModel(trace).reduced(start, CAUTIOUS)
    where = made.soft_tissue & ~ndimage.binary_dilation(metal, iterations=5)
    changes = [float(np.sqrt(np.mean((image - drawn)[where] ** 2))) for image in (linear(trace), start, improved)]
    assert changes[2] < 12.0
    assert changes[2] < 0.5 * changes[1] < 0.5 * changes[0]


@pytest.mark.parametrize("pixels", [1, 2])
def test_a_few_pixels_of_metal(pixels: int) -> None:
    made = hardened_slice((), (BONE,))
    metal = np.zeros(made.metal.shape, dtype=bool)
    metal[70, 60 : 60 + pixels] = True
    scanned = ndimage.gaussian_filter(np.where(metal, np.float32(6000.0), made.scanned_hu), 0.7)
    trace = MetalTrace(made.trace.beam, scanned, metal, made.body)
    improved = RayModel(trace).improved(linear(trace), 8.0, CAUTIOUS.prior)
    where = made.soft_tissue & ~ndimage.binary_dilation(metal, iterations=4)
    assert np.sqrt(np.mean((improved - scanned)[where] ** 2)) < 4.0
