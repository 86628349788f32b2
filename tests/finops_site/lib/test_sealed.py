"""A sealed file opens with the operator's key, sealed_file and as it was written, or not at all."""

import io
import os

import pytest

from finops_site.lib import sealed

KEY, OTHER = os.urandom(32), os.urandom(32)


def seal(content, key=KEY, block=300_000):
    out = io.BytesIO()
    writer = sealed.SealingWriter(out, key)
    for start in range(0, len(content), block):
        writer.write(content[start : start + block])
    writer.close()
    return out.getvalue()


def open_(data, *keys):
    reader = sealed.OpeningReader(io.BytesIO(data), keys or (KEY,))
    return b"".join(iter(lambda: reader.read(70_000), b""))


@pytest.mark.parametrize("size", [0, 1, sealed.PIECE - 1, sealed.PIECE, sealed.PIECE + 1, 3 * sealed.PIECE])
def test_what_was_sealed_opens_whatever_its_size(size):
    content = os.urandom(size)
    assert open_(seal(content)) == content


def test_an_older_key_opens_and_another_says_which_setting_is_missing():
    assert open_(seal(b"money", OTHER), KEY, OTHER) == b"money"
    with pytest.raises(sealed.SealProblem, match="FINOPS_BACKUP_KEY"):
        open_(seal(b"money", OTHER))


def test_a_file_that_was_cut_anywhere_does_not_open():
    sealed_file = seal(os.urandom(2 * sealed.PIECE))
    head, piece = 40, sealed.PIECE + sealed.TAG_BYTES
    for end in (0, 10, head, head + 5, head + piece, head + piece + 1, len(sealed_file) - 1):
        with pytest.raises(sealed.SealProblem):
            open_(sealed_file[:end])


def test_pieces_that_were_moved_and_a_byte_that_was_changed_do_not_open():
    sealed_file = seal(os.urandom(2 * sealed.PIECE + 5))
    head, piece = 40, sealed.PIECE + sealed.TAG_BYTES
    swapped = (
        sealed_file[:head]
        + sealed_file[head + piece : head + 2 * piece]
        + sealed_file[head : head + piece]
        + sealed_file[head + 2 * piece :]
    )
    changed = bytearray(sealed_file)
    changed[-3] ^= 1
    for data in (swapped, bytes(changed), sealed_file + b"\0"):
        with pytest.raises(sealed.SealProblem, match="cut short or changed"):
            open_(data)


def test_neither_the_key_nor_the_content_is_in_the_file():
    data = seal(b"1234567.89 EUR" * 1000)
    assert KEY not in data
    assert b"1234567.89" not in data


def test_a_key_is_32_bytes_in_base64():
    assert len(sealed.read_key(sealed.new_key())) == 32
    for text in ("", "secret", "ü" * 44):
        with pytest.raises(sealed.SealProblem, match="32 random bytes"):
            sealed.read_key(text)
