"""A file's bytes for the DICOM parser, bounded: never past the end, never without end, never unpacked without end."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from typing import BinaryIO, NoReturn

from leukospect.dicom.read.limits import LARGEST_RATIO, MEGABYTE, MOST_READS, largest_unpacked
from leukospect.errors import InputError

DAMAGED = "The file is cut off or damaged; export it again."

_STEP = 2**16


class BoundedStream(ABC):
    """What pydicom reads from; it refuses to be read more than `most_reads` times.

    Elements of no length repeated to the end of a large file would keep a parser busy for minutes. The parser turns
    errors it meets on its way into others of its own, so the refusal is also kept in `refusal`.
    """

    def __init__(self, most_reads: int = MOST_READS) -> None:
        self.most_reads = most_reads
        self.refusal = ""
        self._position = 0
        self._reads = 0

    @abstractmethod
    def bytes_at(self, position: int, size: int) -> bytes:
        """Give up to `size` bytes from `position`; fewer only at the end."""

    @abstractmethod
    def holds(self, size: int) -> bool:
        """Tell whether `size` more bytes follow."""

    @abstractmethod
    def whole(self) -> tuple[int, int]:
        """Give the length and the CRC-32 of all of it."""

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes, all that follow where it is negative."""
        self._reads += 1
        if self._reads > self.most_reads:
            self.refuse("The file has more elements than any header; it is damaged.")
        found = self.bytes_at(self._position, size if size >= 0 else 2**62)
        self._position += len(found)
        return found

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a position, from the start (0) or from here (1)."""
        self._position = max(0, offset if whence == 0 else self._position + offset)
        return self._position

    def tell(self) -> int:
        """Give the position."""
        return self._position

    def refuse(self, sentence: str) -> NoReturn:
        """Refuse to go on.

        Raises
        ------
        InputError
        """
        # The sentence alone: an error kept here would hold this stream, and all it has read, until the next collection.
        self.refusal = sentence
        raise InputError(sentence)


class Section(BoundedStream):
    """A part of an open file, or all of it."""

    def __init__(self, file: BinaryIO, start: int, length: int) -> None:
        super().__init__()
        self._file, self._start, self._length = file, start, length

    def bytes_at(self, position: int, size: int) -> bytes:
        """Give up to `size` bytes from `position`; a size beyond the end asks for no memory."""
        wanted = min(size, self._length - position)
        if wanted <= 0:
            return b""
        self._file.seek(self._start + position)
        return self._file.read(wanted)

    def holds(self, size: int) -> bool:
        """Tell whether `size` more bytes follow."""
        return self._position + size <= self._length

    def whole(self) -> tuple[int, int]:
        """Give the length and the CRC-32 of all of it."""
        length, crc = 0, 0
        while part := self.bytes_at(length, _STEP):
            length, crc = length + len(part), zlib.crc32(part, crc)
        return length, crc


class Inflated(BoundedStream):
    """What deflated bytes unpack to, no further than it is read, and no further than a file of its size can.

    Parameters
    ----------
    packed : BoundedStream
        Raw deflate data from where it stands.
    before : bytes
        Put before what they unpack to.
    """

    def __init__(self, packed: BoundedStream, before: bytes = b"") -> None:
        super().__init__()
        self._packed = packed
        self._packed_bytes = 0
        self._decoder = zlib.decompressobj(-zlib.MAX_WBITS)
        self._unpacked = bytearray(before)

    def bytes_at(self, position: int, size: int) -> bytes:
        """Give up to `size` bytes from `position`, unpacking as far as that."""
        self._unpack(position + size)
        with memoryview(self._unpacked) as view:
            return bytes(view[position : position + size])

    def holds(self, size: int) -> bool:
        """Tell whether `size` more bytes follow."""
        self._unpack(self._position + size)
        return self._position + size <= len(self._unpacked)

    def whole(self) -> tuple[int, int]:
        """Unpack to the end; give the length and the CRC-32 of all of it."""
        self._unpack(2**62)
        return len(self._unpacked), zlib.crc32(self._unpacked)

    def _unpack(self, length: int) -> None:
        while len(self._unpacked) < length and not self._decoder.eof:
            packed = self._decoder.unconsumed_tail
            if not packed:
                packed = self._packed.bytes_at(self._packed.tell() + self._packed_bytes, _STEP)
                self._packed_bytes += len(packed)
            try:
                unpacked = self._decoder.decompress(packed, _STEP * 16)
            except zlib.error:
                self.refuse(DAMAGED)
            if not packed and not unpacked:
                return
            self._unpacked += unpacked
            if len(self._unpacked) > largest_unpacked(self._packed_bytes):
                self.refuse(
                    f"The file unpacks to more than {len(self._unpacked) // MEGABYTE} MB and {LARGEST_RATIO} times its "
                    "own size, which no image does; it is not read."
                )
