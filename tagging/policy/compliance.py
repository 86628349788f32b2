"""The resources of a charge month with what is wrong with their tags: rebuilt when the bills or the policy change.

PostgreSQL sums and sorts the lines; Python decides once for each distinct (tag set, provider, service, resource type),
of which there are a few thousand where there are millions of lines.
"""

import hashlib
import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from costs.models import DeliveryMonth, TagSet
from finops_site.lib.periods import Month
from finops_site.ops.locks import wait_for
from tagging.calc.tag_policy import Facts, Policy, PolicyResource
from tagging.models import ComplianceMonth, ComplianceRollup, TagFact, TaggedResource, TagRequirement, TagVerdict

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

logger = logging.getLogger(__name__)

DECISIONS_PER_BATCH = 20_000

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
# The tags of the last day; where a resource has lines of several sets that day, the dearest that is not empty.
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
ALIKE = (
    "charge_month, last_day_of_month, provider, sub_account, service, owner_id, pool_id, currency, why_not, "
    "verdict_id, excepted_until"
)
ROLL_UP = f"""
    INSERT INTO tagging_compliancerollup ({ALIKE}, resources, cost, lines)
    SELECT {ALIKE}, count(*), sum(cost), sum(lines) FROM tagging_taggedresource WHERE charge_month = ANY(%s)
    GROUP BY {ALIKE}
"""


@dataclass(frozen=True, slots=True)
class RebuiltMonth:
    """A month that was rebuilt: how many resources it has, and how many distinct decisions they took."""

    month: Month
    resources: int
    decisions: int


def charge_months() -> list[Month]:
    """Every charge month of the current bills, the latest first."""
    lists = DeliveryMonth.objects.current().values_list("charge_months", flat=True)
    return sorted({Month.of(date.fromisoformat(day)) for days in lists for day in days}, reverse=True)


def refresh_compliance(*, only: Iterable[Month] | None = None, force: bool = False) -> list[RebuiltMonth]:
    """Rebuilds the charge months whose bills or policy have changed since; all of them when forced."""
    months = charge_months()
    selected = set(months if only is None else only)
    rebuilt = [rebuild_month(month) for month in (months if force else stale_months()) if month in selected]
    if only is None:
        days = [month.start for month in months]
        ComplianceRollup.objects.exclude(charge_month__in=days).delete()
        TaggedResource.objects.exclude(charge_month__in=days).delete()
        ComplianceMonth.objects.exclude(charge_month__in=days).delete()
    return rebuilt


def stale_months() -> list[Month]:
    """Charge months whose figures are not those of today's bills and policy, the latest first."""
    stored = dict(ComplianceMonth.objects.values_list("charge_month", "made_from"))
    publications, policy = _Publications(), TagRequirement.objects.all().as_policy()
    return [month for month in charge_months() if stored.get(month.start) != publications.fingerprint(month, policy)]


class _Publications:
    """The current publications of bills, read once."""

    def __init__(self) -> None:
        current = DeliveryMonth.objects.current().order_by("pk")
        self.rows = list(current.values_list("pk", "revision", "charge_months"))

    def versions(self, month: Month) -> list[tuple[int, int]]:
        """(id, how often its owners and tags were reallocated) of those with charges of a month."""
        return [(pk, revision) for pk, revision, days in self.rows if month.start.isoformat() in days]

    def fingerprint(self, month: Month, policy: Policy) -> str:
        """Differs when the bills of a month or the policy that holds in it differ."""
        rules = policy.on(month.period.last_day).deciding()
        return hashlib.md5(repr((self.versions(month), rules)).encode()).hexdigest()


def rebuild_month(month: Month) -> RebuiltMonth:
    """Recomputes a charge month; readers see the old figures until all of the new ones are there."""
    with transaction.atomic(), connection.cursor() as cursor:
        wait_for(f"compliance {month}")
        publications, policy = _Publications(), TagRequirement.objects.all().as_policy()
        _gather(cursor, month, [pk for pk, _ in publications.versions(month)])
        decisions = _decide(cursor, policy, month.period.last_day)
        cursor.execute("DELETE FROM tagging_taggedresource WHERE charge_month = %s", [month.start])
        cursor.execute(STORE, {"start": month.start, "last": month.period.last_day})
        resources = cursor.rowcount
        cursor.execute("DROP TABLE tagged_lines, tagged_last, tagged_new, tagged_verdicts")
        cursor.execute(EXCEPT.format(where="AND r.charge_month = %s"), [month.start])
        _roll_up(cursor, [month.start])
        row, _ = ComplianceMonth.objects.get_or_create(charge_month=month.start)
        ComplianceMonth.objects.filter(pk=row.pk).update(
            made_from=publications.fingerprint(month, policy),
            resources=resources,
            revision=F("revision") + 1,
            built_at=timezone.now(),
        )
    logger.info("compliance of %s: %s rows by %s decisions", month, resources, decisions)
    return RebuiltMonth(month, resources, decisions)


def _roll_up(cursor: "CursorWrapper", days: list[date]) -> None:
    """Sums the resources of charge months, named by their first days, anew."""
    cursor.execute("DELETE FROM tagging_compliancerollup WHERE charge_month = ANY(%s)", [days])
    cursor.execute(ROLL_UP, [days])
    # Without statistics the planner takes half of all resources for wrong, and reads every one to name the dearest.
    cursor.execute("ANALYZE tagging_tagverdict, tagging_tagfact, tagging_compliancerollup")


def _gather(cursor: "CursorWrapper", month: Month, publications: list[int]) -> None:
    """Fills `tagged_new` with the resources of a month and their last tags."""
    # The sums of a big month do not fit the server's default and would be sorted on disk.
    cursor.execute("SET LOCAL work_mem = '256MB'")
    cursor.execute(GATHER, {"publications": publications, "start": month.start, "end": month.next.start})
    empty = list(TagSet.objects.filter(tags={}).values_list("pk", flat=True))
    cursor.execute("ANALYZE tagged_lines")
    cursor.execute(LAST_TAGS, {"empty": empty})
    cursor.execute("ANALYZE tagged_last")
    cursor.execute(RESOURCES)
    cursor.execute("ANALYZE tagged_new")


def _decide(cursor: "CursorWrapper", policy: Policy, on: date) -> int:
    """Fills `tagged_verdicts` with the outcome of each distinct signature; returns how many there are."""
    cursor.execute(
        "CREATE TEMP TABLE tagged_verdicts (tag_set_id bigint, provider text, service text, resource_type text, "
        "verdict_id bigint) ON COMMIT DROP"
    )
    cursor.execute(SIGNATURES)
    signatures = cursor.fetchall()
    for first in range(0, len(signatures), DECISIONS_PER_BATCH):
        part = signatures[first : first + DECISIONS_PER_BATCH]
        # The cursor hands JSON out as text.
        resources = [
            PolicyResource(json.loads(tags) if isinstance(tags, str) else tags, *place) for _, *place, tags in part
        ]
        verdicts = _verdict_ids(policy, policy.decide(resources, on))
        with cursor.copy("COPY tagged_verdicts FROM STDIN") as copy:
            for row, verdict in zip(part, verdicts, strict=True):
                copy.write_row((*row[:4], verdict))
    cursor.execute("ANALYZE tagged_verdicts")
    return len(signatures)


# {tag: [state, whether it is required]}: what a verdict keeps of the facts.
Outcome = dict[str, list[Any]]


def _outcome(policy: Policy, facts: Facts) -> Outcome:
    required = {rule.key: rule.required for rule in policy.requirements}
    return {key: [fact.state.value, required[key]] for key, fact in facts.items()}


def _is_compliant(outcome: Outcome) -> bool:
    return all(state == "ok" for state, required in outcome.values() if required)


def is_compliant(policy: Policy, facts: Facts) -> bool:
    """Whether every required tag is right."""
    return _is_compliant(_outcome(policy, facts))


def _verdict_ids(policy: Policy, decided: list[Facts]) -> list[int]:
    """The verdict of each resource; an outcome that never occurred before gets its row."""
    outcomes = [_outcome(policy, facts) for facts in decided]
    marks = [hashlib.md5(json.dumps(outcome, sort_keys=True).encode()).hexdigest() for outcome in outcomes]
    distinct = dict(zip(marks, outcomes, strict=True))
    ids = _stored_ids(distinct)
    missing = {mark: outcome for mark, outcome in sorted(distinct.items()) if mark not in ids}
    if missing:
        _store_verdicts(missing)
        ids = _stored_ids(distinct)
    return [ids[mark] for mark in marks]


def _stored_ids(marks: Iterable[str]) -> dict[str, int]:
    return dict(TagVerdict.objects.filter(fingerprint__in=list(marks)).values_list("fingerprint", "pk"))


def _store_verdicts(outcomes: dict[str, Outcome]) -> None:
    TagVerdict.objects.bulk_create(
        [
            TagVerdict(fingerprint=mark, facts=outcome, is_compliant=_is_compliant(outcome))
            for mark, outcome in outcomes.items()
        ],
        ignore_conflicts=True,
    )
    ids = _stored_ids(outcomes)
    TagFact.objects.bulk_create(
        [
            TagFact(verdict_id=ids[mark], tag=key, state=state, is_required=required)
            for mark, outcome in outcomes.items()
            for key, (state, required) in outcome.items()
        ],
        ignore_conflicts=True,
    )


def apply_exceptions(key: str) -> None:
    """Applies a decision about a resource at once, from the month in which it was decided."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(EXCEPT.format(where="AND r.key = %s"), [key])
        # Cached answers know their figures by this count.
        touched = list(TaggedResource.objects.filter(key=key).values_list("charge_month", flat=True).distinct())
        _roll_up(cursor, touched)
        ComplianceMonth.objects.filter(charge_month__in=touched).update(revision=F("revision") + 1)
