"""The process that decodes compressed frames, seen from ours: started when first needed, replaced when it dies."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leukospect.errors import InputError

_LONGEST_S = 8.0  # for one frame, and for the process to start; a frame takes milliseconds
_SCRIPT = Path(__file__).with_name("decoder_process.py")
_DTYPES = ("|u1", "|i1", "<u2", "<i2", "<u4", "<i4")

_UNDECODABLE = "The pixel data cannot be decoded: they are cut off, damaged or in an unknown compression."


class _Decoder:
    """A decoding process; frames are given to it one at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def decode(self, frame: bytes, syntax: str, elements: dict[str, object]) -> NDArray[np.generic]:
        """Decode one frame to (rows * columns,) values.

        Raises
        ------
        InputError
            It cannot be decoded, or not in a reasonable time.
        """
        question = json.dumps({"size": len(frame), "syntax": syntax, "elements": elements}).encode() + b"\n"
        with self._lock:
            process = self._running()
            watch = threading.Timer(_LONGEST_S, process.kill)
            watch.start()
            try:
                return self._asked(process, question + frame)
            except (OSError, ValueError, KeyError, TypeError):
                self._end()
                raise InputError(_UNDECODABLE) from None
            finally:
                watch.cancel()

    def _asked(self, process: subprocess.Popen[bytes], question: bytes) -> NDArray[np.generic]:
        if process.stdin is None or process.stdout is None:
            raise OSError("no pipes")
        process.stdin.write(question)
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
        content = process.stdout.read(answer["size"])
        if not content or answer["dtype"] not in _DTYPES:
            raise InputError(_UNDECODABLE)
        return np.frombuffer(content, dtype=answer["dtype"])

    def _running(self) -> subprocess.Popen[bytes]:
        # A copy of this process must not answer on the pipes of the original.
        if self._process is None or self._owner != os.getpid() or self._process.poll() is not None:
            self._end()
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(_SCRIPT)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            self._owner = os.getpid()
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            try:
                if pipe is not None:
                    pipe.close()
            except OSError:
                continue  # what it could not be told any more
        process.wait()

    def close(self) -> None:
        """End the process, if there is one."""
        with self._lock:
            self._end()


_decoder = _Decoder()
atexit.register(_decoder.close)


def decode_frame(frame: bytes, syntax: str, elements: dict[str, object]) -> NDArray[np.generic]:
    """Decode one compressed frame.

    Parameters
    ----------
    frame : bytes
    syntax : str
        Transfer Syntax UID.
    elements : dict
        What describes the pixels, by keyword: Rows, Columns, BitsAllocated and so on.

    Returns
    -------
    (rows * columns,) array

    Raises
    ------
    InputError
        It is damaged, or of a compression that is not read.
    """
    return _decoder.decode(frame, syntax, elements)
