"""The job of `leukospect calibrate`: an acquisition of a known activity becomes a calibration factor."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time
from pathlib import Path
from typing import Any

import numpy as np

from leukospect import __version__
from leukospect.assumptions import collected_assumptions
from leukospect.data import Acquisition, Image, PlanarImages, Projections
from leukospect.dicom.read.ct import read_ct
from leukospect.dicom.read.study import read_study
from leukospect.errors import InputError, MissingInformationError
from leukospect.examination import refuse_unsummed
from leukospect.files.nifti import read_nifti, write_nifti
from leukospect.jobs import inputs_of
from leukospect.physics.nuclides import Nuclide
from leukospect.physics.windows import find_photopeaks, nuclide_of_windows
from leukospect.pipeline import reconstruct_spect
from leukospect.protocol import Protocol
from leukospect.provenance import hash_files, provenance_document, write_provenance
from leukospect.quantification.calibration import (
    Sensitivity,
    activity_at_start_mbq,
    cylinder_sensitivity,
    one_view,
    planar_sensitivity,
)
from leukospect.reading_options import ReadingOptions, read_any_projections
from leukospect.whole_files import whole_file, whole_folder

Progress = Callable[[str, float], None]
_LARGEST_MBQ = 1e6


@dataclass(frozen=True, slots=True)
class KnownActivity:
    """What is known of the source, as the command line tells it.

    Parameters
    ----------
    mbq : float
    assayed_at : str or None
        ``YYYY-MM-DDTHH:MM``, or ``HH:MM`` of the acquisition's day.
    volume_ml : float or None
        Of a cylinder.
    uncertainty_percent : float
        Standard uncertainty of the activity.
    """

    mbq: float
    assayed_at: str | None
    volume_ml: float | None = None
    uncertainty_percent: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.mbq <= _LARGEST_MBQ:
            raise InputError(
                f"A calibration needs an activity of more than 0 and at most {_LARGEST_MBQ:g} MBq; --activity-mbq "
                f"{self.mbq:g} is not."
            )
        if self.volume_ml is not None and not 0 < self.volume_ml < np.inf:
            raise InputError(f"A volume must be more than 0 mL; --volume-ml {self.volume_ml:g} is not.")
        if not 0 <= self.uncertainty_percent < 100:
            raise InputError(
                f"An uncertainty lies within 0 to 100 %; --activity-uncertainty-percent {self.uncertainty_percent:g} "
                "does not."
            )

    def hours_before(self, start: datetime | None) -> float:
        """Give the hours from the assay to the start of an acquisition, negative where it came after."""
        if self.assayed_at is None:
            raise MissingInformationError(
                "When the activity was measured is not told; give --assayed-at YYYY-MM-DDTHH:MM, or HH:MM of the "
                "acquisition's day."
            )
        if start is None:
            raise MissingInformationError(
                "The acquisition does not record when it began, so the activity cannot be brought to it; a calibration "
                "needs a file with its date and time."
            )
        return (start - _moment(self.assayed_at, start)).total_seconds() / 3600.0


def _moment(text: str, start: datetime) -> datetime:
    for reading in (datetime, time):
        try:
            found = reading.fromisoformat(text)
        except ValueError:
            continue
        moment = datetime.combine(start.date(), found) if isinstance(found, time) else found
        if moment.tzinfo is not None:
            raise InputError("The time of the assay must be in the acquisition's own local time, without a time zone.")
        return moment
    raise InputError(
        f"The time of the assay '{text}' is not understood; give YYYY-MM-DDTHH:MM, or HH:MM of the acquisition's day."
    )


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """A factor and what it holds for; `images` are written beside it, by file name."""

    sensitivity: Sensitivity
    nuclide: Nuclide
    acquisition: Projections | PlanarImages
    activity_mbq: float
    hours_from_assay: float
    images: Mapping[str, Image]

    def sentence(self) -> str:
        """Say the factor in one line."""
        found = self.sensitivity
        collimator = self.acquisition.header.collimator or "collimator not recorded"
        return (
            f"Sensitivity: {found.cps_per_mbq:.2f} +- {found.standard_uncertainty:.2f} cps/MBq a head "
            f"({self.nuclide.name}, {collimator}, {found.method}); use it with recon --calibration-cps-per-mbq "
            f"{found.cps_per_mbq:.2f}"
        )


def calibration_job(
    path: Path,
    output: Path,
    protocol: Protocol,
    known: KnownActivity,
    *,
    ct_path: Path | None = None,
    mu_path: Path | None = None,
    view: str | None = None,
    threads: int | None = None,
    progress: Progress,
) -> tuple[Calibration, tuple[str, ...]]:
    """Get a camera's sensitivity from an acquisition of a known activity.

    Parameters
    ----------
    path : Path
        One acquisition: a SPECT of a uniform cylinder, or a STATIC of a source in air.
    output : Path
        Appears whole: calibration.json and provenance.json, and of a SPECT recon.nii.gz and calibration_region.nii.gz.
    protocol : Protocol
        Its reconstruction and scatter correction are those the factor holds for.
    known : KnownActivity
    ct_path, mu_path : Path or None
        CT or attenuation map of the cylinder.
    view : str or None
        Of planar images, the one to take.
    threads : int or None
    progress : function of a stage's name and the fraction of it done

    Returns
    -------
    Calibration
    tuple of str
        Every assumption and warning.
    """
    texts: list[str] = []
    inputs = [path, ct_path, mu_path]
    with whole_folder(output, command="calibrate", inputs=inputs) as folder, collected_assumptions(texts):
        progress("reading", 0.0)
        acquisition = _read(path, protocol)
        texts += [text for text in acquisition.header.assumptions if text not in texts]
        source = _nuclide(acquisition, protocol)
        hours = known.hours_before(acquisition.header.start)
        activity = activity_at_start_mbq(known.mbq, hours, source)
        progress("reading", 1.0)
        read: list[Acquisition] = [acquisition]
        if isinstance(acquisition, PlanarImages):
            found = _of_planar(acquisition, source, activity, known, protocol, view, ct_path or mu_path)
            images: Mapping[str, Image] = {}
        else:
            if view is not None:
                raise InputError("--view names a view of planar images; the acquisition is a SPECT.")
            found, images, ct_files = _of_spect(
                acquisition, activity, known, protocol, ct_path, mu_path, threads, progress
            )
            read += ct_files
        made = Calibration(found, source, acquisition, activity, hours, images)
        _write(folder, made, protocol, known, inputs_of(read, mu_path), texts)
    return made, tuple(texts)


def _read(path: Path, protocol: Protocol) -> Projections | PlanarImages:
    """Read the one acquisition that is given, and refuse what tells no rate."""
    if path.suffix.lower() in (".hs", ".h00") or not path.exists():
        found: Projections | PlanarImages = read_any_projections(path, ReadingOptions())
    else:
        study = read_study(path)
        usable = [one for one in study.acquisitions if isinstance(one, Projections | PlanarImages)]
        if len(usable) != 1:
            raise InputError(
                f"{len(usable)} raw acquisitions were found, SPECT or planar, where a calibration takes one; give its "
                "file, and a CT with --ct."
            )
        found = usable[0]
    if isinstance(found, PlanarImages) and found.header.kind != "STATIC":
        raise InputError(f"The acquisition is {found.header.kind}; a calibration takes a STATIC or a TOMO.")
    if isinstance(found, Projections):
        refuse_unsummed(found, sum_frames=protocol.sum_frames)
    recorded = found.duration_recorded if isinstance(found, Projections) else not found.header.duration_assumed
    if not recorded:
        raise MissingInformationError(
            "The acquisition does not record for how long a view counted, so it tells no count rate; a calibration "
            "needs Actual Frame Duration (0018,1242)."
        )
    return found


def _nuclide(acquisition: Projections | PlanarImages, protocol: Protocol) -> Nuclide:
    recorded = acquisition.header.radiopharmaceutical
    named = recorded.nuclide if recorded else None
    if named is not None and protocol.nuclide is not None and named != protocol.nuclide:
        raise InputError(f"The acquisition records {named}, but --nuclide is {protocol.nuclide}; leave it out.")
    if named is None and protocol.nuclide is None:
        raise MissingInformationError("The acquisition does not record its radionuclide; give --nuclide.")
    return nuclide_of_windows(acquisition.energy_windows, named or protocol.nuclide)


def _of_planar(
    planar: PlanarImages,
    source: Nuclide,
    activity_mbq: float,
    known: KnownActivity,
    protocol: Protocol,
    view: str | None,
    map_path: Path | None,
) -> Sensitivity:
    if known.volume_ml is not None or map_path is not None:
        raise InputError(
            "--volume-ml, --ct and --mu belong to a SPECT of a cylinder; the acquisition is planar and its source is "
            "taken as unattenuated, in air."
        )
    settings = protocol.reconstruction
    return planar_sensitivity(
        one_view(planar, view),
        source,
        activity_mbq,
        scatter=settings.scatter,
        scatter_k=settings.scatter_k,
        activity_uncertainty=known.uncertainty_percent / 100.0,
    )


def _of_spect(
    projections: Projections,
    activity_mbq: float,
    known: KnownActivity,
    protocol: Protocol,
    ct_path: Path | None,
    mu_path: Path | None,
    threads: int | None,
    progress: Progress,
) -> tuple[Sensitivity, Mapping[str, Image], list[Acquisition]]:
    if known.volume_ml is None:
        raise MissingInformationError(
            "A SPECT of a cylinder calibrates by its concentration; give the volume that holds the activity with "
            "--volume-ml."
        )
    if ct_path is None and mu_path is None:
        raise MissingInformationError(
            "Without correction of attenuation a cylinder tells no sensitivity; give its CT with --ct, or an "
            "attenuation map with --mu."
        )
    ct = None if ct_path is None else read_ct(ct_path, beside=projections)
    mu = None if mu_path is None else read_nifti(mu_path)
    result = reconstruct_spect(projections, ct, protocol, mu=mu, threads=threads, progress=progress)
    found, region = cylinder_sensitivity(
        result.recon, activity_mbq, known.volume_ml, activity_uncertainty=known.uncertainty_percent / 100.0
    )
    scatter = "none" if result.counts is None else result.counts.peak.scatter_method
    shown = Image(region.astype(np.uint8), result.recon.geometry)
    images = {"recon.nii.gz": result.recon, "calibration_region.nii.gz": shown}
    return replace(found, method=f"{found.method}, scatter {scatter}"), images, [] if ct is None else [ct]


def _write(
    folder: Path,
    made: Calibration,
    protocol: Protocol,
    known: KnownActivity,
    inputs: list[Path],
    texts: list[str],
) -> None:
    settings = protocol.model_dump(mode="json")
    with whole_file(folder / "calibration.json") as partial:
        document = _document(made, known, inputs, texts)
        partial.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    for name, image in made.images.items():
        write_nifti(image, folder / name)
    notes = {"sensitivity": made.sentence()}
    write_provenance(provenance_document(settings, inputs, texts, notes), folder / "provenance.json")


def _document(made: Calibration, known: KnownActivity, inputs: list[Path], texts: list[str]) -> dict[str, Any]:
    found, header = made.sensitivity, made.acquisition.header
    peaks = find_photopeaks(made.acquisition.energy_windows, made.nuclide)
    windows = [made.acquisition.energy_windows[index] for index in dict.fromkeys(peak.peak for peak in peaks)]
    return {
        "schema_version": "1.0",
        "software": {"name": "leukospect", "version": __version__},
        "calibration_cps_per_mbq": found.cps_per_mbq,
        "standard_uncertainty_cps_per_mbq": found.standard_uncertainty,
        "relative_standard_uncertainties_percent": {name: 100 * part for name, part in found.parts.items()},
        "method": found.method,
        "nuclide": made.nuclide.name,
        "photopeak_windows_kev": [list(window.ranges_kev) for window in windows],
        "collimator": header.collimator,
        "manufacturer": header.manufacturer,
        "model": header.model,
        "activity": {
            "assayed_mbq": known.mbq,
            "hours_from_assay_to_acquisition": made.hours_from_assay,
            "at_acquisition_mbq": made.activity_mbq,
            "volume_ml": known.volume_ml,
        },
        "measured": dict(found.facts),
        "inputs_sha256": hash_files(inputs),
        "warnings": texts,
    }
