"""How long it takes to judge a million resources and to store what is found, against a plain pandas loop over them.

``python3 run.py manage shell -c "from benchmarks import usage; usage.main()"``

Writes the charges of 30 days of so many resources as Parquet, as bills are kept (a million: 30 million charges), and
metrics of a fifth of them. Ours fills the facts, runs every rule, resolves what excludes what and stores the findings
in PostgreSQL, twice: in the first night all of them are new, in the second all are renewed. The peer takes the same
charges into a pandas data frame, groups them by resource and judges each by one rule in a Python loop; of more than
SAMPLE resources it does a sample, and its time is scaled. Seconds of the processor (ours and PostgreSQL's) are printed
too: on a machine that others use they say more than the clock.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import duckdb

from benchmarks import fresh_database
from costs.charges.duckdb_session import duckdb_session
from usage.calc.candidates import gather_candidates
from usage.calc.charge_facts import fill_from_charges, open_charges
from usage.calc.facts import FACTS, make_tables
from usage.calc.identities import speak_as_bills
from usage.calc.resolution import resolve
from usage.calc.rules import RULES

AS_OF = date(2026, 3, 31)
THREADS, MEMORY = 2, "1GB"
SAMPLE = 20_000
# Of a hundred resources: machines of two kinds, disks, buckets, databases.
KINDS = """CASE WHEN number % 10 < 4 THEN 'machine' WHEN number % 10 < 7 THEN 'disk' WHEN number % 10 < 9 THEN 'bucket'
    ELSE 'database' END"""


class Seconds(NamedTuple):
    """Of the clock, and of the processor in all threads and in PostgreSQL's process for us."""

    clock: float
    processor: float

    @classmethod
    def now(cls) -> "Seconds":
        return cls(time.perf_counter(), time.process_time() + _seconds_of_postgres())

    def __sub__(self, other: "Seconds") -> "Seconds":
        return Seconds(self.clock - other.clock, self.processor - other.processor)

    def __str__(self) -> str:
        return f"{self.clock:7.1f} s, {self.processor:7.1f} s of the processor"


def _seconds_of_postgres() -> float:
    """What PostgreSQL's process for this connection has used, where it runs on this machine; else 0."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone() or (0,)
    try:
        spent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    except OSError:
        return 0.0
    return sum(map(int, spent)) / os.sysconf("SC_CLK_TCK")


def write_charges(folder: Path, resources: int, days: int) -> Path:
    """Charges as the product keeps them: one file of a day, sorted by account."""
    first = AS_OF - timedelta(days=days - 1)
    with duckdb_session(threads=THREADS, memory_limit=MEMORY) as db:
        db.execute(f"""
            CREATE TABLE resources AS SELECT number, number % 400 AS account, {KINDS} AS kind,
            CASE {KINDS} WHEN 'machine' THEN 'i-' WHEN 'disk' THEN 'vol-' WHEN 'bucket' THEN 'bucket-'
                ELSE 'arn:aws:rds:eu-west-1:' || (number % 400)::VARCHAR || ':db:' END
                || printf('%017x', hash(number) % 1000000000000000) AS id
            FROM range({resources}) t(number) ORDER BY account
        """)
        for day in range(days):
            start = first + timedelta(days=day)
            db.execute(f"COPY ({_charges(start)}) TO '{folder}/{start}.parquet' (COMPRESSION zstd)")
    return folder


def _charges(day: date) -> str:
    cost = "CASE kind WHEN 'disk' THEN 0.33 WHEN 'bucket' THEN 0.92 ELSE 2.304 END"
    return f"""
        SELECT 'AWS' AS ProviderName, 'payer' AS BillingAccountId, printf('%012d', account) AS SubAccountId,
        'USD' AS BillingCurrency, TIMESTAMP '{day}' AS ChargePeriodStart, TIMESTAMP '{day}' + INTERVAL 1 DAY
        AS ChargePeriodEnd, 'Usage' AS ChargeCategory, id AS ResourceId, 'eu-west-1' AS RegionId,
        CASE kind WHEN 'bucket' THEN 'Amazon Simple Storage Service' WHEN 'database' THEN
            'Amazon Relational Database Service' ELSE 'Amazon Elastic Compute Cloud' END AS ServiceName,
        CASE kind WHEN 'database' THEN 'Databases' WHEN 'machine' THEN 'Compute' ELSE 'Storage' END AS ServiceCategory,
        CASE kind WHEN 'machine' THEN 'EU-BoxUsage:m5.' || (['large', 'xlarge', '2xlarge'])[1 + number % 3]
            WHEN 'disk' THEN 'EU-EBS:VolumeUsage.gp2' WHEN 'bucket' THEN 'EU-TimedStorage-ByteHrs'
            ELSE 'EU-InstanceUsage:db.r5.large' END AS x_UsageType,
        CASE kind WHEN 'machine' THEN 'RunInstances' WHEN 'disk' THEN 'CreateVolume-Gp2' ELSE '' END AS x_Operation,
        CASE kind WHEN 'machine' THEN 'm5.' || (['large', 'xlarge', '2xlarge'])[1 + number % 3]
            WHEN 'database' THEN 'db.r5.large' END AS x_InstanceType,
        'sku-' || kind AS SkuId, 'charge of a ' || kind AS ChargeDescription,
        CASE WHEN number % 7 = 0 THEN 'Committed' ELSE 'Standard' END AS PricingCategory,
        CAST(CASE kind WHEN 'disk' THEN 3.3 WHEN 'bucket' THEN 40 ELSE 24 END AS DECIMAL(38, 18)) AS ConsumedQuantity,
        CASE kind WHEN 'disk' THEN 'GB-Mo' WHEN 'bucket' THEN 'GB-Mo' ELSE 'Hrs' END AS ConsumedUnit,
        CAST({cost} AS DECIMAL(38, 18)) AS EffectiveCost, CAST({cost} AS DECIMAL(38, 18)) AS ListCost,
        NULL::VARCHAR AS x_Problem FROM resources
    """


def judge(folder: Path) -> tuple[dict[str, Seconds], int, int]:
    """Seconds of each step of a night, how many resources there were and how many findings."""
    from usage.findings import store

    steps: dict[str, Seconds] = {}
    with (
        tempfile.TemporaryDirectory() as scratch,
        duckdb_session(threads=THREADS, memory_limit=MEMORY, scratch=Path(scratch)) as db,
    ):
        start = Seconds.now()

        def done(step: str) -> None:
            nonlocal start
            now = Seconds.now()
            steps[step], start = now - start, now

        make_tables(db)
        open_charges(db, [f"{folder}/*.parquet"])
        fill_from_charges(db, AS_OF)
        done("facts of the bills")
        _fill_the_rest(db)
        done("owners, metrics")
        gather_candidates(db, RULES)
        done(f"{len(RULES)} rules")
        store.read_standing(db)
        db.execute("""
            CREATE VIEW open_candidates AS
            SELECT c.*, coalesce(s.standing, 1) AS standing, r.monthly_open_cost AS open_cost
            FROM candidates c LEFT JOIN resources r USING (provider, account, region, resource)
            LEFT JOIN standings s USING (key)
        """)
        resolve(db, RULES, "open_candidates")
        done("what counts")
        first_day = AS_OF - timedelta(days=29)
        store.store_findings(db, rules=RULES, as_of=AS_OF, first_day=first_day, scratch=Path(scratch))
        done("storing")
        (resources,) = db.execute("SELECT count(*) FROM resources").fetchone() or (0,)
        (findings,) = db.execute("SELECT count(*) FROM resolved").fetchone() or (0,)
    return steps, resources, findings


def _fill_the_rest(db: duckdb.DuckDBPyConnection) -> None:
    """Owners and tags as the product reads them from its database, and two metrics of every fifth resource."""
    db.execute("""
        INSERT INTO resources BY NAME
        SELECT t.*, y.resource_type, t.resource AS name, '{"Environment": "dev"}'::JSON AS tags, 'dev' AS environment,
        false AS is_production, 1 AS owner FROM there t JOIN types y USING (provider, account, region, resource);
        DROP TABLE there; DROP TABLE types;
    """)
    names = ", ".join(name for name in FACTS["metrics"] if name not in ("metric", "source"))
    for metric in ("cpu", "connections"):
        db.execute(f"""
            INSERT INTO metrics BY NAME SELECT {names}, '{metric}' AS metric, 'benchmark' AS source FROM (
                SELECT provider, account, region, resource, 2.0 AS average, 3.0 AS p95, 5.0 AS maximum, 0.0 AS total,
                1.0 AS share, 30 AS days, DATE '{AS_OF}' AS last_day FROM resources WHERE hash(resource) % 5 = 0)
        """)
    speak_as_bills(db)


def loop(folder: Path, resources: int) -> Seconds:
    """Seconds that one rule takes in a loop over data frames; of a sample, scaled, where there are many."""
    import pandas as pd  # type: ignore[import-untyped]

    sample = min(resources, SAMPLE)
    accounts = {f"{number:012d}" for number in range(max(1, 400 * sample // resources))}
    start = Seconds.now()
    columns = "SubAccountId, ResourceId, x_InstanceType, PricingCategory, ConsumedQuantity, EffectiveCost"
    wanted = ", ".join(f"'{account}'" for account in sorted(accounts))
    # DuckDB reads the files for it, and only the sample's rows, which is the quicker way into a data frame.
    charges: pd.DataFrame = duckdb.execute(
        f"SELECT {columns} FROM read_parquet('{folder}/*.parquet') WHERE SubAccountId IN ({wanted})"
    ).df()
    findings, judged = [], 0
    for (account, name), rows in charges.groupby(["SubAccountId", "ResourceId"]):
        judged += 1
        cost = sum(row.EffectiveCost for row in rows.itertuples() if row.PricingCategory != "Committed")
        if cost > 0 and str(rows.x_InstanceType.iloc[0]).startswith("m5."):
            findings.append((account, name, cost))
    spent = Seconds.now() - start
    return Seconds(*(seconds * resources / max(1, judged) for seconds in spent))


def main(resources: int = 1_000_000, days: int = 30) -> None:
    """In a process of its own, as a worker, on a database of its own."""
    with fresh_database() as environment:
        subprocess.run(
            [sys.executable, "-m", "benchmarks.usage", str(resources), str(days)], check=True, env=environment
        )


def measure(resources: int, days: int) -> None:
    _make_owner_and_bill()
    with tempfile.TemporaryDirectory() as name:
        folder = write_charges(Path(name), resources, days)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        nights = []
        for night in ("the first night, all findings new", "the second night, all renewed"):
            steps, judged, findings = judge(folder)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
            total = Seconds(sum(step.clock for step in steps.values()), sum(step.processor for step in steps.values()))
            nights.append(total)
            print(f"{night}: {judged:,} resources, {judged * days:,} charges, {findings:,} findings: {total}")
            for step, seconds in steps.items():
                print(f"  {step:<20} {seconds}")
            print(f"  memory: {peak:.2f} GB at most (writing the files: {before / 1024**2:.2f} GB)", flush=True)
        peer = loop(folder, resources)
        note = f", of {min(resources, SAMPLE):,} resources and scaled" if resources > SAMPLE else ""
        print(f"pandas loop, one rule, nothing stored{note}: {peer}")
        ratio = Seconds(peer.clock / nights[0].clock, peer.processor / nights[0].processor)
        print(f"  {ratio.clock:.1f} times as long, {ratio.processor:.1f} times the processor")


def _make_owner_and_bill() -> None:
    """The team that owns it all, and the accounts of a bill that counts: what closes findings asks for both."""
    from costs.models import DeliveredAccount, Delivery, DeliveryMonth, Source, Stream
    from finops_site.models import Team

    Team.objects.create(pk=1, name="Bench")
    source = Source.objects.create(name="bench")
    delivery = Delivery.objects.create(source=source, status="current", fingerprint="1")
    stream = Stream.objects.create(source=source)
    month = DeliveryMonth.objects.create(
        delivery=delivery, stream=stream, billing_month=AS_OF.replace(day=1), is_current=True
    )
    days = {"first_day": AS_OF.replace(day=1), "last_day": AS_OF, "charges": 1}
    DeliveredAccount.objects.bulk_create(
        DeliveredAccount(delivery_month=month, billing_account="payer", sub_account=f"{number:012d}", **days)
        for number in range(400)
    )


if __name__ == "__main__":
    import django

    django.setup()
    measure(int(sys.argv[1]), int(sys.argv[2]))
