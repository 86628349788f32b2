"""What the SELECTs of rules share: the shape of a finding, and measurements that are whole enough to judge by. Pure."""

from usage.calc.facts import MONEY

# Measurements judge a resource when they cover nine tenths of two weeks, up to a week before its last charge.
# Two weeks is also what AWS Compute Optimizer looks back; gaps are no idleness.
ENOUGH_SHARE = 0.9
ENOUGH_DAYS = 14
OLDEST_DAYS = 7
# What rests over a weekend and a holiday is charged again; what was not charged for longer has ended.
RESTING_DAYS = 4
KEY = "provider, account, region, resource"


def finding_sql(select: str, *ctes: str) -> str:
    """A rule's SELECT over `ctes`, with the columns of FINDING.

    A saving of nothing or less is no finding. One that is null stays: what the target costs is not known. No saving is
    above the cost; a saving that a ratio made is rounded to six digits.
    """
    names = ",\n".join((*ctes, f"judged AS ({select})"))
    return f"""
WITH {names}
SELECT {KEY}, part, monthly_cost,
    CASE WHEN saving IS NOT NULL THEN CAST(least(saving, monthly_cost) AS {MONEY}) END AS saving,
    currency, confidence, CAST(evidence AS JSON) AS evidence, CAST(target AS JSON) AS target
FROM judged
WHERE (saving > 0) IS NOT FALSE AND (monthly_cost >= 0) IS NOT FALSE
"""


def saved(cost: str, share: str) -> str:
    """`cost` times a ratio, which is a double: null where either is not known, and nothing of nothing in any case.

    DuckDB's least and greatest skip nulls: a ratio bounded by them needs a CASE of its own.
    """
    return f"CASE WHEN {cost} = 0 THEN 0 ELSE CAST(round({cost} * ({share}), 6) AS {MONEY}) END"


def is_open(alias: str = "") -> str:
    """Whether no commitment pays a row of `use`."""
    return f"{alias}pricing IS DISTINCT FROM 'Committed'"


def open_sum(column: str = "monthly_cost", condition: str = is_open()) -> str:
    """The sum over rows of the condition: zero without such rows, null where one of them has no figure."""
    return (
        f"CASE WHEN coalesce(bool_or({column} IS NULL) FILTER ({condition}), false) THEN NULL"
        f" ELSE coalesce(sum({column}) FILTER ({condition}), 0) END"
    )


def use_sql(name: str, condition: str, *, with_past: bool = False, **columns: str) -> str:
    """A CTE with a row for each resource that is still there and each currency, of the rows of `use` in `condition`.

    A use that ended while the resource goes on is left out: a disk that is gp3 since last week is gp2 no more. Where
    the rule asks what there was not in all of the window, `with_past` keeps them.
    `cost` is all of it, `open_cost` what no commitment covers, `on_demand_cost` what is spot neither; `list_rate` is
    the bill's own list price of a unit. Each of them is null where the bill does not know it.
    """
    more = "".join(f",\n        {sql} AS {column}" for column, sql in columns.items())
    ended = "" if with_past else f" AND (last_day >= there_until - {RESTING_DAYS}) IS NOT FALSE"
    standard = "pricing IS NULL OR pricing NOT IN ('Committed', 'Dynamic')"
    return f"""{name} AS (
    SELECT {KEY}, currency, any_value(service) AS service,
        {open_sum(condition="true")} AS cost,
        {open_sum()} AS open_cost,
        {open_sum(condition=standard)} AS on_demand_cost,
        sum(monthly_list_cost) FILTER (monthly_quantity > 0)
            / nullif(sum(monthly_quantity) FILTER (monthly_list_cost > 0), 0) AS list_rate,
        coalesce(bool_or(pricing = 'Committed'), false) AS is_covered,
        sum(monthly_quantity) FILTER ({standard}) AS on_demand_quantity,
        sum(monthly_quantity) AS quantity, sum(hours) AS hours, max(days) AS days{more}
    FROM use JOIN (SELECT {KEY}, last_day AS there_until FROM resources) USING ({KEY})
    WHERE ({condition}){ended}
    GROUP BY {KEY}, currency
)"""


def metrics_sql(name: str, *needed: str, optional: tuple[str, ...] = (), in_bill: bool = True) -> str:
    """A CTE with a row for each resource of which all `needed` metrics are measured well enough.

    Those that no bill knows are in it only without `in_bill`: workloads of a cluster whose nodes alone are paid.

    Columns are {metric}_average, _p95, _maximum and _total, and `days`. Of several sources the higher figure counts.
    An optional metric that has gaps is null.
    """
    listed = ", ".join(f"'{metric}'" for metric in (*needed, *optional))
    must = ", ".join(f"'{metric}'" for metric in needed)
    enough = f"m.share >= {ENOUGH_SHARE} AND m.days >= {ENOUGH_DAYS}"
    figures = ",\n        ".join(
        f"max(m.{figure}) FILTER (m.metric = '{metric}') AS {metric}_{figure}"
        for metric in (*needed, *optional)
        for figure in ("average", "p95", "maximum", "total")
    )
    source = "metrics AS m JOIN resources AS r USING (provider, account, resource)"
    place = f"(m.region = r.region OR coalesce(m.region, '') = '') AND m.last_day >= r.last_day - {OLDEST_DAYS}"
    if not in_bill:
        source = "metrics AS m CROSS JOIN (SELECT max(last_day) AS newest FROM metrics)"
        place = f"m.last_day >= newest - {OLDEST_DAYS}"
    region = "r.region" if in_bill else "coalesce(m.region, '')"
    return f"""{name} AS (
    SELECT m.provider, m.account, {region} AS region, m.resource,
        {figures},
        min(m.days) FILTER (m.metric IN ({must})) AS measured_days
    FROM {source}
    WHERE m.metric IN ({listed}) AND {enough} AND {place}
    GROUP BY m.provider, m.account, {region}, m.resource
    HAVING count(DISTINCT m.metric) FILTER (m.metric IN ({must})) = {len(needed)}
)"""


def inventory_sql(name: str, kind: str) -> str:
    """A CTE of the things of one kind that the newest inventory and the bill both have: what left is in neither."""
    return f"""{name} AS (
    SELECT r.provider, r.account, r.region, r.resource, r.last_day, i.* EXCLUDE (provider, account, region, resource)
    FROM inventory AS i JOIN resources AS r USING (provider, account, resource)
    WHERE i.kind = '{kind}' AND (i.region = r.region OR coalesce(i.region, '') = '')
)"""
