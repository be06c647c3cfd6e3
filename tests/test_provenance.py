"""Where a result comes from: digests that follow the settings and the input, and no file's name."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from leukospect.provenance import digest_of, hash_files, provenance_document, write_provenance


def test_the_digest_follows_the_values_and_not_their_order() -> None:
    assert digest_of({"a": 1, "b": {"c": 2, "d": 3}}) == digest_of({"b": {"d": 3, "c": 2}, "a": 1})
    assert digest_of({"a": 1}) != digest_of({"a": 2})


def test_files_are_hashed_once_and_not_named(tmp_path: Path) -> None:
    first, second = tmp_path / "Doe^Jane.dcm", tmp_path / "b.dcm"
    first.write_bytes(b"one")
    second.write_bytes(b"two")
    found = hash_files([second, first, second])
    assert sorted(found.values()) == sorted(hashlib.sha256(data).hexdigest() for data in (b"one", b"two"))
    assert found == hash_files([first, second])
    assert "Doe" not in json.dumps(found)


def test_the_document_reads_back(tmp_path: Path) -> None:
    document = provenance_document({"k": 0.47}, [], ["assumed something"], {"registration": "kept"})
    write_provenance(document, tmp_path / "provenance.json")
    read = json.loads((tmp_path / "provenance.json").read_text())
    assert read["settings"] == {"k": 0.47}
    assert read["settings_digest"] == digest_of({"k": 0.47})
    assert read["warnings"] == ["assumed something"]
    assert read["notes"] == {"registration": "kept"}
    assert read["software"]["name"] == "leukospect"
    assert {"numpy", "pydicom", "SimpleITK", "numba"} <= set(read["packages"])
