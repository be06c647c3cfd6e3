"""Whether a CT's numbers are Hounsfield units that an attenuation map can be made of, and of what tube voltage."""

from __future__ import annotations

import warnings

import numpy as np

from leukospect.ct.reconstruction_kernel import kernel_kind
from leukospect.data import CtSeries, Image
from leukospect.errors import AssumptionWarning, InputError, MissingInformationError

_SAMPLE_STEP = 4
_SAMPLED_SLICES = 40
_NO_AIR_HU = -500.0
_DENSER_THAN_AIR_HU = 500.0
_SOFT_TISSUE_HU = (-180.0, 300.0)
_AIR_HU = -700.0
_ASK = "tell whose it is with --assumed-kvp (attenuation.assumed_kvp), or give a mu map with --mu"


def voltage_of_numbers(ct: CtSeries, assumed_kvp: float | None = None) -> float:
    """Give the tube voltage by whose row a CT's numbers become attenuation, and refuse or tell what makes it doubtful.

    Parameters
    ----------
    ct : CtSeries
    assumed_kvp : float or None
        What the user takes where none is recorded, or where the numbers are not of the tube's spectrum: monoenergetic
        and virtual images, density kernels.

    Raises
    ------
    MissingInformationError
        No voltage is recorded and none is assumed, or the numbers are not of the tube's spectrum.
    InputError
        Air or soft tissue do not have the CT numbers of air and soft tissue.

    Warns
    -----
    AssumptionWarning
        A voltage is assumed, or one that is assumed is not used; a sharp kernel overshoots.
    """
    refuse_other_scales(ct.image)
    kind = kernel_kind(ct.header.manufacturer, ct.kernel)
    if kind == "sharp":
        warnings.warn(
            f"The CT's kernel ({ct.kernel}) is a sharp one: it overshoots at edges, and HU of thin bone and small "
            "lesions are shifted; a soft-tissue reconstruction gives a better attenuation map.",
            AssumptionWarning,
            stacklevel=2,
        )
    other = ct.spectral or (f"made with the density kernel {ct.kernel}" if kind == "other" else "")
    if not other and ct.kvp is not None:
        if assumed_kvp is not None and assumed_kvp != ct.kvp:
            warnings.warn(
                f"The CT records {ct.kvp:g} kV, which is taken; the assumed {assumed_kvp:g} kV is not used.",
                AssumptionWarning,
                stacklevel=2,
            )
        return ct.kvp
    found = f"The CT is {other}: its numbers are not those of the tube's spectrum" if other else (
        "The CT does not record its tube voltage (KVP), which the attenuation map depends on"
    )  # fmt: skip
    if assumed_kvp is None:
        raise MissingInformationError(f"{found}; {_ASK}.")
    warnings.warn(f"{found}; they are mapped like those of {assumed_kvp:g} kV.", AssumptionWarning, stacklevel=2)
    return assumed_kvp


def refuse_other_scales(image: Image) -> None:
    """Refuse a CT whose air or soft tissue lie where those of HU cannot, as without its rescale.

    What is more than 500 above the lowest values is tissue: its median is fat's, muscle's or plastic's. An image
    without air has at least some values below 0, by fat or by noise.

    Raises
    ------
    InputError
    """
    along = max(1, image.array.shape[0] // _SAMPLED_SLICES)
    values = np.asarray(image.array[::along, ::_SAMPLE_STEP, ::_SAMPLE_STEP], np.float32).ravel()
    if not np.all(np.isfinite(values)):
        raise InputError("The CT holds values that are not finite; it cannot give an attenuation map.")
    lowest = float(np.quantile(values, 0.005))
    if lowest > _NO_AIR_HU:
        if lowest >= 0 and float(values.max()) > _SOFT_TISSUE_HU[1]:
            raise InputError(
                f"The CT has neither air nor fat: its lowest values are {lowest:.0f}, where air is -1000 HU; its "
                "rescale to HU seems to be missing."
            )
        return
    tissue = values[values > lowest + _DENSER_THAN_AIR_HU]
    typical = float(np.median(tissue)) if tissue.size else 0.0
    if lowest > _AIR_HU or not _SOFT_TISSUE_HU[0] <= typical <= _SOFT_TISSUE_HU[1]:
        raise InputError(
            f"The CT's numbers are not HU: air reads {lowest:.0f} and the median of what is denser {typical:.0f}, "
            "where -1000 and about 0 to 60 HU are due; check its rescale."
        )
