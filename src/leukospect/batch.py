"""Many studies, one after another or on a Dask cluster; a failing one is recorded and the rest go on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from leukospect import __version__
from leukospect.errors import InputError, LeukospectError
from leukospect.files.cohort_table import Row, cohort_csv, read_results, rows_of_study
from leukospect.jobs import run_job
from leukospect.protocol import Protocol
from leukospect.provenance import digest_of
from leukospect.whole_files import recorded_contents, whole_file

Status = Literal["done", "failed"]
_RECORD, _COHORT = "batch.json", "cohort.csv"


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """What became of one study of an archive.

    Parameters
    ----------
    study : str
        Name of its folder, or of its zip archive without the suffix.
    status : ``done`` or ``failed``
    reason : str
        Why it failed, one sentence; the flag where it did not.
    fingerprint : str
        Of its input, the settings and the program's version: what has not changed is not run again.
    fresh : bool
        It was run now, not in an earlier batch.
    """

    study: str
    status: Status
    reason: str
    fingerprint: str
    fresh: bool = True


def run_batch(
    archive: Path,
    output: Path,
    protocol: Protocol,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    threads: int | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> tuple[StudyRecord, ...]:
    """Run every study of an archive; each of its folders and each zip archive in it is one.

    Parameters
    ----------
    archive : Path
    output : Path
        A run's folder for each study, under the study's own name, batch.json with what became of each, and cohort.csv
        with a row for each lesion of each, see `files.cohort_table`.
    protocol : Protocol
    workers : int or None
        Processes of a local Dask cluster; None runs one study after another in this process.
    scheduler : str or None
        Address of a Dask scheduler that is already running, instead.
    threads : int or None
        For each study.
    progress : function of a stage's name and the fraction of it done

    Raises
    ------
    InputError
        The archive holds no study, two of the same name, or Dask is asked for and not installed.
    """
    if not archive.is_dir():
        raise InputError(f"The archive '{archive}' is not a folder; give a folder that holds a folder for each study.")
    studies = _studies(archive)
    if output.resolve().is_relative_to(archive.resolve()):
        raise InputError("The output of a batch must not lie in the archive; choose another folder with -o.")
    if not studies:
        raise InputError(
            f"The archive '{archive}' holds no studies; give a folder that holds a folder or a zip archive for each."
        )
    if workers is not None or scheduler is not None:
        _dask()
    output.mkdir(parents=True, exist_ok=True)
    records = {record.study: record for record in _read_records(output)}
    fingerprints = {name: _fingerprint(study, protocol) for name, study in studies.items()}
    open_studies = [name for name in studies if not _settled(records.get(name), fingerprints[name], output / name)]
    if progress:
        progress("running the studies", 0.0)
    tasks = [(studies[name], output / name, fingerprints[name]) for name in open_studies]
    for done, record in enumerate(_run_all(tasks, protocol, workers, scheduler, threads), start=1):
        records[record.study] = record
        _write_records(output, records.values())
        if progress:
            progress("running the studies", done / len(tasks))
    found = tuple(records[name] for name in studies)
    _write_cohort(output, found)
    return found


def _write_cohort(output: Path, records: Iterable[StudyRecord]) -> None:
    """Write the table of all lesions, unless it stands there already as it is."""
    rows: list[Row] = []
    for record in records:
        done = record.status == "done"
        document = read_results(output / record.study / "results.json") if done else None
        rows += rows_of_study(record.study, record.status, document)
    path, text = output / _COHORT, cohort_csv(rows)
    if not path.is_file() or path.read_bytes() != text.encode():
        with whole_file(path) as partial:
            partial.write_bytes(text.encode())


def _studies(archive: Path) -> dict[str, Path]:
    """Find an archive's studies by name: its folders, and its zip archives without their suffix."""
    found: dict[str, Path] = {}
    for path in sorted(archive.iterdir()):
        if path.name.startswith(".") or not (path.is_dir() or _is_zip(path)):
            continue
        name = path.name if path.is_dir() else path.stem
        if name in found:
            raise InputError(
                "A folder and a zip archive, or two of them, have the same name; their results would too. Rename one."
            )
        found[name] = path
    return found


def _is_zip(path: Path) -> bool:
    return path.suffix.lower() == ".zip" and path.is_file()


def loose_files(archive: Path) -> int:
    """Count the files that lie in an archive but in no study; they are not read."""
    return sum(path.is_file() and not path.name.startswith(".") and not _is_zip(path) for path in archive.iterdir())


def run_one(study: str, output: str, protocol: dict[str, Any], fingerprint: str, threads: int | None) -> StudyRecord:
    """Run one study and say in a few words what became of it; the results go to disk."""
    name = Path(output).name
    try:
        outcome = run_job(Path(study), Path(output), Protocol.model_validate(protocol), threads=threads)
    except LeukospectError as error:
        return StudyRecord(name, "failed", str(error), fingerprint)
    except Exception as error:  # noqa: BLE001 - one study's defect must not end the others
        return StudyRecord(name, "failed", f"A defect of the program ({type(error).__name__}).", fingerprint)
    return StudyRecord(name, "done", outcome.flag.flag if outcome.flag else "", fingerprint)


_Task = tuple[Path, Path, str]


def _run_all(
    tasks: list[_Task], protocol: Protocol, workers: int | None, scheduler: str | None, threads: int | None
) -> Iterator[StudyRecord]:
    plain = protocol.model_dump(mode="json")
    if not tasks:
        return
    if workers is None and scheduler is None:
        for study, output, fingerprint in tasks:
            yield run_one(str(study), str(output), plain, fingerprint, threads)
        return
    yield from _run_on_dask(tasks, plain, workers, scheduler, threads)


def _dask() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise InputError(
            'Dask is not installed; run pip install "leukospect[dask]", or leave --workers out.'
        ) from error
    return distributed


def _run_on_dask(
    tasks: list[_Task], protocol: dict[str, Any], workers: int | None, scheduler: str | None, threads: int | None
) -> Iterator[StudyRecord]:
    distributed = _dask()
    # Port 0 and no dashboard: several batches may run on one machine.
    cluster = (
        distributed.LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None)
        if scheduler is None
        else None
    )
    with distributed.Client(cluster or scheduler) as client:
        futures = {
            client.submit(
                run_one, str(s.resolve()), str(o.resolve()), protocol, fingerprint, threads, retries=1, pure=False
            ): (o.name, fingerprint)
            for s, o, fingerprint in tasks
        }
        for future in distributed.as_completed(list(futures)):
            name, fingerprint = futures[future]
            if future.status == "finished":
                yield future.result()
            else:
                yield StudyRecord(name, "failed", "The worker that ran it was lost, twice.", fingerprint)
    if cluster is not None:
        cluster.close()


def _fingerprint(study: Path, protocol: Protocol) -> str:
    """Tell whether a study changed, from its files' names, sizes and times, without reading them."""
    digest = hashlib.sha256(f"{__version__} {digest_of(protocol.model_dump(mode='json'))}".encode())
    for path in [study] if study.is_file() else sorted(study.rglob("*")):
        if path.is_file():
            status = path.stat()
            digest.update(f"{path.relative_to(study)} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _settled(record: StudyRecord | None, fingerprint: str, output: Path) -> bool:
    if record is None or record.fingerprint != fingerprint:
        return False
    if record.status == "failed":
        return True
    written = recorded_contents(output)
    return bool(written) and all((output / name).is_file() for name in written)


def _read_records(output: Path) -> list[StudyRecord]:
    path = output / _RECORD
    if not path.is_file():
        return []
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["studies"]
        return [StudyRecord(**{**row, "fresh": False}) for row in rows]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"'{path}' is damaged; remove it to run every study again.") from error


def _write_records(output: Path, records: Iterable[StudyRecord]) -> None:
    rows = [{k: v for k, v in asdict(record).items() if k != "fresh"} for record in records]
    rows.sort(key=lambda row: str(row["study"]))
    with whole_file(output / _RECORD) as partial:
        partial.write_text(json.dumps({"schema_version": "1.0", "studies": rows}, indent=2) + "\n", encoding="utf-8")
