"""Files that are not DICOM: NIfTI, Interfile, transforms, regions."""
