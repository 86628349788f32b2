"""Files that only the operator's key opens: AES-256-GCM in pieces, whose order and whose end are proved as well.

The construction is STREAM, as age has it: each file has a key of its own, derived from the operator's by a random salt;
the nonce of a piece is its number and whether it is the last. So a file that was cut short, whose pieces were moved, or
in which a byte differs does not open. The key is in no file; eight bytes derived from it say which key a file needs.
Pure: no Django.
"""

import base64
import binascii
import os
from collections.abc import Sequence
from typing import IO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

BEGINS = b"finops sealed 1\n"
PIECE = 1 << 20
KEY_BYTES, NAME_BYTES, SALT_BYTES, TAG_BYTES = 32, 8, 16, 16
LAST, NOT_LAST = b"\1", b"\0"


class SealProblem(ValueError):
    """Why a file does not open, or why a key is none, in one line."""


def read_key(text: str) -> bytes:
    """The 32 bytes of a key as it is written: base64, in the alphabet of addresses. Raises SealProblem."""
    try:
        key = base64.urlsafe_b64decode(text.strip())
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise SealProblem("a key of backups is 32 random bytes in base64")
    return key


def new_key() -> str:
    """A key as `read_key` reads it."""
    return base64.urlsafe_b64encode(os.urandom(KEY_BYTES)).decode()


def is_sealed(beginning: bytes) -> bool:
    """Whether a file that begins like this is sealed: 16 bytes are enough."""
    return beginning.startswith(BEGINS)


class SealingWriter:
    """A file to write into, of which `out` gets the sealed form; without `close` it has no end and does not open."""

    def __init__(self, out: IO[bytes], key: bytes) -> None:
        salt = os.urandom(SALT_BYTES)
        self.out, self.cipher, self.number = out, _cipher(key, salt), 0
        self.waiting = bytearray()
        out.write(BEGINS + _name_of(key) + salt)

    def write(self, data: bytes) -> int:
        self.waiting += data
        # The last piece is known at the end only: one is kept back.
        while len(self.waiting) > PIECE:
            self._seal(bytes(self.waiting[:PIECE]), NOT_LAST)
            del self.waiting[:PIECE]
        return len(data)

    def close(self) -> None:
        self._seal(bytes(self.waiting), LAST)

    def _seal(self, piece: bytes, last: bytes) -> None:
        self.out.write(self.cipher.encrypt(_nonce(self.number, last), piece, None))
        self.number += 1


class OpeningReader:
    """What was written into a sealed file, to read; raises SealProblem at the first piece that is not as it was."""

    def __init__(self, source: IO[bytes], keys: Sequence[bytes]) -> None:
        head = source.read(len(BEGINS) + NAME_BYTES + SALT_BYTES)
        name, salt = head[len(BEGINS) : -SALT_BYTES], head[-SALT_BYTES:]
        if not is_sealed(head) or len(name) != NAME_BYTES:
            raise SealProblem("it is not sealed, or was cut short")
        key = next((key for key in keys if _name_of(key) == name), None)
        if key is None:
            raise SealProblem("it was encrypted with a key that is not here: see FINOPS_BACKUP_KEY")
        self.source, self.cipher, self.number = source, _cipher(key, salt), 0
        self.opened, self.has_ended = bytearray(), False
        self.ahead = source.read(PIECE + TAG_BYTES)

    def read(self, size: int = -1) -> bytes:
        while not self.has_ended and (size < 0 or len(self.opened) < size):
            self._open_next()
        end = len(self.opened) if size < 0 else size
        data = bytes(self.opened[:end])
        del self.opened[:end]
        return data

    def _open_next(self) -> None:
        piece, self.ahead = self.ahead, self.source.read(PIECE + TAG_BYTES)
        last = NOT_LAST if self.ahead else LAST
        try:
            self.opened += self.cipher.decrypt(_nonce(self.number, last), piece, None)
        except (InvalidTag, ValueError):
            raise SealProblem("it was cut short or changed after it was encrypted") from None
        self.number += 1
        self.has_ended = last == LAST


def _nonce(number: int, last: bytes) -> bytes:
    return number.to_bytes(11, "big") + last


def _cipher(key: bytes, salt: bytes) -> AESGCM:
    return AESGCM(HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=b"finops backup").derive(key))


def _name_of(key: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=NAME_BYTES, salt=None, info=b"name of a key").derive(key)
