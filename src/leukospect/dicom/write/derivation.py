"""Derived objects: what they take over from their source, and how they say what was made of it, by what."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydicom.charset import decode_element
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from leukospect import __version__
from leukospect.data import AcquisitionHeader
from leukospect.dicom.elements import UNREADABLE, library_warnings_silenced
from leukospect.dicom.read.parsing import HEAD, is_dicom, opened, read_header
from leukospect.dicom.write.elements import DICOM_TERMS, coded, dicom_date, dicom_time
from leukospect.dicom.write.instances import named_uid
from leukospect.errors import InputError

_TAKEN_OVER = (
    *("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "PatientAge"),
    *("PatientSize", "PatientWeight", "PatientIdentityRemoved", "DeidentificationMethod"),
    *("DeidentificationMethodCodeSequence", "LongitudinalTemporalInformationModified"),
    *("StudyInstanceUID", "StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName"),
    *("StudyDescription", "ProtocolName", "BodyPartExamined", "Laterality"),
    *("Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions", "InstitutionName"),
    *("StationName", "ContributingEquipmentSequence", "FrameOfReferenceUID", "PositionReferenceIndicator"),
    *("AcquisitionDate", "AcquisitionTime", "PatientPosition", "TimezoneOffsetFromUTC", "LossyImageCompression"),
    *("LossyImageCompressionRatio", "LossyImageCompressionMethod"),
)
_MAY_BE_EMPTY = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID")
_ALSO_EMPTY = ("AccessionNumber", "ReferringPhysicianName", "Manufacturer", "PositionReferenceIndicator")
_UNPAIRED = {
    *("ABDOMEN", "BRAIN", "CHEST", "CSPINE", "HEAD", "HEART", "LIVER", "LSPINE", "NECK", "PELVIS", "SKULL", "SPINE"),
    *("TSPINE", "WHOLEBODY"),
}
_DATE = re.compile(r"(?!0000)\d{4}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")


def read_source_headers(paths: Sequence[Path]) -> tuple[Dataset, ...]:
    """Read the source files that are DICOM, without their pixels; others, such as Interfile, are left out.

    Raises
    ------
    InputError
        A file that was read before is no longer there.
    """
    with library_warnings_silenced():
        headers = [_read_header(path, f"{position} of {len(paths)}") for position, path in enumerate(paths, start=1)]
    return tuple(header for header in headers if header is not None)


def _read_header(path: Path, place: str) -> Dataset | None:
    try:
        with opened(path) as stream:
            dataset = read_header(stream) if is_dicom(stream.bytes_at(0, HEAD)) else None
    except (OSError, InputError) as error:
        text = f"Source file {place} can no longer be read; keep the input until the run has ended."
        raise InputError(text) from error
    if dataset is None:
        return None
    _decode_public(dataset)
    return dataset


def _decode_public(dataset: Dataset) -> None:
    """Decode every element by the file's character set; private and damaged ones, which nobody needs, are left out."""
    character_set = dataset.get("SpecificCharacterSet")
    for tag in list(dataset.keys()):
        if tag.is_private:
            del dataset[tag]
            continue
        try:
            element = dataset[tag]
            decode_element(element, character_set)
            if element.VR == "SQ":
                for item in element.value:
                    item.remove_private_tags()
        except UNREADABLE:
            del dataset[tag]


def begin_derived(
    sources: Sequence[Dataset],
    header: AcquisitionHeader | None,
    *,
    content: str,
    description: str,
    derivation: str,
    settings: Iterable[str],
) -> Dataset:
    """Begin a derived object: patient, study and equipment of its source, a series of its own, and where it comes from.

    The Series Instance UID follows from the source instances, the settings and the version of leukospect. Without a
    DICOM source the patient is anonymous and the study is new, the same for all that is derived from the same
    `content`.

    Parameters
    ----------
    sources : sequence of Dataset
        Headers of the source instances; the first gives patient, study and equipment.
    header : AcquisitionHeader or None
        Of the source; its start and frame of reference are used where no DICOM source says them.
    content : str
        Digest of the source's values, for a source that is not DICOM.
    description : str
        Series Description, at most 64 characters.
    derivation : str
        Derivation Description, at most 1024 characters.
    settings : iterable of str
        Whatever else tells this result from another of the same source.

    Raises
    ------
    InputError
        A description is too long.
    """
    if len(description) > 64 or len(derivation) > 1024:
        raise InputError("A series description has at most 64 characters and a derivation description 1024.")
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    if sources:
        _take_over(ds, sources[0])
    else:
        _make_anonymous(ds, header, content)
    _add_times(ds, header)
    # A careless anonymiser empties the identifiers; a study of its own then stands in for the lost one.
    if not ds.get("StudyInstanceUID"):
        ds.StudyInstanceUID = named_uid("study", content)
    if not ds.get("FrameOfReferenceUID"):
        # A frame that is not recorded is this series' own: it must not seem aligned with another.
        known = header.frame_of_reference_uid if header is not None else None
        series = str(sources[0].get("SeriesInstanceUID") or content) if sources else content
        ds.FrameOfReferenceUID = known or named_uid("frame of reference", series)
    for keyword in (*_MAY_BE_EMPTY, *_ALSO_EMPTY):
        if keyword not in ds:
            setattr(ds, keyword, "")
    if "Laterality" not in ds and ds.get("BodyPartExamined") not in _UNPAIRED:
        ds.Laterality = ""  # unknown; only an unpaired part may go without
    references = source_items(sources)
    origin = sorted(str(item.ReferencedSOPInstanceUID) for item in references) or [content]
    ds.SeriesInstanceUID = named_uid("derived series", __version__, description, derivation, *settings, *origin)
    ds.SeriesNumber = None
    ds.InstanceNumber = 1
    ds.SeriesDescription = description
    ds.DerivationDescription = derivation
    if references:
        ds.SourceImageSequence = references
    equipment = list(ds.get("ContributingEquipmentSequence", ()))
    ds.ContributingEquipmentSequence = Items([*equipment, _leukospect_item()])
    return ds


def source_items(sources: Iterable[Dataset]) -> Items:
    """Make the Source Image Sequence, of those sources that have an identifier."""
    items = []
    for source in sources:
        if not source.get("SOPInstanceUID") or not source.get("SOPClassUID"):
            continue
        item = Dataset()
        item.ReferencedSOPClassUID = source.SOPClassUID
        item.ReferencedSOPInstanceUID = source.SOPInstanceUID
        purpose = coded("121322", DICOM_TERMS, "Source image for image processing operation")
        item.PurposeOfReferenceCodeSequence = Items([purpose])
        items.append(item)
    return Items(items)


def take_items(source: Dataset, keyword: str) -> list[Dataset]:
    """Copy the items of a sequence, without the empty sequences some cameras put inside where an item is required."""
    items = [copy.deepcopy(item) for item in source.get(keyword) or ()]
    for item in items:
        for element in list(item):
            if element.VR == "SQ" and not element.value and element.keyword != "RadionuclideCodeSequence":
                del item[element.tag]
    return items


def _take_over(ds: Dataset, source: Dataset) -> None:
    for keyword in _TAKEN_OVER:
        if keyword in source:
            ds[keyword] = copy.deepcopy(source[keyword])
    # An impossible date, such as 00000000, is an unknown one.
    if not _DATE.fullmatch(str(ds.get("PatientBirthDate") or "")):
        ds.PatientBirthDate = ""


def _make_anonymous(ds: Dataset, header: AcquisitionHeader | None, content: str) -> None:
    ds.PatientName = "ANONYMOUS"
    ds.PatientID = f"ANONYMOUS-{content[:16].upper()}"
    ds.PatientIdentityRemoved = "YES"
    ds.DeidentificationMethod = "Made from a file without patient data"
    if header is not None and header.start is not None:
        ds.StudyDate, ds.StudyTime = dicom_date(header.start), dicom_time(header.start)
    if header is not None:
        ds.Manufacturer, ds.ManufacturerModelName = header.manufacturer, header.model


def _add_times(ds: Dataset, header: AcquisitionHeader | None) -> None:
    """Date series and content by the acquisition: the moment of processing would make every run differ."""
    if header is not None and header.start is not None:
        ds.AcquisitionDate, ds.AcquisitionTime = dicom_date(header.start), dicom_time(header.start)
    for kind in ("Series", "Content"):
        setattr(ds, f"{kind}Date", ds.get("AcquisitionDate", ""))
        setattr(ds, f"{kind}Time", ds.get("AcquisitionTime", ""))


def _leukospect_item() -> Dataset:
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = Items([coded("109102", DICOM_TERMS, "Processing Equipment")])
    item.Manufacturer = "the leukospect developers"
    item.ManufacturerModelName = "leukospect"
    item.SoftwareVersions = __version__
    item.ContributionDescription = "Research software; not for diagnosis"
    return item
