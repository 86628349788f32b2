"""Bills broken at random, for every reader: nothing may fail but in words, and sums are conserved."""

import gzip
import random
import shutil
import tempfile
from decimal import Decimal
from pathlib import Path

import duckdb

from costs.charges.read_bill import BillContents, read_bill
from costs.charges.rejects import MAX_REJECTS
from costs.formats.base import METRICS, BadBill, Options
from finops_site.lib.money import EXACT
from finops_site.lib.periods import Month
from tests import bills

CLOUDS = ("focus", "cur", "cur2", "azure", "gcp", "oci", "inventory")
NASTY = [
    *(b"", b",", b'"', b"\n", b"\r\n", b"\x00", b"\xff", b"\xed\xa0\x80", b"NULL", b"-", b"1e999", b"1E-40", b"NaN"),
    *(b"99999999999999999999999.5", b"0.1234567890123456789012345678901", b"2026-13-45", b"{", b"}", b"[", b"\\"),
    *(b'{"a":', b"'", b"=1+1", b";", b"\t", "é".encode(), "💸".encode(), b"USD", b"usd ", b"(1.00)", b"$1,0.0"),
]


def seeds() -> dict[str, bytes]:
    """A small good bill of every reader: {name of its file: bytes}."""
    from tests.costs.charges.test_providers import ACTUAL, TestOracle, azure_csv, credit, cur2_csv, gcp_csv, gcp_lines

    committed = [
        {"credits": [credit(-1.5, "COMMITTED_USAGE_DISCOUNT")]},
        {"sku": {"id": "F", "description": "Commitment"}},
    ]
    text = {
        "focus.csv": bills.focus_csv([{}, {"BilledCost": "2.5", "Tags": ""}, {"ListCost": "NULL"}]),
        "cur.csv": bills.cur_csv([{}, {"lineItem/LineItemType": "RIFee", "reservation/UnusedRecurringFee": "0.5"}]),
        "cur2.csv": cur2_csv([{}, {"line_item_line_item_type": "Tax"}]),
        "azure.csv": azure_csv(ACTUAL),
        "gcp.csv": gcp_csv([{}, *committed]),
        "gcp.jsonl": gcp_lines([{}, *committed]),
        "oci.csv": bills.csv_text(list(TestOracle.ROW), [TestOracle.ROW] * 2).encode(),
        "inventory.csv": b"ResourceId,InstanceType,State,CostUSD,Tags\ni-1,m5,running,0.5,a=b\ni-2,m5,off,1,c\n",
    }
    return text | {
        "focus.csv.gz": gzip.compress(text["focus.csv"], mtime=0),
        "focus.parquet": _parquet(text["focus.csv"]),
    }


def _parquet(text: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "x.csv", Path(folder) / "x.parquet"
        source.write_bytes(text)
        duckdb.execute(f"COPY (FROM read_csv('{source}', all_varchar = true)) TO '{target}'")
        return target.read_bytes()


def broken(good: bytes, chance: random.Random) -> bytes:
    """The bill with one to four wounds: bytes changed, cut out, put in, doubled, or the end torn off."""
    text = bytearray(good)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(text) + 1)
        until = min(len(text), at + chance.choice((1, 1, 2, 5, 20, 200)))
        kind = chance.randrange(6)
        if kind == 0:
            text[at:until] = b""
        elif kind == 1:
            text[at:at] = chance.choice(NASTY)
        elif kind == 2:
            text[at:until] = chance.choice(NASTY)
        elif kind == 3 and at < len(text):
            text[at] = chance.randrange(256)
        elif kind == 4:
            text[at:at] = text[at:until]
        elif chance.random() < 0.3:
            del text[at:]
    return bytes(text)


class Fuzzer:
    """Reads broken bills one after the other in one process, as a worker does."""

    def __init__(self, folder: Path, db: duckdb.DuckDBPyConnection) -> None:
        self.folder, self.db = folder, db

    def outcome(self, name: str, content: bytes) -> str:
        """``loaded``, ``partly`` or ``refused``; anything but a bill refused in words is let out."""
        scratch = self.folder / "scratch"
        scratch.mkdir()
        try:
            (scratch / name).write_bytes(content)
            options = Options(month=Month(2026, 3) if name.startswith("inventory") else None)
            contents = read_bill(
                self.db,
                [(name, scratch / name)],
                target=scratch / "out",
                scratch=scratch,
                options=options,
                limit=1 << 24,
            )
        except BadBill as refusal:
            return "refused" if name in str(refusal) and "\n" not in str(refusal) else f"refused: {refusal!s}"
        finally:
            shutil.rmtree(scratch)
        conserved(contents)
        return "partly" if contents.rows_rejected else "loaded"


def conserved(contents: BillContents) -> None:
    """Every row is loaded or rejected, every reject says why, and what was read is what was stored and the residual."""
    assert contents.rows_read == contents.rows_loaded + contents.rows_rejected
    assert len(contents.rejects) == min(contents.rows_rejected, MAX_REJECTS)
    assert all(reject.reason for reject in contents.rejects)
    for code, sums in contents.totals.items():
        for metric in METRICS:
            stored = [m.totals[code][metric] for m in contents.months if m.totals.get(code, {}).get(metric) is not None]
            known = sum(stored, Decimal(0))
            rest = contents.residual[code][metric] or Decimal(0)
            assert EXACT.add(known, rest) == (sums[metric] or Decimal(0)), (code, metric)
