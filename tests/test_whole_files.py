"""Files and folders that appear whole or not at all, and the files that ship with the program."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from leukospect import resources
from leukospect.errors import InputError
from leukospect.whole_files import whole_file, whole_folder


class _BrokenError(RuntimeError):
    pass


def _write_half(path: Path) -> None:
    with whole_file(path) as partial:
        partial.write_bytes(b"half")
        raise _BrokenError


def _fill_half(path: Path) -> None:
    with whole_folder(path) as partial:
        _fill(partial, "half")
        raise _BrokenError


def test_a_file_appears_with_its_contents_and_nothing_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "new" / "image.nii.gz"
    with whole_file(target) as partial:
        assert partial.name == "image.nii.gz"
        partial.write_bytes(b"first part, ")
        assert not target.exists()
        with partial.open("ab") as stream:
            stream.write(b"second part")
        written = partial.stat().st_ino
    assert target.read_bytes() == b"first part, second part"
    assert target.stat().st_ino == written  # renamed: a copy could be seen half done
    assert list(target.parent.iterdir()) == [target]


def test_an_error_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(_BrokenError):
        _write_half(tmp_path / "image.nii")
    assert list(tmp_path.iterdir()) == []


def test_an_error_leaves_the_earlier_file_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "image.nii"
    target.write_bytes(b"earlier")
    with pytest.raises(_BrokenError):
        _write_half(target)
    assert target.read_bytes() == b"earlier"
    with whole_file(target) as partial:
        partial.write_bytes(b"later")
    assert target.read_bytes() == b"later"
    assert list(tmp_path.iterdir()) == [target]


def _fill(folder: Path, text: str) -> None:
    (folder / "dicom").mkdir()
    (folder / "dicom" / "0001.dcm").write_text(text)
    (folder / "provenance.json").write_text("{}")


def test_a_folder_appears_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "runs" / "out"
    with whole_folder(target) as partial:
        _fill(partial, "a")
        assert not target.exists()
    assert (target / "dicom" / "0001.dcm").read_text() == "a"
    assert list(target.parent.iterdir()) == [target]
    assert target.stat().st_mode & 0o777 == 0o755


def test_an_error_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(_BrokenError):
        _fill_half(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    with whole_folder(target) as partial:
        _fill(partial, "a")
    assert (target / "dicom" / "0001.dcm").is_file()


def test_an_earlier_run_is_replaced_as_a_whole_or_kept_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with whole_folder(target) as partial:
        _fill(partial, "earlier")
        (partial / "only-then.txt").touch()
    with pytest.raises(_BrokenError):
        _fill_half(target)
    assert (target / "dicom" / "0001.dcm").read_text() == "earlier"
    assert (target / "only-then.txt").exists()
    with whole_folder(target) as partial:
        _fill(partial, "later")
    assert (target / "dicom" / "0001.dcm").read_text() == "later"
    assert not (target / "only-then.txt").exists()
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_of_other_files_is_refused_and_kept(tmp_path: Path) -> None:
    target = tmp_path / "thesis"
    target.mkdir()
    (target / "chapter.tex").write_text("x")
    with pytest.raises(InputError, match="holds other files"), whole_folder(target):
        pytest.fail("the block was entered")
    assert [path.name for path in target.iterdir()] == ["chapter.tex"]
    assert list(tmp_path.iterdir()) == [target]


def _run(target: Path, command: str = "recon") -> None:
    with whole_folder(target, command=command) as partial:
        _fill(partial, command)


@pytest.mark.parametrize("stranger", ["notes.txt", "dicom/0002.dcm", "more/thesis.docx"])
def test_what_a_user_put_beside_the_results_is_kept(stranger: str, tmp_path: Path) -> None:
    target = tmp_path / "out"
    _run(target)
    (target / stranger).parent.mkdir(exist_ok=True)
    (target / stranger).write_text("mine")
    with pytest.raises(InputError, match="holds other files"):
        _run(target)
    assert (target / stranger).read_text() == "mine"
    assert (target / "dicom" / "0001.dcm").read_text() == "recon"


def test_results_of_another_command_are_kept(tmp_path: Path) -> None:
    target = tmp_path / "out"
    _run(target)
    with pytest.raises(InputError, match="holds other files"):
        _run(target, "mar")
    assert (target / "dicom" / "0001.dcm").read_text() == "recon"


@pytest.mark.parametrize("content", ["{}", "not JSON", '{"outputs": 3}', '{"command": "recon", "outputs": ["a"]}'])
def test_a_provenance_file_alone_gives_nothing_away(content: str, tmp_path: Path) -> None:
    (tmp_path / "provenance.json").write_text(content)
    (tmp_path / "thesis.docx").write_text("mine")
    with pytest.raises(InputError, match="holds other files"):
        _run(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["provenance.json", "thesis.docx"]


@pytest.mark.parametrize("below", ["", "dicom", "dicom/0001.dcm"])
def test_an_output_that_holds_its_input_is_refused(below: str, tmp_path: Path) -> None:
    target = tmp_path / "out"
    _run(target)
    with (
        pytest.raises(InputError, match="holds the input"),
        whole_folder(target, command="recon", inputs=[None, target / below]),
    ):
        pytest.fail("the block was entered")
    assert (target / "dicom" / "0001.dcm").read_text() == "recon"


@pytest.mark.parametrize("below", ["out", "a/b/out"])
def test_an_output_in_a_folder_that_is_read_is_refused(below: str, tmp_path: Path) -> None:
    source = tmp_path / "study"
    source.mkdir()
    (source / "0001.dcm").write_text("slice")
    (tmp_path / "link").symlink_to(source)
    for way in (source, tmp_path / "link"):
        with (
            pytest.raises(InputError, match="lies in the input folder"),
            whole_folder(way / below, command="mar", inputs=[None, source]),
        ):
            pytest.fail("the block was entered")
    assert [path.name for path in source.iterdir()] == ["0001.dcm"]


def test_an_output_beside_the_file_that_is_read_is_made(tmp_path: Path) -> None:
    (tmp_path / "scan.dcm").write_text("scan")
    with whole_folder(tmp_path / "out", command="recon", inputs=[tmp_path / "scan.dcm"]) as partial:
        _fill(partial, "a")
    assert (tmp_path / "out" / "dicom" / "0001.dcm").is_file()


def test_what_a_file_browser_leaves_is_no_hindrance(tmp_path: Path) -> None:
    _run(tmp_path / "out")
    (tmp_path / "out" / "dicom" / ".DS_Store").touch()
    _run(tmp_path / "out")
    assert not (tmp_path / "out" / "dicom" / ".DS_Store").exists()


def test_a_file_in_the_place_of_a_folder_is_refused_and_kept(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_text("a file")
    with pytest.raises(InputError), whole_folder(target):
        pytest.fail("the block was entered")
    assert target.read_text() == "a file"


def test_shipped_files_are_listed_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "package"
    for folder, names in (("_pipelines", ["tc", "in"]), ("_phantoms", ["points"])):
        (package / folder).mkdir(parents=True)
        for name in names:
            (package / folder / f"{name}.toml").touch()
        (package / folder / "notes.txt").touch()
    monkeypatch.setattr(resources, "_PACKAGE", package)
    assert list(resources.shipped("pipelines")) == ["in", "tc"]
    assert resources.shipped("phantoms") == {"points": package / "_phantoms" / "points.toml"}


def test_an_installation_without_its_files_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "src" / "leukospect")
    with pytest.raises(InputError, match="reinstall"):
        resources.shipped("pipelines")


def test_the_current_folder_is_filled_and_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with whole_folder(Path()) as partial:
        (partial / "provenance.json").write_text("{}")
        (partial / "stale.txt").write_text("old")
    with whole_folder(Path()) as partial:
        (partial / "provenance.json").write_text('{"new": 1}')
    assert [entry.name for entry in tmp_path.iterdir()] == ["provenance.json"]
    assert json.loads((tmp_path / "provenance.json").read_text())["new"] == 1


def test_a_linked_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "real")
    with whole_folder(tmp_path / "out") as partial:
        (partial / "provenance.json").write_text("{}")
    assert (tmp_path / "real" / "provenance.json").is_file()


@pytest.mark.parametrize("kind", [whole_file, whole_folder])
def test_folders_made_on_the_way_go_when_the_block_fails(
    tmp_path: Path, kind: Callable[[Path], AbstractContextManager[Path]]
) -> None:
    with pytest.raises(RuntimeError), kind(tmp_path / "a" / "b" / "c"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_what_an_interrupted_run_left_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / ".partial-x").mkdir()
    with whole_folder(tmp_path) as partial:
        (partial / "provenance.json").write_text("{}")
    assert [entry.name for entry in tmp_path.iterdir()] == ["provenance.json"]
