"""The generator shares nothing with what it tests."""

from __future__ import annotations

import ast
from pathlib import Path

import tests.dicom.generator


def test_it_uses_nothing_of_the_program() -> None:
    files = sorted(Path(tests.dicom.generator.__file__).parent.glob("*.py"))
    assert len(files) >= 8
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any(name.startswith("leukospect") for name in names), file.name
