"""Decode compressed frames in a process of its own: on some damaged ones the decoders end the process they run in.

Run as a script. It reads questions from standard input and answers each on standard output until the input ends. Both
are a line of JSON followed by as many bytes as its ``size`` says: a question holds a frame and the elements that
describe it, an answer the decoded pixels and their ``dtype``, or nothing where the frame cannot be decoded.
"""

from __future__ import annotations

import json
import sys
import warnings
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID

_MOST_MEMORY = 4 * 2**30


def main() -> None:
    """Answer questions until there are none."""
    _limit()
    warnings.simplefilter("ignore")
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    while line := questions.readline():
        question = json.loads(line)
        frame = questions.read(question["size"])
        try:
            pixels = _decoded(question["syntax"], question["elements"], frame)
        except Exception:  # noqa: BLE001 - whatever it is, the frame cannot be decoded
            pixels = np.zeros(0, np.uint8)
        _answer(answers, pixels)


def _decoded(syntax: str, elements: dict[str, object], frame: bytes) -> NDArray[np.generic]:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    dataset.PixelData = encapsulate([frame])
    dataset["PixelData"].VR = "OB"
    return np.ascontiguousarray(pixel_array(dataset, raw=True, decoding_plugin="gdcm"))


def _answer(answers: BinaryIO, pixels: NDArray[np.generic]) -> None:
    content = pixels.tobytes()
    answers.write(json.dumps({"size": len(content), "dtype": pixels.dtype.str}).encode() + b"\n")
    answers.write(content)
    answers.flush()


def _limit() -> None:
    """Bound the memory, and keep pixels out of core dumps; where the system has no such limits, go on without."""
    try:
        import resource
    except ImportError:
        return
    for kind, most in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_AS, _MOST_MEMORY)):
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


if __name__ == "__main__":
    main()
