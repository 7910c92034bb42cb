"""The contents of S3 objects: small ones in memory, large ones in files, read by ranges and by many at a time.

moto keeps each in a buffer with one read position, which readers move under each other's feet, and copies it whole into
memory for every range of it that is read.
"""

import hashlib
import uuid
import weakref
from collections.abc import Iterator
from typing import Any

import moto.s3.models
from moto.s3.models import FakeKey
from moto.s3.responses import S3Response

from emulator import settings

_LARGEST_IN_MEMORY = 1 << 20
_CHUNK_BYTES = 1 << 20


class Body:
    """An object's content; it never changes, and its file goes when nobody refers to it any more."""

    def __init__(self, content: bytes) -> None:
        self._size = len(content)
        self._content: bytes | None = None
        if self._size <= _LARGEST_IN_MEMORY:
            self._content = content
        else:
            self._file = settings.current().directory("s3") / uuid.uuid4().hex
            self._file.write_bytes(content)
            weakref.finalize(self, self._file.unlink, missing_ok=True)

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice) -> bytes:
        start, stop, _ = part.indices(self._size)
        if self._content is not None:
            return self._content[start:stop]
        with self._file.open("rb") as file:
            file.seek(start)
            return file.read(max(stop - start, 0))

    def __iter__(self) -> Iterator[bytes]:
        """The content in chunks, as an HTTP response takes it."""
        for start in range(0, self._size, _CHUNK_BYTES):
            yield self[start : start + _CHUNK_BYTES]


class StoredObject(FakeKey):
    """moto's S3 object with its content in a Body."""

    @property
    def value(self) -> bytes:
        return self.body[:]

    @value.setter
    def value(self, content: bytes) -> None:
        self.body = Body(content)
        self.contentsize = len(content)
        if self._etag is None:
            self._etag = hashlib.md5(content, usedforsecurity=False).hexdigest()

    def dispose(self, garbage: bool = False) -> None:
        """Nothing: whoever still reads the content reads on."""

    def __deepcopy__(self, _memo: dict[int, Any]) -> "StoredObject":
        """Another description of the same content: moto copies every version of every object to list them."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        return twin


moto.s3.models.FakeKey = StoredObject


class _Streamed:
    """An object as GetObject is to see it: its value is the Body, not a copy in memory."""

    def __init__(self, stored: StoredObject) -> None:
        self._stored = stored

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stored, name)

    @property
    def value(self) -> Body:
        return self._stored.body


_moto_get_object = S3Response.get_object


def _get_object(response: S3Response) -> Any:
    find = response._get_key

    def find_streamed() -> tuple[_Streamed, bool]:
        stored, not_modified = find()
        return _Streamed(stored), not_modified

    response._get_key = find_streamed
    return _moto_get_object(response)


S3Response.get_object = _get_object
