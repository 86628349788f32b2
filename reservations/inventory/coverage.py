"""What commitments cover, by day, place, service and team: one statement in the database for all lines of a month."""

from typing import Any, Final

from django.db import connection

from costs.models import MonthRollup
from finops_site.lib.periods import Month
from reservations.calc.stated_terms import service_name
from reservations.calc.terms import (
    AWS,
    DYNAMODB,
    EC2,
    ELASTICACHE,
    FARGATE,
    GOOGLE,
    LAMBDA,
    MEMORYDB,
    OPENSEARCH,
    OTHER_DATABASES,
    PLANS,
    RDS,
    REDSHIFT,
    RESERVED,
    SAGEMAKER,
    provider_of,
)
from reservations.models import Coverage

# AWS's services that charge for machines by the hour, and those without machines, whose hours are no machine's.
MACHINES: Final = (EC2, RDS, ELASTICACHE, OPENSEARCH, REDSHIFT, MEMORYDB, SAGEMAKER, *OTHER_DATABASES)
WITHOUT_MACHINES: Final = (FARGATE, LAMBDA, DYNAMODB)
# The spelling of reservations.calc.terms.family_of, and the normalised units of its `units`.
FAMILY: Final = r"""CASE WHEN l.instance_type ~ '\..*\.search$'
    THEN regexp_replace(l.instance_type, '\.[^.]*\.search$', '.search')
    WHEN l.instance_type ~ '[^.]\.[^.]*$' THEN regexp_replace(l.instance_type, '\.[^.]*$', '')
    ELSE l.instance_type END"""
UNITS: Final = r"""CASE substring(l.instance_type FROM '\.(nano|micro|small|medium|large|xlarge)(?:\.search)?$')
    WHEN 'nano' THEN 0.25 WHEN 'micro' THEN 0.5 WHEN 'small' THEN 1 WHEN 'medium' THEN 2 WHEN 'large' THEN 4
    WHEN 'xlarge' THEN 8 ELSE 8 * coalesce(substring(l.instance_type FROM '\.(\d+)xlarge(?:\.search)?$'),
        substring(l.instance_type FROM '\.metal-(\d+)xl$'))::numeric END"""


def _quoted(names: tuple[str, ...]) -> str:
    return ", ".join(f"'{name}'" for name in names)


# The lines that a commitment covers or could cover, each with what it would cost on demand: its list cost, else its
# contracted cost; what no commitment covers costs that itself. A price of 0 for what is paid for is none (Azure writes
# it so where it has no price): then the price of a loaded list counts, where it has one and only one for the machine,
# and else the line is unpriced, which makes the ratios at on-demand prices unknown. Lines without an effective cost are
# the other half of a bill that comes in two views.
# Google sells cores and memory, whose charges name no type of machine; where one line has both, it has no description.
# Of AWS's services only those count that sell commitments: hours of EMR or of the Marketplace repeat a machine's. What
# has no machines is known by its unit: seconds of Lambda, hours of Fargate, hours of DynamoDB's capacity. A purchase
# that costs anything in effective cost is paid for what nobody used: no usage carries it.
LINES: Final = rf"""
    FROM costs_costline l
    JOIN costs_deliverymonth m ON m.id = l.delivery_month_id AND m.is_current
    JOIN named n ON n.provider = l.provider AND n.service = l.service
    LEFT JOIN reservations_commitment c ON c.provider = l.provider AND c.commitment_id = l.commitment
        AND l.commitment <> ''
    CROSS JOIN LATERAL (SELECT l.commitment_status <> 'Unused' AND l.charge_category = 'Usage' AS eligible,
        l.commitment <> '' OR l.pricing_category = 'Committed' OR l.commitment_status = 'Used' AS covered,
        c.kind IN ({_quoted(RESERVED)}) AS reserved,
        c.kind IN ({_quoted(PLANS)}) AS planned,
        l.unit ~* '^h|hour|hrs' AND n.pool NOT IN ({_quoted(WITHOUT_MACHINES)}) AS hours) AS flags
    CROSS JOIN LATERAL (SELECT coalesce(nullif(l.list_cost, 0), nullif(l.contracted_cost, 0),
        CASE WHEN NOT covered OR l.effective_cost = 0 THEN l.effective_cost END) AS stated) AS price
    LEFT JOIN LATERAL (
        SELECT CASE WHEN count(DISTINCT hourly) = 1 THEN min(hourly) * l.quantity END AS cost
        FROM (SELECT DISTINCT ON (r.system) r.hourly FROM reservations_rate r
            WHERE r.kind = 'on_demand' AND NOT r.is_indicative AND r.tenancy = 'default' AND r.zone = ''
            AND r.region = l.region AND r.instance_type = l.instance_type AND r.currency = l.currency
            AND r.day <= l.charge_date AND r.system = coalesce(nullif(c.system, ''), r.system)
            AND (r.system ~* 'windows') = (l.charge_description ~* 'windows' OR coalesce(c.system, '') ~* 'windows')
            ORDER BY r.system, r.day DESC) AS newest) AS list
        ON price.stated IS NULL AND flags.eligible AND flags.hours AND l.quantity > 0 AND l.instance_type <> ''
    CROSS JOIN LATERAL (SELECT coalesce(price.stated, list.cost) AS on_demand) AS either
    WHERE l.charge_date >= %(start)s AND l.charge_date < %(end)s
        AND (l.charge_category = 'Usage'
            OR l.charge_category = 'Purchase' AND l.commitment <> '' AND l.effective_cost <> 0)
        AND l.effective_cost IS NOT NULL AND l.pricing_category <> 'Dynamic'
        AND (l.commitment <> '' OR l.pricing_category = 'Committed' AND l.instance_type <> '' OR CASE n.pool
            WHEN 'Lambda' THEN l.unit ~* 'second'
            WHEN 'Fargate' THEN l.unit ~* 'hour|hrs' AND (l.charge_description ~* 'fargate'
                OR l.charge_description = '' AND (n.is_ecs OR l.resource ~ ':pod/'))
            WHEN 'DynamoDB' THEN l.unit ~* 'capacity ?unit'
            ELSE l.instance_type <> '' AND (n.pool IN ({_quoted(MACHINES)}) OR NOT n.is_aws)
                OR l.provider = '{GOOGLE}' AND (l.charge_description ~* '\m(core|ram)\M'
                        OR l.charge_description = '' AND n.pool ~* 'compute engine' AND hours)
                    AND l.charge_description !~* 'spot|preemptible|commitment|licens|sole tenancy' END)
"""

NAMED: Final = """WITH named AS MATERIALIZED (
    SELECT provider, service, pool, is_aws, service ~* 'amazonecs|elastic container service$' AS is_ecs
    FROM unnest(%(providers)s::text[], %(services)s::text[], %(pools)s::text[], %(are_aws)s::boolean[])
        AS names (provider, service, pool, is_aws))"""
INTO: Final = """INSERT INTO reservations_coverage (day, provider, account, region, service, family, owner_id, currency,
    eligible_hours, covered_hours, reserved_hours, planned_hours,
    eligible_units, covered_units, reserved_units, planned_units,
    eligible_cost, covered_cost, reserved_cost, planned_cost, unused_cost, paid, unpriced, listed)"""
COVER: Final = f"""{NAMED}
{INTO}
SELECT l.charge_date, l.provider, l.sub_account, l.region, left(n.pool, 100), left({FAMILY}, 100), l.owner_id,
    l.currency,
    coalesce(sum(l.quantity) FILTER (WHERE eligible AND hours), 0),
    coalesce(sum(l.quantity) FILTER (WHERE eligible AND hours AND covered), 0),
    coalesce(sum(l.quantity) FILTER (WHERE eligible AND hours AND reserved), 0),
    coalesce(sum(l.quantity) FILTER (WHERE eligible AND hours AND planned), 0),
    coalesce(sum(l.quantity * {UNITS}) FILTER (WHERE eligible AND hours), 0),
    coalesce(sum(l.quantity * {UNITS}) FILTER (WHERE eligible AND hours AND covered), 0),
    coalesce(sum(l.quantity * {UNITS}) FILTER (WHERE eligible AND hours AND reserved), 0),
    coalesce(sum(l.quantity * {UNITS}) FILTER (WHERE eligible AND hours AND planned), 0),
    coalesce(sum(on_demand) FILTER (WHERE eligible), 0),
    coalesce(sum(on_demand) FILTER (WHERE eligible AND covered), 0),
    coalesce(sum(on_demand) FILTER (WHERE eligible AND reserved), 0),
    coalesce(sum(on_demand) FILTER (WHERE eligible AND planned), 0),
    coalesce(sum(l.effective_cost) FILTER (WHERE NOT eligible), 0),
    coalesce(sum(l.effective_cost), 0),
    count(*) FILTER (WHERE eligible AND on_demand IS NULL),
    count(*) FILTER (WHERE eligible AND price.stated IS NULL AND on_demand IS NOT NULL)
{LINES} AND (eligible OR c.id IS NULL OR c.id <> ALL (%(in_one_place)s))
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
"""
# What nobody used may stand in one charge of the month (a reservation's fee), which the days of the commitment spread.
# Where it is all of one account, region, service, family and team the days count, which sum to the same.
IN_ONE_PLACE: Final = f"""{NAMED}
SELECT c.id {LINES} AND NOT eligible AND c.id IS NOT NULL
GROUP BY c.id HAVING count(DISTINCT (l.sub_account, l.region, n.pool, l.instance_type, l.owner_id, l.currency)) = 1
"""
COVER_IDLE: Final = f"""{NAMED}
{INTO}
SELECT u.day, provider, account, region, left(pool, 100), left(family, 100), owner, u.currency,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, u.unused_cost, u.unused_cost, 0, 0
FROM reservations_utilisation u JOIN (
    SELECT c.id, l.currency, min(l.provider) AS provider, min(l.sub_account) AS account, min(l.region) AS region,
        min(n.pool) AS pool, min({FAMILY}) AS family, min(l.owner_id) AS owner
    {LINES} AND NOT eligible AND c.id = ANY (%(in_one_place)s) GROUP BY 1, 2) AS places
    ON places.id = u.commitment_id AND places.currency = u.currency
WHERE u.day >= %(start)s AND u.day < %(end)s AND u.unused_cost <> 0
"""


def write_coverage(month: Month) -> int:
    """Writes the coverage of a month anew, whose commitments and days of use are written already; returns its rows."""
    Coverage.objects.within(month.period).delete()
    names = list(MonthRollup.objects.filter(charge_month=month.start).values_list("provider", "service").distinct())
    values: dict[str, Any] = {
        "start": month.period.start,
        "end": month.period.end,
        "providers": [provider for provider, _ in names],
        "services": [service for _, service in names],
        "pools": [service_name(*both) for both in names],
        "are_aws": [provider_of(provider) == AWS for provider, _ in names],
    }
    with connection.cursor() as cursor:
        cursor.execute(IN_ONE_PLACE, values)
        values["in_one_place"] = [commitment for (commitment,) in cursor.fetchall()]
        cursor.execute(COVER, values)
        rows = int(cursor.rowcount)
        cursor.execute(COVER_IDLE, values)
        return rows + int(cursor.rowcount)
