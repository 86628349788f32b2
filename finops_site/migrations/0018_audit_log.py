"""The audit log of the database: its table, what writes it, what forbids to change it, and what seals it.

The triggers themselves are set after every migrate, as the apps declare (finops_site/audit/triggers.py).
"""

import django.contrib.postgres.indexes
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# One function for every audited table, called once a statement with all its rows (transition tables): a bulk of 100,000
# rows is one INSERT ... SELECT. TG_ARGV: the model, its primary key, the column that names a row (or nothing), the
# columns that are left out, those that are secret, and whether many rows at once are summed up. Columns are read from the catalogue at each call, so that a
# migration in the middle of its changes finds it working.
ROWS = r"""
CREATE FUNCTION finops_audit_value(side text, attribute pg_attribute, secret boolean) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN secret THEN format($f$CASE WHEN %1$s.%2$I IS NULL OR %1$s.%2$I::text = '' THEN 'null'::jsonb ELSE %3$L::jsonb END$f$,
            side, attribute.attname, CASE side WHEN 'n' THEN '"(hidden, new)"' ELSE '"(hidden)"' END)
        -- Amounts are text, with every digit and no zeros behind them: readers of JSON would round them.
        WHEN attribute.atttypid = 'numeric'::regtype THEN format('to_jsonb(trim_scale(%s.%I)::text)', side, attribute.attname)
        WHEN attribute.atttypid = 'bytea'::regtype THEN
            format($f$to_jsonb('(' || length(%1$s.%2$I) || ' bytes, sha256 ' || encode(sha256(%1$s.%2$I), 'hex') || ')')$f$, side, attribute.attname)
        WHEN attribute.atttypid IN ('text'::regtype, 'varchar'::regtype) THEN
            format($f$to_jsonb(CASE WHEN length(%1$s.%2$I) > 4000 THEN left(%1$s.%2$I, 4000) || '… (' || length(%1$s.%2$I) || ' characters)' ELSE %1$s.%2$I END)$f$, side, attribute.attname)
        WHEN attribute.atttypid = 'jsonb'::regtype THEN
            format($f$CASE WHEN pg_column_size(%1$s.%2$I) > 16000 THEN to_jsonb('(' || length(%1$s.%2$I::text) || ' characters, sha256 ' || encode(sha256(convert_to(%1$s.%2$I::text, 'UTF8')), 'hex') || ')') ELSE %1$s.%2$I END$f$, side, attribute.attname)
        ELSE format('to_jsonb(%s.%I)', side, attribute.attname)
    END
$$;

CREATE FUNCTION finops_audit_differs(attribute pg_attribute) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    -- The type json has no equality of its own.
    SELECT format(CASE WHEN attribute.atttypid IN ('json'::regtype, 'xml'::regtype)
        THEN 'o.%1$I::text IS DISTINCT FROM n.%1$I::text' ELSE 'o.%1$I IS DISTINCT FROM n.%1$I' END, attribute.attname)
$$;

CREATE FUNCTION finops_audit_rows() RETURNS trigger LANGUAGE plpgsql AS $body$
DECLARE
    asked constant jsonb := coalesce(nullif(current_setting('finops.audit', true), ''), '{}')::jsonb;
    key constant text := TG_ARGV[1];
    left_out constant text[] := TG_ARGV[3]::text[];
    secret constant text[] := TG_ARGV[4]::text[];
    source text;
    sides text;
    expressions text;
    changed text[];
    condition text := 'true';
    many bigint;
    digest text;
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        changed := '{}';
        source := '(SELECT 1) t';
    ELSE
        source := CASE TG_OP
            WHEN 'INSERT' THEN 'new_rows n'
            WHEN 'DELETE' THEN 'old_rows o'
            ELSE format('old_rows o FULL JOIN new_rows n ON o.%1$I = n.%1$I', key)
        END;
        -- First which columns have anything to say at all: most statements touch few.
        SELECT string_agg(format('CASE WHEN bool_or(%s) THEN %L END',
            CASE TG_OP
                WHEN 'INSERT' THEN format('n.%I IS NOT NULL', attname)
                WHEN 'DELETE' THEN format('o.%I IS NOT NULL', attname)
                ELSE finops_audit_differs(attribute)
            END, attname), ', ')
        INTO expressions
        FROM pg_attribute attribute
        WHERE attrelid = TG_RELID AND attnum > 0 AND NOT attisdropped AND attname <> ALL (left_out);
        EXECUTE format('SELECT array_remove(ARRAY[%s]::text[], NULL) FROM %s', expressions, source) INTO changed;
        IF changed IS NULL OR changed = '{}' THEN
            RETURN NULL;
        END IF;
    END IF;
    IF TG_ARGV[5] = 'summed up' AND TG_OP <> 'TRUNCATE' THEN
        sides := CASE TG_OP WHEN 'INSERT' THEN 'n' WHEN 'DELETE' THEN 'o' ELSE 'coalesce' END;
        EXECUTE format('SELECT count(*), encode(sha256(convert_to(string_agg(%s, chr(10)), ''UTF8'')), ''hex'') FROM %s',
            CASE sides WHEN 'coalesce' THEN 'n::text' ELSE sides || '::text' END, source) INTO many, digest;
        IF many > 100 THEN
            expressions := format('jsonb_build_object(''rows'', jsonb_build_array(%1$s, %2$s), ''sha256'', jsonb_build_array(%3$s, %4$s))',
                CASE TG_OP WHEN 'INSERT' THEN 'NULL' ELSE many::text END, CASE TG_OP WHEN 'DELETE' THEN 'NULL' ELSE many::text END,
                CASE TG_OP WHEN 'DELETE' THEN quote_literal(digest) ELSE 'NULL' END, CASE TG_OP WHEN 'DELETE' THEN 'NULL' ELSE quote_literal(digest) END);
            source := '(SELECT 1) t';
        ELSE
            many := NULL;
        END IF;
    END IF;
    IF many IS NOT NULL THEN
        sides := '';
    ELSIF TG_OP = 'UPDATE' THEN
        SELECT string_agg(CASE WHEN cardinality(changed) = 1
                THEN format('jsonb_build_object(%L, jsonb_build_array(%s, %s))', attname, before, after)
                ELSE format('CASE WHEN %s THEN jsonb_build_object(%L, jsonb_build_array(%s, %s)) ELSE ''{}'' END', differs, attname, before, after)
            END, ' || ' ORDER BY attnum),
            string_agg(differs, ' OR ')
        INTO expressions, condition
        FROM (SELECT a.attname, a.attnum, finops_audit_differs(a) AS differs,
                finops_audit_value('o', a, a.attname = ANY (secret)) AS before,
                finops_audit_value('n', a, a.attname = ANY (secret)) AS after
              FROM pg_attribute a WHERE attrelid = TG_RELID AND attname = ANY (changed)) columns;
    ELSIF TG_OP <> 'TRUNCATE' THEN
        -- At most 100 arguments a call.
        SELECT string_agg(format('jsonb_build_object(%s)', pairs), ' || ')
        INTO expressions
        FROM (SELECT string_agg(format('%L, jsonb_build_array(%s)', a.attname, CASE TG_OP
                    WHEN 'INSERT' THEN 'NULL, ' || finops_audit_value('n', a, a.attname = ANY (secret))
                    ELSE finops_audit_value('o', a, a.attname = ANY (secret)) || ', NULL'
                END), ', ' ORDER BY a.attnum) AS pairs
              FROM pg_attribute a WHERE attrelid = TG_RELID AND attname = ANY (changed)
              GROUP BY a.attnum / 40 ORDER BY min(a.attnum)) groups;
    ELSE
        expressions := '''{}''::jsonb';
    END IF;
    IF many IS NULL THEN
        sides := CASE TG_OP WHEN 'INSERT' THEN 'n' WHEN 'DELETE' THEN 'o' WHEN 'UPDATE' THEN 'coalesce' ELSE '' END;
    END IF;
    EXECUTE format(
        $f$INSERT INTO finops_site_auditentry
            (at, action, model, object_pk, name, changes, actor_id, who, door, through, address, request)
        SELECT $1, $2, $3, %s, %s, %s, $4, $5, $6, $7, $8, $9 FROM %s WHERE %s$f$,
        CASE sides WHEN '' THEN '''''' WHEN 'coalesce' THEN format('coalesce(n.%1$I, o.%1$I)::text', key)
            ELSE format('%s.%I::text', sides, key) END,
        CASE WHEN many IS NOT NULL THEN quote_literal(many || ' rows')
            WHEN TG_ARGV[2] = '' OR sides = '' THEN ''''''
            WHEN sides = 'coalesce' THEN format('left(coalesce(n.%1$I::text, o.%1$I::text, ''''), 300)', TG_ARGV[2])
            ELSE format('left(coalesce(%s.%I::text, ''''), 300)', sides, TG_ARGV[2]) END,
        expressions, source, condition)
    USING clock_timestamp(), lower(TG_OP), TG_ARGV[0], (asked ->> 'actor')::bigint,
        coalesce(asked ->> 'who', CASE WHEN asked = '{}' THEN session_user ELSE '' END),
        coalesce(asked ->> 'door', 'database'),
        coalesce(asked ->> 'through', left(current_setting('application_name'), 300)),
        coalesce((asked ->> 'address')::inet, CASE WHEN asked = '{}' THEN inet_client_addr() END),
        coalesce(asked ->> 'request', 'transaction ' || pg_current_xact_id());
    RETURN NULL;
END
$body$;
"""
ROWS_BACK = """
DROP FUNCTION finops_audit_rows() CASCADE;
DROP FUNCTION finops_audit_differs(pg_attribute);
DROP FUNCTION finops_audit_value(text, pg_attribute, boolean);
"""

# Append-only: what seals, erases a person or clears what is too old says so (finops_site/audit/chain.py, upkeep.py).
GUARD = r"""
CREATE FUNCTION finops_audit_guard() RETURNS trigger LANGUAGE plpgsql AS $body$
DECLARE
    upkeep constant text := coalesce(current_setting('finops.audit_upkeep', true), '');
    erasable constant text[] := '{name,changes,who,through,address}';
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF upkeep = 'seal' AND OLD.number IS NULL
                AND (to_jsonb(OLD) - '{number,digest,hash}'::text[]) = (to_jsonb(NEW) - '{number,digest,hash}'::text[]) THEN
            RETURN NEW;
        ELSIF upkeep = 'erase' AND (to_jsonb(OLD) - erasable) = (to_jsonb(NEW) - erasable) THEN
            RETURN NEW;
        END IF;
    ELSIF TG_OP = 'DELETE' AND upkeep = 'clear' THEN
        RETURN OLD;
    ELSIF TG_OP = 'TRUNCATE' AND upkeep = 'clear' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'the audit log is append-only: % is refused', lower(TG_OP) USING ERRCODE = 'insufficient_privilege';
END
$body$;
CREATE TRIGGER finops_audit_guard BEFORE UPDATE OR DELETE ON finops_site_auditentry
    FOR EACH ROW EXECUTE FUNCTION finops_audit_guard();
CREATE TRIGGER finops_audit_guard_all BEFORE TRUNCATE ON finops_site_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION finops_audit_guard();
"""
GUARD_BACK = """
DROP TRIGGER finops_audit_guard_all ON finops_site_auditentry;
DROP TRIGGER finops_audit_guard ON finops_site_auditentry;
DROP FUNCTION finops_audit_guard();
"""

# The digest is that of the content; a hash is that of the hash before and the digest. Both can be counted anew anywhere.
CHAIN = r"""
CREATE FUNCTION finops_audit_digest(entry finops_site_auditentry) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT sha256(convert_to(jsonb_build_array(entry.id, extract(epoch FROM entry.at)::text, entry.action, entry.model,
        entry.object_pk, entry.name, entry.changes, entry.actor_id, entry.who, entry.door, entry.through,
        host(entry.address), entry.request)::text, 'UTF8'))
$$;
CREATE FUNCTION finops_audit_link(state bytea, digest bytea, before bytea) RETURNS bytea LANGUAGE sql IMMUTABLE AS
    'SELECT sha256(coalesce(state, before) || digest)';
CREATE AGGREGATE finops_audit_chain(digest bytea, before bytea) (SFUNC = finops_audit_link, STYPE = bytea);
"""
CHAIN_BACK = """
DROP AGGREGATE finops_audit_chain(bytea, bytea);
DROP FUNCTION finops_audit_link(bytea, bytea, bytea);
DROP FUNCTION finops_audit_digest(finops_site_auditentry);
"""


DOORS = [
    ("page", "a page"),
    ("api", "the API"),
    ("admin", "the admin"),
    ("task", "a task"),
    ("command", "a command"),
    ("database", "the database itself"),
]
ACTIONS = [
    ("insert", "made"),
    ("update", "changed"),
    ("delete", "deleted"),
    ("truncate", "all rows deleted"),
    ("sign-in", "signed in"),
    ("sign-in failed", "sign-in failed"),
    ("locked out", "locked out after failures"),
    ("sign-out", "signed out"),
    ("token used", "token used"),
    ("download", "downloaded"),
    ("export", "exported"),
    ("retry", "tried again"),
    ("command", "command run"),
    ("erase", "a person erased from the log"),
    ("clear", "old entries cleared"),
]


class Migration(migrations.Migration):
    dependencies = [("finops_site", "0017_second_step_asked")]

    operations = [
        migrations.CreateModel(
            name="AuditStream",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("target", models.CharField(max_length=300, unique=True)),
                ("number", models.BigIntegerField(default=0, help_text="the last entry that was sent")),
                ("sent_at", models.DateTimeField(blank=True, null=True)),
                ("problem", models.TextField(blank=True, help_text="why the next ones were not sent")),
            ],
        ),
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                ("action", models.CharField(choices=ACTIONS, max_length=20)),
                (
                    "model",
                    models.CharField(blank=True, help_text="of what kind of row, like budgets.budget", max_length=100),
                ),
                ("object_pk", models.CharField(blank=True, max_length=64)),
                ("name", models.CharField(blank=True, max_length=300)),
                ("changes", models.JSONField(default=dict, help_text="{field: [before, after]}; secrets are hidden")),
                (
                    "who",
                    models.CharField(blank=True, help_text="the address of the person at that time", max_length=254),
                ),
                ("door", models.CharField(choices=DOORS, max_length=10)),
                (
                    "through",
                    models.CharField(blank=True, help_text="which page, token, task or command", max_length=300),
                ),
                ("address", models.GenericIPAddressField(blank=True, null=True)),
                (
                    "request",
                    models.CharField(blank=True, help_text="what one request or one task wrote has one", max_length=64),
                ),
                ("number", models.BigIntegerField(blank=True, null=True, unique=True)),
                ("digest", models.BinaryField(blank=True, null=True)),
                ("hash", models.BinaryField(blank=True, null=True)),
                (
                    "actor",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "entry of the audit log",
                "verbose_name_plural": "entries of the audit log",
                "ordering": ["-id"],
                "indexes": [
                    models.Index(fields=["model", "object_pk", "-id"], name="audit_of_a_row"),
                    models.Index(
                        condition=models.Q(("actor__isnull", False)), fields=["actor", "-id"], name="audit_of_a_person"
                    ),
                    django.contrib.postgres.indexes.BrinIndex(fields=["at"], name="audit_by_time"),
                    models.Index(condition=models.Q(("number", None)), fields=["id"], name="audit_not_sealed"),
                ],
            },
        ),
        migrations.RunSQL(ROWS, ROWS_BACK),
        migrations.RunSQL(GUARD, GUARD_BACK),
        migrations.RunSQL(CHAIN, CHAIN_BACK),
    ]
