"""Who a digital phantom is, and the patient, study and series attributes that follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pydicom.dataset import Dataset

from leukospect.data import AcquisitionHeader
from leukospect.dicom.write.elements import dicom_date, dicom_time
from leukospect.dicom.write.instances import named_uid
from leukospect.errors import InputError, MissingInformationError


@dataclass(frozen=True, slots=True)
class PhantomIdentity:
    """The made-up patient and study of a digital phantom; never a person's.

    Parameters
    ----------
    name : str
        Begins with ``PHANTOM``, as ``PHANTOM^FEMORAL NAIL``.
    patient_id : str
    study_start : datetime
    study_uid : str
        Follows from the three above where empty.
    body_part : str
        Body Part Examined, such as ``PELVIS``; empty where nothing fits.
    study_description : str

    Raises
    ------
    InputError
        The name does not begin with ``PHANTOM``, or the id is empty.
    """

    name: str
    patient_id: str
    study_start: datetime
    study_uid: str = ""
    body_part: str = ""
    study_description: str = ""

    def __post_init__(self) -> None:
        if not self.name.upper().startswith("PHANTOM"):
            raise InputError("Acquisitions are written for digital phantoms only; the name must begin with PHANTOM.")
        if not self.patient_id:
            raise InputError("A digital phantom needs an id, so that its studies are not mixed with another's.")

    @property
    def study_instance_uid(self) -> str:
        """Study Instance UID: the given one, or the one that follows from the name, the id and the time."""
        return self.study_uid or named_uid("study", self.name, self.patient_id, self.study_start.isoformat())

    @property
    def frame_of_reference_uid(self) -> str:
        """Frame of Reference UID of everything that is acquired without moving the phantom."""
        return named_uid("frame of reference", self.study_instance_uid)


def begin_acquisition(identity: PhantomIdentity, header: AcquisitionHeader, modality: str) -> Dataset:
    """Make a dataset with patient, study, series, equipment and frame of reference filled in.

    Raises
    ------
    MissingInformationError
        The header does not say when the acquisition started.
    """
    if header.start is None:
        raise MissingInformationError("An acquisition needs its start time to be written as DICOM; set header.start.")
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.Modality = modality
    ds.PatientName = identity.name
    ds.PatientID = identity.patient_id
    ds.PatientBirthDate = ""
    ds.PatientSex = "O"
    ds.StudyInstanceUID = identity.study_instance_uid
    ds.StudyDate, ds.StudyTime = dicom_date(identity.study_start), dicom_time(identity.study_start)
    ds.StudyID, ds.AccessionNumber, ds.ReferringPhysicianName = "", "", ""
    if identity.study_description:
        ds.StudyDescription = identity.study_description
    if header.series_uid:
        ds.SeriesInstanceUID = header.series_uid
    ds.SeriesNumber = None
    ds.InstanceNumber = 1
    ds.SeriesDescription = header.description[:64]
    ds.Manufacturer = header.manufacturer
    ds.ManufacturerModelName = header.model
    for kind in ("Series", "Acquisition", "Content"):
        setattr(ds, f"{kind}Date", dicom_date(header.start))
        setattr(ds, f"{kind}Time", dicom_time(header.start))
    ds.FrameOfReferenceUID = header.frame_of_reference_uid or identity.frame_of_reference_uid
    ds.PositionReferenceIndicator = ""
    if identity.body_part:
        ds.BodyPartExamined = identity.body_part
    else:
        ds.Laterality = ""
    return ds
