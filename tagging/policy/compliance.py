"""The resources of a charge month with what is wrong with their tags: rebuilt in sets, kept fresh, told apart by books.

Lines are summed and sorted by PostgreSQL; Python decides once for each distinct (tag set, provider, service, resource
type), of which there are a few thousand where there are millions of lines.
"""

import hashlib
import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from costs.models import DeliveryMonth, TagSet
from finops_site.lib.periods import Month
from finops_site.ops.locks import wait_for
from tagging.calc.tag_policy import Facts, Policy, Resource
from tagging.models import ComplianceMonth, TagFact, TaggedResource, TagRequirement, TagVerdict

logger = logging.getLogger(__name__)

DECIDED_AT_ONCE = 20_000

# Why charges cannot carry tags, the first that fits; charges of a resource can. Where a provider lets people tag what
# they reserve, that tags nothing that runs, so purchases stand apart too.
WHY_NOT = """
    CASE
        WHEN charge_category = 'Tax' THEN 'tax'
        WHEN charge_category IN ('Credit', 'Refund') THEN 'credit'
        WHEN charge_category = 'Adjustment' THEN 'adjustment'
        WHEN commitment_status = 'Unused' OR (charge_category = 'Purchase' AND commitment <> '') THEN 'commitment'
        WHEN resource <> '' THEN ''
        WHEN service ILIKE '%%support%%' THEN 'support'
        WHEN charge_description ILIKE '%%data transfer%%' OR service ILIKE '%%data transfer%%'
            OR sku ILIKE '%%datatransfer%%' THEN 'transfer'
        ELSE 'no_resource'
    END
"""
# What a line cost: amortised where the bill says so, else as invoiced.
COST = "coalesce(effective_cost, billed_cost, 0)"

GATHER = f"""
    CREATE TEMP TABLE tagged_lines ON COMMIT DROP AS
    SELECT provider, sub_account, service, region, resource_type, owner_id, pool_id, currency, tag_set_id, why,
        CASE WHEN why = '' THEN resource ELSE '' END AS resource, max(resource_name) AS resource_name,
        sum(billed_cost) AS billed_cost, sum(effective_cost) AS effective_cost, sum(cost) AS cost, count(*) AS lines,
        min(charge_date) AS first_day, max(charge_date) AS last_day
    FROM (
        SELECT *, {COST} AS cost, {WHY_NOT} AS why FROM costs_costline
        WHERE delivery_month_id = ANY(%(publications)s) AND charge_date >= %(start)s AND charge_date < %(end)s
    ) l
    GROUP BY provider, sub_account, service, region, resource_type, owner_id, pool_id, currency, tag_set_id, why, 11
"""
# The tags of the last day; where a resource has lines of several sets that day, one that says something, the dearest.
LAST_TAGS = """
    CREATE TEMP TABLE tagged_last ON COMMIT DROP AS
    SELECT DISTINCT ON (provider, sub_account, resource) provider, sub_account, resource, tag_set_id
    FROM tagged_lines WHERE why = ''
    ORDER BY provider, sub_account, resource, last_day DESC, tag_set_id = ANY(%(empty)s), cost DESC, tag_set_id DESC
"""
RESOURCES = """
    CREATE TEMP TABLE tagged_new ON COMMIT DROP AS
    SELECT md5(concat_ws(chr(31), provider, sub_account, resource)) AS key, provider, sub_account, resource,
        (array_agg(service ORDER BY cost DESC, service))[1] AS service,
        (array_agg(region ORDER BY cost DESC, region))[1] AS region,
        (array_agg(resource_type ORDER BY resource_type = '', cost DESC, resource_type))[1] AS resource_type,
        max(resource_name) AS resource_name, owner_id, pool_id, currency, why, t.tag_set_id,
        sum(billed_cost) AS billed_cost, sum(effective_cost) AS effective_cost, sum(cost) AS cost, sum(lines) AS lines,
        min(first_day) AS first_day, max(last_day) AS last_day
    FROM tagged_lines l LEFT JOIN tagged_last t USING (provider, sub_account, resource)
    GROUP BY provider, sub_account, resource, owner_id, pool_id, currency, why, t.tag_set_id,
        CASE WHEN why = '' THEN '' ELSE service END, CASE WHEN why = '' THEN '' ELSE region END
"""
SIGNATURES = """
    SELECT DISTINCT n.tag_set_id, n.provider, n.service, n.resource_type, t.tags
    FROM tagged_new n JOIN costs_tagset t ON t.id = n.tag_set_id WHERE n.why = ''
"""
STORED = (
    "key, provider, sub_account, service, region, resource, resource_name, resource_type, tag_set_id, owner_id, "
    "pool_id, currency, billed_cost, effective_cost, cost, lines, first_day, last_day"
)
STORE = f"""
    INSERT INTO tagging_taggedresource ({STORED}, charge_month, last_day_of_month, why_not, verdict_id)
    SELECT {STORED.replace(", ", ", n.").replace("key", "n.key", 1)}, %(start)s, %(last)s, n.why, v.verdict_id
    FROM tagged_new n LEFT JOIN tagged_verdicts v
        ON n.why = '' AND v.tag_set_id = n.tag_set_id AND v.provider = n.provider AND v.service = n.service
        AND v.resource_type = n.resource_type
"""
# A resource is excepted when everything that is wrong with it is; the exception that ends first decides until when.
EXCEPT = """
    UPDATE tagging_taggedresource r SET excepted_until = x.until
    FROM (
        SELECT id, CASE WHEN bool_and(until IS NOT NULL) THEN min(until) END AS until
        FROM (
            SELECT r.id, f.tag, max(e.expires_on) AS until
            FROM tagging_taggedresource r
            JOIN tagging_tagfact f ON f.verdict_id = r.verdict_id AND f.is_required AND f.state <> 'ok'
            LEFT JOIN tagging_tagexception e ON e.resource_key = r.key AND e.state = 'approved'
                AND (e.tag = '' OR lower(e.tag) = lower(f.tag))
                AND (e.decided_at AT TIME ZONE 'UTC')::date <= r.last_day_of_month
            WHERE r.key IN (SELECT resource_key FROM tagging_tagexception) {where}
            GROUP BY r.id, f.tag
        ) facts GROUP BY id
    ) x
    WHERE x.id = r.id AND r.excepted_until IS DISTINCT FROM x.until
"""


@dataclass(frozen=True, slots=True)
class RebuiltMonth:
    """A month that was rebuilt: how many resources it has and how many distinct decisions they took."""

    month: Month
    resources: int
    decisions: int


def charge_months() -> list[Month]:
    """Every charge month of the current bills, the latest first."""
    lists = DeliveryMonth.objects.current().values_list("charge_months", flat=True)
    return sorted({Month.of(date.fromisoformat(day)) for days in lists for day in days}, reverse=True)


def refresh_compliance(*, only: Iterable[Month] | None = None, force: bool = False) -> list[RebuiltMonth]:
    """Rebuilds the charge months whose books or policy have changed since; all of them when forced."""
    there = charge_months()
    asked = set(there if only is None else only)
    wanted = there if force else stale_months()
    built = [rebuild_month(month) for month in wanted if month in asked]
    if only is None:
        _forget(there)
    return built


def stale_months() -> list[Month]:
    """Charge months whose figures are not those of today's books and policy, the latest first."""
    known = dict(ComplianceMonth.objects.values_list("charge_month", "made_from"))
    books, policy = _Books(), TagRequirement.objects.all().as_policy()
    return [month for month in charge_months() if known.get(month.start) != books.mark(month, policy)]


class _Books:
    """The current publications, asked for once."""

    def __init__(self) -> None:
        current = DeliveryMonth.objects.current().order_by("pk")
        self.rows = list(current.values_list("pk", "revision", "charge_months"))

    def of(self, month: Month) -> list[int]:
        """Those with charges of a month."""
        return [pk for pk, _ in self.versions(month)]

    def versions(self, month: Month) -> list[tuple[int, int]]:
        """The same, with how often the owners and tags of each were named anew."""
        return [(pk, revision) for pk, revision, days in self.rows if month.start.isoformat() in days]

    def mark(self, month: Month, policy: Policy) -> str:
        """What tells the figures of a month from those of other books or another policy."""
        return hashlib.md5(repr((self.versions(month), policy.on(_last_day(month)).deciding())).encode()).hexdigest()


def _last_day(month: Month) -> date:
    return month.next.start - timedelta(days=1)


def _forget(there: Sequence[Month]) -> None:
    """Months that no bill knows any more."""
    days = [month.start for month in there]
    TaggedResource.objects.exclude(charge_month__in=days).delete()
    ComplianceMonth.objects.exclude(charge_month__in=days).delete()


def rebuild_month(month: Month) -> RebuiltMonth:
    """Works a charge month out anew; readers see the old figures until all of the new ones are there."""
    with transaction.atomic(), connection.cursor() as cursor:
        wait_for(f"compliance {month}")
        books, policy = _Books(), TagRequirement.objects.all().as_policy()
        _gather(cursor, month, books.of(month))
        decisions = _decide(cursor, policy, _last_day(month))
        cursor.execute("DELETE FROM tagging_taggedresource WHERE charge_month = %s", [month.start])
        cursor.execute(STORE, {"start": month.start, "last": _last_day(month)})
        resources = cursor.rowcount
        cursor.execute("DROP TABLE tagged_lines, tagged_last, tagged_new, tagged_verdicts")
        cursor.execute(EXCEPT.format(where="AND r.charge_month = %s"), [month.start])
        row, _ = ComplianceMonth.objects.get_or_create(charge_month=month.start)
        ComplianceMonth.objects.filter(pk=row.pk).update(
            made_from=books.mark(month, policy),
            resources=resources,
            revision=F("revision") + 1,
            built_at=timezone.now(),
        )
    logger.info("compliance of %s: %s rows by %s decisions", month, resources, decisions)
    return RebuiltMonth(month, resources, decisions)


def _gather(cursor: Any, month: Month, publications: list[int]) -> None:
    # The sums of a big month do not fit the server's default and would be sorted on disk.
    cursor.execute("SET LOCAL work_mem = '256MB'")
    cursor.execute(GATHER, {"publications": publications, "start": month.start, "end": month.next.start})
    empty = list(TagSet.objects.filter(tags={}).values_list("pk", flat=True))
    cursor.execute("ANALYZE tagged_lines")
    cursor.execute(LAST_TAGS, {"empty": empty})
    cursor.execute("ANALYZE tagged_last")
    cursor.execute(RESOURCES)
    cursor.execute("ANALYZE tagged_new")


def _decide(cursor: Any, policy: Policy, on: date) -> int:
    """Fills `tagged_verdicts` with the outcome of each distinct signature; returns how many there are."""
    cursor.execute(
        "CREATE TEMP TABLE tagged_verdicts (tag_set_id bigint, provider text, service text, resource_type text, "
        "verdict_id bigint) ON COMMIT DROP"
    )
    cursor.execute(SIGNATURES)
    signatures = cursor.fetchall()
    for first in range(0, len(signatures), DECIDED_AT_ONCE):
        part = signatures[first : first + DECIDED_AT_ONCE]
        asked = [Resource(_as_map(tags), *place) for _, *place, tags in part]
        verdicts = _verdicts(policy, policy.decide(asked, on))
        with cursor.copy("COPY tagged_verdicts FROM STDIN") as copy:
            for row, verdict in zip(part, verdicts, strict=True):
                copy.write_row((*row[:4], verdict))
    cursor.execute("ANALYZE tagged_verdicts")
    return len(signatures)


def _as_map(tags: Any) -> dict[str, str | None]:
    return json.loads(tags) if isinstance(tags, str) else tags


def outcome(policy: Policy, facts: Facts) -> dict[str, list[Any]]:
    """{tag: [state, whether it is required]}: what a verdict keeps of the facts."""
    required = {each.key: each.required for each in policy.requirements}
    return {key: [fact.state.value, required[key]] for key, fact in facts.items()}


def is_compliant_outcome(policy: Policy, facts: Facts) -> bool:
    """Whether every required tag is right."""
    return all(state == "ok" for state, required in outcome(policy, facts).values() if required)


def _verdicts(policy: Policy, decided: list[Facts]) -> list[int]:
    """The verdict of each resource; an outcome that never occurred before gets its row."""
    outcomes = [outcome(policy, facts) for facts in decided]
    marks = [hashlib.md5(json.dumps(each, sort_keys=True).encode()).hexdigest() for each in outcomes]
    distinct = dict(zip(marks, outcomes, strict=True))
    known = _ids(distinct)
    fresh = {mark: facts for mark, facts in sorted(distinct.items()) if mark not in known}
    if fresh:
        _write(fresh)
        known = _ids(distinct)
    return [known[mark] for mark in marks]


def _ids(marks: Iterable[str]) -> dict[str, int]:
    return dict(TagVerdict.objects.filter(fingerprint__in=list(marks)).values_list("fingerprint", "pk"))


def _write(fresh: dict[str, dict[str, list[Any]]]) -> None:
    TagVerdict.objects.bulk_create(
        [
            TagVerdict(
                fingerprint=mark,
                facts=facts,
                is_compliant=all(state == "ok" for state, required in facts.values() if required),
            )
            for mark, facts in fresh.items()
        ],
        ignore_conflicts=True,
    )
    ids = _ids(fresh)
    TagFact.objects.bulk_create(
        [
            TagFact(verdict_id=ids[mark], tag=key, state=state, is_required=required)
            for mark, facts in fresh.items()
            for key, (state, required) in facts.items()
        ],
        ignore_conflicts=True,
    )


def apply_exceptions(key: str) -> None:
    """Lets a decision about a resource count at once, from the month in which it was decided."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(EXCEPT.format(where="AND r.key = %s"), [key])
        # Answers that are kept know their figures by this count.
        touched = TaggedResource.objects.filter(key=key).values("charge_month")
        ComplianceMonth.objects.filter(charge_month__in=touched).update(revision=F("revision") + 1)
