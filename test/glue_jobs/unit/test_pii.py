"""Keyed hashes of personal data."""

import pyarrow as pa
import pytest
from trackman.errors import JobError
from trackman.pii import hash_texts, read_pepper


def test_hash_is_hmac_sha256_in_hex() -> None:
    # RFC 4231, test case 2.
    [value, nothing, again] = hash_texts(
        pa.array(["what do ya want for nothing?", None, "what do ya want for nothing?"]), b"Jefe"
    ).to_pylist()
    assert value == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert (nothing, again) == (None, value)


def test_pepper_is_32_bytes_in_hex() -> None:
    assert read_pepper("0f" * 32) == b"\x0f" * 32
    with pytest.raises(JobError, match="holds 5 characters, expected 64 hex digits"):
        read_pepper("short")
