"""Gzips as DuckDB reads them: whole, exact and only once, whatever their size and in however many streams."""

import gzip
import random

import pytest

from costs.charges import gzips
from costs.charges.duckdb_session import duckdb_session
from costs.formats.base import BadBill

BLOCK = 1 << 20
ROWS = 2_000_000


@pytest.fixture(scope="module")
def text():
    """A table of 33 MB, whose every row says which it is."""
    return b"n,said\n" + b"".join(b"%07d,%08x\n" % (n, n * 2654435761 % (1 << 32)) for n in range(ROWS))


def read(path, tmp_path, limit=1 << 40):
    """(rows, different rows, their sum) as DuckDB finds them with two threads and little memory."""
    with duckdb_session(memory_limit="200MB", scratch=tmp_path) as db, gzips.readable(db, limit) as unfolded:
        address = unfolded.address(path, "bill.csv.gz")
        columns = (
            "columns = {'n': 'BIGINT', 'said': 'VARCHAR'}, header = true, auto_detect = false, compression = 'none'"
        )
        source = f"read_csv('{address}', {columns}, buffer_size = {4 * BLOCK})"
        return unfolded.read_all(
            lambda: db.execute(f"SELECT count(*), count(DISTINCT said), sum(n) FROM {source}").fetchone()
        )


def test_a_text_of_many_blocks_is_read_all_by_two_threads(text, tmp_path):
    path = tmp_path / "bill.csv.gz"
    path.write_bytes(gzip.compress(text, 1))
    assert read(path, tmp_path) == (ROWS, ROWS, ROWS * (ROWS - 1) // 2)


def test_several_streams_are_one_text(text, tmp_path):
    path, half = tmp_path / "bill.csv.gz", text.index(b"1000000,")
    path.write_bytes(gzip.compress(text[:half], 1) + gzip.compress(text[half:], 1) + gzip.compress(b""))
    assert read(path, tmp_path) == (ROWS, ROWS, ROWS * (ROWS - 1) // 2)


def test_a_block_that_was_dropped_is_unpacked_again(text, tmp_path):
    path = tmp_path / "bill.csv.gz"
    path.write_bytes(gzip.compress(text, 1))
    unfolded = gzips.Gzips(1 << 40)
    opened = unfolded.open(unfolded.address(path, "bill.csv.gz"))
    chance = random.Random(20261126)
    for start in [*range(0, 8 * BLOCK, BLOCK), 5 * BLOCK, 0, *(chance.randrange(len(text) - BLOCK) for _ in range(9))]:
        opened.seek(start)
        assert opened.read(BLOCK) == text[start : start + BLOCK], start
        assert opened.tell() == start + BLOCK


@pytest.mark.parametrize(
    ("spoil", "limit", "message"),
    [
        (lambda packed: packed[:-100_000], 1 << 40, "bill.csv.gz: the gzip file ends early"),
        (lambda packed: packed[:-500_000] + b"\xff" * 1_000 + packed[-499_000:], 1 << 40, "the gzip file is damaged"),
        (lambda packed: packed, 9 * BLOCK, "unfolds to more than 9,437,184 bytes"),
    ],
)
def test_what_is_wrong_in_a_later_block_is_said_in_words(spoil, limit, message, text, tmp_path):
    path = tmp_path / "bill.csv.gz"
    path.write_bytes(spoil(gzip.compress(text, 1)))
    with pytest.raises(BadBill, match=message):
        read(path, tmp_path, limit)


@pytest.mark.slow
def test_the_size_of_a_text_above_four_gigabytes_is_told_by_how_it_begins(text, tmp_path):
    """A gzip tells its size modulo 4 GiB."""
    path, times = tmp_path / "bill.csv.gz", (5 << 30) // len(text)
    with gzips.igzip.open(path, "wb", compresslevel=1) as packed:
        for _ in range(times):
            packed.write(text)
    assert gzips.likely_size(path) == times * len(text)
