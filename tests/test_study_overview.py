"""What inspect says of a whole folder: patients, examinations, time points, pairs, kind of protocol."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tests.command_line import leukospect
from tests.dicom.acquisitions import Tomo, ct_slices, nm_dataset, save


def test_inspect_tells_times_pairs_and_patients(tmp_path: Path) -> None:
    early, late = Tomo(windows=3).dataset(), Tomo(windows=3).dataset()
    early.AcquisitionTime, late.AcquisitionTime = "093000", "230000"
    late.RotationInformationSequence[0].ActualFrameDuration = 15000
    late.FrameOfReferenceUID = "1.2.3.6"
    positions = np.array([[0.0, 0.0, 3.0 * k] for k in range(3)])
    ct = ct_slices(np.zeros((3, 6, 5), np.int16), positions)
    for one in ct:
        one.FrameOfReferenceUID = "1.2.3.6"
    other = nm_dataset("STATIC", np.full((1, 8, 8), 5, np.uint16), (4.0, 4.0))
    other.PatientID, other.PatientName = "N2", "Some^Body"
    folder = save(tmp_path / "folder", early, late, *ct, other)
    said = leukospect("inspect", folder, "--json")
    assert said.code == 0, said.stderr
    document = json.loads(said.stdout)
    told = [
        (one["kind"], one["patient"], one["time_point"], one.get("ct", "no SPECT")) for one in document["acquisitions"]
    ]
    [static] = [entry for entry in told if entry[0] == "STATIC"]
    patient = 3 - int(static[1])
    assert ("TOMO", patient, "early", None) in told
    assert ("TOMO", patient, "late", 1 + told.index(("CT", patient, None, "no SPECT"))) in told
    assert len(told) == 4
    spect = next(one for one in document["acquisitions"] if one["kind"] == "TOMO")
    assert [window["role"] for window in spect["windows"]] == [
        "photopeak of Tc-99m, 140.5 keV", "scatter below 140.5 keV", "scatter above 140.5 keV"]  # fmt: skip
    timing = [one["timing"] for one in document["examinations"] if one["timing"]]
    assert timing == [{"SPECT": "fixed time"}]
    table = leukospect("inspect", folder)
    assert "Patient 2, examination 1" in table.stdout
    assert "every time counted equally long" in table.stdout
    for secret in ("Some", "Body", "Nobody", "N2", "20240110"):
        assert secret not in table.stdout + said.stdout
