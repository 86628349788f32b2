"""From the charges of one month to its cost lines in DuckDB: summed, tagged, owned. Pure: no Django."""

from collections.abc import Sequence
from itertools import count

import duckdb

from costs.calc.allocation_rules import NEVER, OwnerRule, VirtualTag, boundaries, cut_sql, decide_owners, signature_of
from costs.calc.dimensions import READ_FROM_CHARGES
from costs.calc.providers import provider_name, provider_sql
from costs.formats.base import METRICS
from costs.formats.service_families import families_sql, same_family
from costs.formats.sql import NO_NUL, for_comparison, literal, tags

# Follow from the dimensions; where the charges of a line disagree, the line has nothing (sku) or one of them (names).
DESCRIPTIONS = {"resource_name": ("ResourceName", 1000), "resource_type": ("ResourceType", 300)}
UNANIMOUS = {"sku": ("SkuId", 300), "charge_description": ("ChargeDescription", 1000)}
# What all lines of a kind have in common.
KIND_TEXTS = (*READ_FROM_CHARGES, *DESCRIPTIONS)
# The columns of a charge by which lines are summed (beside the day), that name them, and that they may agree on.
GRAIN = ("Tags", *(column for column, _ in READ_FROM_CHARGES.values()))
NAMES = tuple(column for column, _ in DESCRIPTIONS.values())
AGREED = tuple(column for column, _ in UNANIMOUS.values())
# What a line has in the place of what the bill says: one name for a provider, the families of FOCUS for its services.
MEANT = {"ProviderName": "p.name", "ServiceCategory": "f.category", "ServiceSubcategory": "f.subcategory"}
AMOUNTS = dict(zip(("billed_cost", "effective_cost", "list_cost", "contracted_cost"), METRICS, strict=True))

# Of a tag set's sorted `pairs` {k, v}: their canonical text, and the map with small keys (the first one wins).
LOWERED = f"list_transform(pairs, lambda e: {{'k': {for_comparison('e.k')}, 'v': e.v}})"
EARLIER = f"list_transform(({LOWERED})[:i - 1], lambda other: other.k)"
TAG_SET = f"""pairs, CAST(to_json(map_from_entries(pairs)) AS VARCHAR) AS json,
    map_from_entries(list_filter({LOWERED}, lambda e, i: NOT list_contains({EARLIER}, e.k))) AS folded"""

# `overlaid`: which virtual tags lie over which lines; `overlays`: each distinct set that this makes.
OVERLAY = """
    CREATE OR REPLACE TEMP TABLE overlaid AS
    WITH tagged AS (SELECT DISTINCT provider, sub_account, resource, charge_date, tag_set AS delivered FROM bill_lines
        SEMI JOIN virtual_tags USING (provider, sub_account, resource)),
    set_by_us AS (SELECT t.*, v.key, v.value FROM tagged t JOIN virtual_tags v USING (provider, sub_account, resource)
        WHERE t.charge_date >= v.first AND t.charge_date < v.until
        QUALIFY row_number() OVER (PARTITION BY provider, sub_account, resource, charge_date, delivered, lower(v.key)
            ORDER BY v.n DESC) = 1),
    new AS (SELECT s.* FROM set_by_us s JOIN (SELECT tag_set, any_value(pairs) AS pairs FROM tag_sets GROUP BY 1) t
        ON t.tag_set = s.delivered WHERE NOT list_contains(t.pairs, {'k': s.key, 'v': s.value}))
    SELECT provider, sub_account, resource, charge_date, delivered, list_sort(list({'k': key, 'v': value})) AS ours,
    CAST(to_json(map_from_entries(list_sort(list({'k': key, 'v': value})))) AS VARCHAR) AS virtual
    FROM new GROUP BY ALL;

    CREATE OR REPLACE TEMP TABLE overlays AS
    SELECT o.delivered, o.virtual, t.fingerprint AS delivered_fingerprint,
    (SELECT max(tag_set) FROM tag_sets) + row_number() OVER (ORDER BY o.delivered, o.virtual) AS tag_set,
    list_sort(list_concat(o.ours, list_filter(t.pairs,
        lambda e: NOT list_contains(list_transform(o.ours, lambda our: lower(our.k)), lower(e.k))))) AS pairs
    FROM (SELECT delivered, virtual, any_value(ours) AS ours FROM overlaid GROUP BY ALL) o
    JOIN (SELECT tag_set, any_value(fingerprint) AS fingerprint, any_value(pairs) AS pairs FROM tag_sets GROUP BY 1) t
    ON t.tag_set = o.delivered;
"""


class MonthLines:
    """The cost lines of one month while they are still in DuckDB: what `delivery_loaded` passes to its receivers.

    Tables: `tag_sets` (each distinct tag map), `bill_lines` (a row for each cost line, with the tags of the bill),
    `lines` (the same with virtual tags laid over them), `signatures` (each distinct thing an owner is decided for) with
    `owner` or `pool`, and `owner_rule`.
    """

    def __init__(self, db: duckdb.DuckDBPyConnection, charges: str) -> None:
        self.db = db
        self.charges = charges_sql(charges)
        self.columns: Sequence[str] = ("tag_set",)
        self.cut = cut_sql((), "charge_date")

    def gather(self) -> None:
        """Sums the charges to lines: their grain is every one of READ_FROM_CHARGES, the charge day and the tags.

        A bill repeats the same texts day after day, so each distinct set of them is a numbered row of `kinds`, and
        amounts are summed by that number and the day: summed by the texts themselves, the lines of a big month do not
        fit the memory and are sorted on the disk. Texts are made fit for PostgreSQL afterwards: there are far fewer.
        """
        self.charges = _with_all_columns(self.db, self.charges)
        for salt in count():
            if self._number_texts(salt):
                break
        self._gather_tag_sets()
        self._sum_charges(salt)
        self._show_lines()
        self.apply_virtual_tags(())
        self._gather_signatures()

    def _number_texts(self, salt: int) -> bool:
        """`kinds` and `distinct_COLUMN`, numbered by a hash of their texts; False if two of them share a number.

        A hash is the quickest way to a number that can be worked out again for a charge, and is as good as the texts
        themselves once it is known that no two of the distinct ones have the same.
        """
        columns = ", ".join([*GRAIN, *NAMES, *AGREED])
        self.db.execute(f"""
            CREATE OR REPLACE TEMP TABLE texts AS
            SELECT DISTINCT {_number(GRAIN, salt)} AS kind, {columns} FROM {self.charges};
            CREATE OR REPLACE TEMP TABLE kinds AS
            SELECT kind, {", ".join([*GRAIN, *(f"max({c}) AS {c}" for c in NAMES)])}
            FROM texts GROUP BY kind, {", ".join(GRAIN)};
        """)
        for column in AGREED:
            self.db.execute(f"""
                CREATE OR REPLACE TEMP TABLE distinct_{column} AS SELECT {_number([column], salt)} AS number, {column}
                FROM (SELECT DISTINCT {column} FROM texts WHERE {column} IS NOT NULL)
            """)
        self.db.execute(f"""
            DROP TABLE texts;
            CREATE OR REPLACE TEMP TABLE families AS {families_sql("kinds")};
            CREATE OR REPLACE TEMP TABLE providers AS
            SELECT ProviderName, {provider_sql("ProviderName")} AS name FROM (SELECT DISTINCT ProviderName FROM kinds);
        """)
        numbered = {"kinds": "kind", **{f"distinct_{column}": "number" for column in AGREED}}
        shared = [f"(SELECT count(*) > count(DISTINCT {number}) FROM {table})" for table, number in numbered.items()]
        return self.db.execute(f"SELECT {' OR '.join(shared)}").fetchone() == (False,)

    def _sum_charges(self, salt: int) -> None:
        """`sums`: a row for each kind and day; the number of what its charges agree on, null where they do not."""
        numbers = {column: f"CASE WHEN {column} IS NOT NULL THEN {_number([column], salt)} END" for column in AGREED}
        unanimous = [f"CASE WHEN min({n}) = max({n}) THEN min({n}) END AS {c}" for c, n in numbers.items()]
        amounts = [f"sum({column}) AS {name}" for name, column in AMOUNTS.items()]
        # In the order of the index that most pages read: it grows at one end, and a page's lines lie side by side.
        self.db.execute(f"""
            CREATE OR REPLACE TEMP TABLE sums AS
            SELECT ChargePeriodStart::DATE AS charge_date, {_number(GRAIN, salt)} AS kind,
            {", ".join([*unanimous, *amounts])},
            sum(coalesce(ConsumedQuantity, PricingQuantity)) AS quantity, count(*) AS charges
            FROM {self.charges} GROUP BY 1, 2 ORDER BY 1
        """)

    def _show_lines(self) -> None:
        """`bill_lines`: the lines with their texts, put together anew by each question that reads them.

        `copied` is what PostgreSQL's COPY is to read of a line's KIND_TEXTS, made once for all lines of a kind.
        """
        widths = {**READ_FROM_CHARGES, **DESCRIPTIONS}
        texts = [f"{shown(MEANT.get(col, f'c.{col}'), width)} AS {name}" for name, (col, width) in widths.items()]
        self.db.execute(f"""
            CREATE OR REPLACE TEMP TABLE kinds AS
            SELECT *, concat_ws(chr(9), {", ".join(as_copied(name) for name in KIND_TEXTS)}) AS copied
            FROM (SELECT kind, t.tag_set, {", ".join(texts)}
                FROM kinds c JOIN tag_sets t ON c.Tags IS NOT DISTINCT FROM t.tag_text
                JOIN families f ON {same_family("c", "f")}
                JOIN providers p ON c.ProviderName IS NOT DISTINCT FROM p.ProviderName)
        """)
        agreed = [f"{shown(f'distinct_{column}.{column}', w)} AS {name}" for name, (column, w) in UNANIMOUS.items()]
        lookups = " ".join(f"LEFT JOIN distinct_{c} ON distinct_{c}.number = s.{c}" for c, _ in UNANIMOUS.values())
        self.db.execute(f"""
            CREATE OR REPLACE TEMP VIEW bill_lines AS
            SELECT s.charge_date, k.* EXCLUDE (kind), {", ".join([*agreed, *AMOUNTS])}, s.quantity, s.charges
            FROM sums s JOIN kinds k USING (kind) {lookups}
        """)

    def _gather_tag_sets(self) -> None:
        """`tag_text` is the text as delivered, `raw` the map it holds (null if none), and what TAG_SET makes of it."""
        entries = "map_entries(coalesce(raw, MAP {}))"
        clean = f"list_transform({entries}, lambda e: {{'k': {no_nul('e.key')}, 'v': {no_nul('e.value')}}})"
        self.db.execute(f"""
            CREATE OR REPLACE TEMP TABLE tag_sets AS
            SELECT tag_text, raw, *, md5(json) AS fingerprint, dense_rank() OVER (ORDER BY md5(json)) AS tag_set,
            NULL::BIGINT AS delivered, '{{}}' AS virtual
            FROM (
                SELECT tag_text, raw, {TAG_SET} FROM (SELECT *, list_sort({clean}) AS pairs FROM (
                    SELECT tag_text, {tags("tag_text")} AS raw FROM (SELECT DISTINCT Tags AS tag_text FROM kinds)))
            )
        """)

    def apply_virtual_tags(self, tags: Sequence[VirtualTag]) -> None:
        """Lays our own tags over those of the bill: lines they concern get a tag set that has both.

        Of two tags with the same key of the same resource on the same day, the later in `tags` counts. A tag that
        repeats what the bill has changes nothing.
        """
        if not tags:
            self.db.execute("CREATE OR REPLACE TEMP VIEW lines AS SELECT * FROM bill_lines")
            return
        self._write_tags(tags)
        self.db.execute(OVERLAY)
        self.db.execute(f"""
            INSERT INTO tag_sets BY NAME
            SELECT raw, {TAG_SET}, md5(delivered_fingerprint || chr(10) || virtual) AS fingerprint, tag_set, delivered,
            virtual FROM (SELECT *, map_from_entries(pairs) AS raw FROM overlays)
        """)
        same = " AND ".join(f"l.{name} = r.{name}" for name in ("provider", "sub_account", "resource", "charge_date"))
        self.db.execute(f"""
            CREATE OR REPLACE TEMP TABLE retagged AS
            SELECT d.*, o.tag_set FROM overlaid d JOIN overlays o USING (delivered, virtual);
            CREATE OR REPLACE TEMP VIEW lines AS SELECT l.* REPLACE (coalesce(r.tag_set, l.tag_set) AS tag_set)
            FROM bill_lines l LEFT JOIN retagged r ON {same} AND l.tag_set = r.delivered;
        """)

    def _write_tags(self, tags: Sequence[VirtualTag]) -> None:
        self.db.execute("""
            CREATE OR REPLACE TEMP TABLE virtual_tags (n BIGINT, provider VARCHAR, sub_account VARCHAR,
            resource VARCHAR, key VARCHAR, value VARCHAR, first DATE, until DATE)
        """)
        providers = [provider_name(tag.provider) for tag in tags]
        columns = [providers, *([getattr(tag, name) for tag in tags] for name in ("sub_account", "resource", "key"))]
        texts = [*columns, [tag.value for tag in tags]]
        days = [[tag.start for tag in tags], [tag.end or NEVER for tag in tags]]
        self.db.execute(
            "INSERT INTO virtual_tags SELECT unnest($1), unnest($2::VARCHAR[]), unnest($3::VARCHAR[]), "
            "unnest($4::VARCHAR[]), unnest($5::VARCHAR[]), unnest($6::VARCHAR[]), unnest($7::DATE[]), "
            "unnest($8::DATE[])",
            [list(range(len(tags))), *texts, *days],
        )

    def assign_owners(self, rules: Sequence[OwnerRule]) -> None:
        """Names the owner of every signature: the team or the pool of the first rule that matches, else nobody."""
        span = self.db.execute("SELECT min(charge_date), max(charge_date) FROM lines").fetchone()
        first, last = span or (None, None)
        days = [day for day in boundaries(rules) if first and last and first < day <= last]
        self.columns = signature_of(rules)
        self.cut = cut_sql(days, "charge_date")
        self._gather_signatures()
        decide_owners(self.db, rules)

    def _gather_signatures(self) -> None:
        """Each distinct thing to decide for; twice only where the rules change on a day between its lines."""
        self.db.execute(f"""
            CREATE OR REPLACE TEMP TABLE signatures AS
            SELECT {", ".join(self.columns)}, {self.cut} AS cut, min(charge_date) AS day,
            NULL::BIGINT AS owner, NULL::BIGINT AS pool, '' AS owner_rule FROM lines GROUP BY ALL
        """)

    def owned_sql(self) -> str:
        """The lines `l`, each with its signature `s`: what to put behind FROM."""
        same = " AND ".join(f"l.{name} = s.{name}" for name in (*self.columns, "cut"))
        return f"(SELECT *, {self.cut} AS cut FROM lines) l JOIN signatures s ON {same}"

    def __len__(self) -> int:
        row = self.db.execute("SELECT count(*) FROM lines").fetchone()
        return int(row[0]) if row else 0


def charges_sql(charges: str) -> str:
    """The charges of the Parquet files `charges`, those that could be read: what to put behind FROM."""
    return f"(SELECT * FROM read_parquet({literal(charges)}) WHERE x_Problem IS NULL)"


def _with_all_columns(db: duckdb.DuckDBPyConnection, charges: str) -> str:
    """Charges that were written before a column existed have nothing in it."""
    there = {name.lower() for name, *_ in db.execute(f"DESCRIBE SELECT * FROM {charges}").fetchall()}
    missing = [f"NULL::VARCHAR AS {column}" for column in GRAIN if column.lower() not in there]
    return f"(SELECT *, {', '.join(missing)} FROM {charges})" if missing else charges


def share_a_row(db: duckdb.DuckDBPyConnection, charges: str, others: str) -> bool:
    """Whether any charge of the Parquet files `charges` is in `others` too, at whatever cost.

    The same is what has the same day, account, service and resource; where both name no resource, the same description.
    A file that names resources may be a newer version of one that does not: there the service decides.
    """
    columns = """ChargePeriodStart::DATE AS day, lower(coalesce(SubAccountId, '')) AS account,
        coalesce(ServiceName, '') AS service, lower(coalesce(ResourceId, '')) AS resource,
        CASE WHEN coalesce(ResourceId, '') = '' THEN coalesce(ChargeDescription, '') END AS description"""
    db.execute(f"CREATE OR REPLACE TEMP VIEW those AS SELECT {columns} FROM {charges_sql(others)}")
    # Versions of one bill show it by their first rows.
    for limit in ("LIMIT 2000", ""):
        db.execute(
            f"""CREATE OR REPLACE TEMP TABLE these AS
            SELECT DISTINCT * FROM (SELECT {columns} FROM {charges_sql(charges)} {limit})"""
        )
        row = db.execute(
            """SELECT EXISTS (FROM those JOIN these USING (day, account, service, resource) WHERE resource <> '')
            OR EXISTS (FROM those b JOIN these a USING (day, account, service)
                WHERE a.resource = '' AND b.resource = ''
                AND (a.description = b.description OR '' IN (a.description, b.description)))
            OR EXISTS (FROM (SELECT DISTINCT day, account, service, resource <> '' AS has_resource FROM these) a
                JOIN (SELECT DISTINCT day, account, service, resource <> '' AS has_resource FROM those) b
                USING (day, account, service) WHERE a.has_resource <> b.has_resource)"""
        ).fetchone()
        if row and row[0]:
            return True
    return False


def build_cost_lines(db: duckdb.DuckDBPyConnection, charges: str) -> MonthLines:
    """The cost lines of the Parquet files `charges`, without owners as yet."""
    lines = MonthLines(db, charges)
    lines.gather()
    return lines


def shown(column: str, width: int) -> str:
    """A text as a line keeps it: never null, no NUL byte (PostgreSQL has none), cut to the column's width."""
    return f"left({no_nul(f'coalesce({column}, {chr(39) * 2})')}, {width})"


def _number(columns: Sequence[str], salt: int) -> str:
    return f"hash({salt}, {', '.join(columns)})"


def as_copied(sql: str) -> str:
    """A text as COPY reads it in its format `text`: a tab would end it and a line feed the row."""
    for character, name in ((92, 92), (9, 116), (10, 110), (13, 114)):
        sql = f"replace({sql}, chr({character}), chr(92) || chr({name}))"
    return sql


def no_nul(sql: str) -> str:
    return f"replace({sql}, chr(0), '{NO_NUL}')"
