"""Personal data on its way into the platform: dropped, or replaced by a keyed hash, before anything is stored."""

import hmac
import string
from hashlib import sha256

import pyarrow as pa

from trackman import aws
from trackman.contract import Contract, FilesContract
from trackman.errors import JobError

PEPPER_BYTES = 32


def read_pepper(text: str) -> bytes:
    """The key from its secret's text: 64 hex characters."""
    if len(text) != 2 * PEPPER_BYTES or not set(text) <= set(string.hexdigits):
        raise JobError(f"the pepper's secret holds {len(text)} characters, expected {2 * PEPPER_BYTES} hex digits")
    return bytes.fromhex(text)


def contract_pepper(contract: Contract | FilesContract) -> bytes | None:
    """The key, when the contract has any column hashed."""
    return read_pepper(aws.secret(contract.pepper_secret)) if contract.hashes else None


def hash_texts(texts: pa.StringArray, pepper: bytes) -> pa.StringArray:
    """HMAC-SHA256 of each text (UTF-8) in hex; null stays null. Equal texts have equal hashes, so keys still join."""
    distinct = texts.dictionary_encode()
    hashes = [hmac.new(pepper, text.encode(), sha256).hexdigest() for text in distinct.dictionary.to_pylist()]
    return pa.array(hashes, pa.string()).take(distinct.indices)
