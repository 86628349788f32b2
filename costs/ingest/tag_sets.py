"""Each distinct map of tags has one row in PostgreSQL, whatever number of lines carries it."""

from pathlib import Path

import duckdb
from django.db import connection

from costs.formats.sql import literal
from costs.ingest.postgres_copy import copy_across, copy_out

# Ordered, so that two loads that bring the same new tag sets cannot wait for each other in a circle.
INSERT_TAG_SETS = """
    INSERT INTO costs_tagset (fingerprint, tags, virtual, delivered_id)
    SELECT i.fingerprint, i.tags, i.virtual, d.id
    FROM tag_sets_in i LEFT JOIN costs_tagset d ON d.fingerprint = i.delivered
    WHERE (i.delivered = '') = %s ORDER BY 1 ON CONFLICT (fingerprint) DO NOTHING
"""


def name_tag_sets(db: duckdb.DuckDBPyConnection, scratch: Path) -> None:
    """Gives every distinct tag map its row in PostgreSQL; says which in the DuckDB table `tag_ids` {tag_set, id}."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE tag_sets_in (fingerprint text, tags jsonb, delivered text, virtual jsonb)")
    distinct = """
        SELECT t.fingerprint, any_value(t.json), coalesce(any_value(d.fingerprint), ''), any_value(t.virtual)
        FROM tag_sets t LEFT JOIN tag_sets d ON d.tag_set = t.delivered GROUP BY 1
    """
    copy_across(db, distinct, "tag_sets_in", ["fingerprint", "tags", "delivered", "virtual"], scratch / "tags.csv")
    with connection.cursor() as cursor:
        for delivered in (True, False):
            cursor.execute(INSERT_TAG_SETS, [delivered])
    ids = scratch / "tag_ids.csv"
    copy_out("SELECT t.fingerprint, t.id FROM costs_tagset t JOIN tag_sets_in USING (fingerprint)", ids)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE tag_sets_in")
    db.execute(f"""
        CREATE OR REPLACE TEMP TABLE tag_ids AS SELECT DISTINCT t.tag_set, f.id FROM tag_sets t
        JOIN read_csv({literal(str(ids))}, header = false, auto_detect = false,
            columns = {{'fingerprint': 'VARCHAR', 'id': 'BIGINT'}}) f USING (fingerprint)
    """)
