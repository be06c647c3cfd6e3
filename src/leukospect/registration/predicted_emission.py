"""What a CT lets one expect of an emission image without attenuation correction, but for how much each tissue takes up.

A leukocyte SPECT shows the body faintly and differently inside: fat least, muscle little, marrow much. So a CT number
stands for an uptake that is not known yet but the same all over the body; and a reconstruction without attenuation
correction shows each place weakened by the mean, over all directions, of what survives the way out. Both are told from
the CT, smoothed to the camera's resolution; the fit finds the uptakes with the pose. The smoothing is what makes the
outlines of both meet: that of a SPECT is as wide as its resolution, that of a CT is sharp.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.data import Geometry, Image
from leukospect.registration.coarsening import coarsened

FWHM_PER_SIGMA = float(np.sqrt(8.0 * np.log(2.0)))

# Lung, fat, muscle and organs, spongy and compact bone; between them uptake goes linearly with the CT number.
_KNOTS_HU = (-1000.0, -650.0, -110.0, 40.0, 220.0, 800.0)
SPECT_FWHM_MM = 14.0
_WORKING_MM, _SURVIVAL_MM = 4.0, 8.0
_DIRECTIONS = 24
_WATER_PER_MM = 0.015
_COUCH_FROM_HU = -850.0
_POINTS = 400

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class PredictedEmission:
    """Channels whose weighted sum is the emission to expect.

    Parameters
    ----------
    channels : (slices, rows, columns, channels) float32 array
    geometry : Geometry
    body_mm : (points, 3) array
        Points all over the body, LPS mm, by which poses are compared.
    """

    channels: Array
    geometry: Geometry
    body_mm: NDArray[np.float64]

    @property
    def centre_mm(self) -> NDArray[np.float64]:
        """Centre of the body, LPS mm."""
        return np.asarray(self.body_mm.mean(axis=0))


def predicted_emission(
    ct: Image, body: NDArray[np.bool_], *, attenuated: bool = True, resolution_mm: float = SPECT_FWHM_MM
) -> PredictedEmission | None:
    """Make the channels of a CT.

    Parameters
    ----------
    ct : Image, HU
    body : (slices, rows, columns) bool array
        Where the patient is in it, without the couch.
    attenuated : bool
        Whether the emission image shows the attenuation, not being corrected for it.
    resolution_mm : float
        FWHM of the emission image.

    Returns
    -------
    PredictedEmission or None
        None where the CT shows no body or is only a voxel or two wide.
    """
    inside = coarsened(Image(body, ct.geometry), _WORKING_MM)
    hu, geometry = np.asarray(coarsened(ct, _WORKING_MM).array, np.float32), inside.geometry
    held = np.asarray(inside.array, np.float32) > 0.5
    if min(geometry.shape) < 2 or np.count_nonzero(held) < _POINTS:
        return None
    numbers = np.where(held, np.clip(hu, _KNOTS_HU[0], _KNOTS_HU[-1]), _KNOTS_HU[0])
    made = [np.interp(numbers, _KNOTS_HU, one).astype(np.float32) for one in np.eye(len(_KNOTS_HU))[1:]]
    if attenuated:
        # The couch, too, is on the way out.
        density = np.where(held | (hu > _COUCH_FROM_HU), np.clip(1.0 + hu / 1000.0, 0.0, 2.0), 0.0)
        survival = _survival(density, geometry)
        # Scatter, resolution and the iterations change the weakening with depth a little: the fit says by how much.
        made = [*(each * survival for each in made), held.astype(np.float32), held * survival**2]
    channels = np.stack([blurred(each, geometry.spacing_mm, resolution_mm) for each in made], axis=-1)
    places = np.argwhere(held)
    body_mm = geometry.to_lps(places[:: max(1, len(places) // _POINTS)])
    return PredictedEmission(np.ascontiguousarray(channels), geometry, body_mm)


def halved(predicted: PredictedEmission) -> PredictedEmission:
    """Average channels over two voxels along each axis; a voxel left over is left out."""
    geometry = predicted.geometry
    k, j, i = (max(1, n // 2) for n in geometry.shape)
    if min(k, j, i) < 2:
        return predicted
    whole = predicted.channels[: 2 * k, : 2 * j, : 2 * i]
    means = whole.reshape(k, 2, j, 2, i, 2, -1).mean(axis=(1, 3, 5))
    affine = geometry.affine.copy()
    affine[:3, :3] *= 2.0
    affine[:3, 3] = geometry.to_lps((0.5, 0.5, 0.5))
    return replace(predicted, channels=means, geometry=Geometry((k, j, i), affine, geometry.frame_of_reference_uid))


def blurred(array: Array, spacing_mm: tuple[float, ...], fwhm_mm: float) -> Array:
    """Convolve a volume, or several channels of one, with a Gaussian; edges go on as they end."""
    for axis, spacing in enumerate(spacing_mm):
        sigma = fwhm_mm / FWHM_PER_SIGMA / spacing
        if sigma > 0.1:
            array = ndimage.gaussian_filter1d(array, sigma, axis=axis, mode="nearest", truncate=3.0)
    return array


def _survival(density: NDArray[np.floating], geometry: Geometry) -> Array:
    """Average over directions within the slice what survives the way out of the body, 140 keV photons in water."""
    coarse = coarsened(Image(density.astype(np.float32), geometry), _SURVIVAL_MM)
    margin = int(np.ceil(0.25 * max(coarse.array.shape[1:])))
    padded = np.pad(np.asarray(coarse.array), ((0, 0), (margin, margin), (margin, margin)))
    step = _WATER_PER_MM * coarse.geometry.spacing_mm[1]
    total = np.zeros_like(padded)
    for number in range(_DIRECTIONS // 2):
        angle = number * 360.0 / _DIRECTIONS
        turned = ndimage.rotate(padded, angle, axes=(1, 2), reshape=False, order=1)
        to_edge = np.cumsum(turned, axis=1) - 0.5 * turned
        both = np.exp(-step * to_edge) + np.exp(-step * (turned.sum(axis=1, keepdims=True) - to_edge))
        total += ndimage.rotate(both, -angle, axes=(1, 2), reshape=False, order=1)
    mean = total[:, margin : padded.shape[1] - margin, margin : padded.shape[2] - margin] / _DIRECTIONS
    factors = np.array(geometry.spacing_mm) / np.array(coarse.geometry.spacing_mm)
    places = [(np.arange(n) + 0.5) * factor - 0.5 for n, factor in zip(geometry.shape, factors, strict=True)]
    indices = np.meshgrid(*places, indexing="ij")
    return np.asarray(ndimage.map_coordinates(mean, indices, order=1, mode="nearest"), dtype=np.float32)
