"""The cost of machines, split among what ran on them: a view of cost lines, and never cost of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from costs.calc.cluster_splits import shares_sql, weights_sql
from costs.models import ClusterUsage, CostLine
from finops_site.lib.periods import Period
from finops_site.lib.person import Person
from finops_site.translation import gettext_lazy as _lazy

IDLE = "idle"
# By what shares are summed: {name: (what people call it, SQL over the rows of usage)}.
GROUPINGS: Mapping[str, tuple[str, str]] = {
    "namespace": (_lazy("Namespace"), "namespace"),
    "workload": (
        _lazy("Workload"),
        "concat_ws('/', namespace, nullif(controller_kind, ''), coalesce(nullif(controller, ''), pod))",
    ),
    "pod": (_lazy("Pod"), "concat_ws('/', namespace, pod)"),
    "node": (_lazy("Machine"), "resource"),
    "cluster": (_lazy("Cluster"), "cluster"),
}
LABEL = "label:"
# The costs that are split.
METRICS = ("effective_cost", "billed_cost")
# The tags by which bills name the cluster of a machine, for files that name no machines.
CLUSTER_TAGS = (
    *("eks:cluster-name", "aws:eks:cluster-name", "alpha.eksctl.io/cluster-name", "goog-k8s-cluster-name"),
    *("k8s-cluster-name", "kubernetes-cluster", "cluster"),
)


# Of ``project/zone/name`` the parts, of any other name the name alone.
_IS_GOOGLE = "node ~ '^[^/]+/[^/]+/[^/]+$'"
PARTS_OF_NODE = f"""CASE WHEN {_IS_GOOGLE} THEN split_part(node, '/', 3) ELSE node END AS tail,
    CASE WHEN {_IS_GOOGLE} THEN split_part(node, '/', 1) ELSE '' END AS project,
    CASE WHEN {_IS_GOOGLE} THEN split_part(node, '/', 2) ELSE '' END AS zone"""
# Whether a cost line `l` may be of a machine `n` of the same last name: projects and zones give the same names.
IS_OF_NODE = """(n.project = '' OR l.account = n.project OR strpos(l.whole, '/projects/' || n.project || '/') > 0
        OR (l.account = '' AND strpos(l.whole, 'projects/') = 0))
    AND (n.zone = '' OR strpos(l.whole, '/zones/') = 0 OR strpos(l.whole, '/zones/' || n.zone || '/') > 0)"""
# Instance ids of AWS are nobody else's.
IS_UNIQUE = "n.tail ~ '^i-[0-9a-f]{8,}$'"


@dataclass(frozen=True, slots=True)
class Share:
    """What a namespace, a workload or the value of a label costs; `is_idle` is what nothing took."""

    cluster: str
    key: str
    is_idle: bool
    currency: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class MissingMachine:
    """A machine of a cluster that no visible cost line names, or more than one account has, and on how many days.

    `node` is empty for a cluster whose file names no machines, where no cost line has a tag with its name.
    """

    cluster: str
    node: str
    days: int


def split(
    user: Person, period: Period, by: str = "namespace", *, metric: str = "effective_cost", cluster: str = ""
) -> list[Share]:
    """The shares of what `user` may see of the clusters' machines, the largest first.

    Of a lead these are the cost lines of her teams. `by` is one of GROUPINGS or ``label:<key>``. Sums to the cost lines
    of the machines to the last digit, whatever `by` is. Raises ValueError for what cannot be asked.
    """
    key, key_params = _key(by)
    pairs, params = _pairs(user, period, metric, cluster)
    # A whole machine or cluster costs what it costs, idle or not.
    idle = "false" if by in ("node", "cluster") else "is_idle"
    rows = _fetch(
        f"""SELECT cluster, CASE WHEN {idle} THEN '{IDLE}' ELSE coalesce({key}, '') END, {idle}, currency, sum(share)
        FROM ({shares_sql(pairs)}) shares GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC, 1, 2""",
        [*key_params, *params],
    )
    return [Share(*row) for row in rows]


def totals(user: Person, period: Period, *, metric: str = "effective_cost", cluster: str = "") -> dict[str, Decimal]:
    """{currency: the cost of the machines that is split}: of the cost lines themselves, without any splitting."""
    pairs, params = _pairs(user, period, metric, cluster)
    rows = _fetch(
        f"SELECT currency, sum(amount) FROM (SELECT DISTINCT line, currency, amount FROM ({pairs}) p) l GROUP BY 1",
        params,
    )
    return dict(rows)


def unmatched(user: Person, period: Period, cluster: str = "") -> list[MissingMachine]:
    """Machines in the files that no cost line names: their bill is not here, or names them otherwise.

    None for who does not see the whole company: machines of other teams have cost lines that she does not see.
    """
    if not user.sees_whole_company:
        return []
    usage, params = _usage(period, cluster)
    lines, line_params = _lines(user, period, "effective_cost")
    rows = _fetch(
        f"""WITH lines AS MATERIALIZED ({lines}), usage AS MATERIALIZED (
            SELECT DISTINCT cluster, day, node, is_idle FROM ({usage}) u
        ), nodes AS (SELECT DISTINCT day, node, {PARTS_OF_NODE} FROM usage WHERE node <> ''),
        matched AS ({_matched()})
        SELECT cluster, node, count(DISTINCT day) FROM usage u
        WHERE node <> '' AND NOT EXISTS (SELECT 1 FROM matched m WHERE m.day = u.day AND m.node = u.node)
        GROUP BY 1, 2
        UNION ALL
        SELECT cluster, '', count(DISTINCT day) FROM usage u WHERE node = '' AND NOT is_idle
            AND NOT EXISTS (SELECT 1 FROM usage o WHERE o.cluster = u.cluster AND o.day = u.day AND o.node <> '')
            AND NOT EXISTS (SELECT 1 FROM lines l WHERE l.day = u.day AND {_is_tagged("u.cluster")})
        GROUP BY 1 ORDER BY 1, 2""",
        [*line_params, *params, *CLUSTER_TAGS],
    )
    return [MissingMachine(*row) for row in rows]


def clusters(user: Person, period: Period, metric: str = "effective_cost") -> list[str]:
    """The clusters that `user` may ask for: all, or of a lead those with a machine of her teams in the period."""
    if user.sees_whole_company:
        return list(ClusterUsage.objects.order_by("cluster").values_list("cluster", flat=True).distinct())
    pairs, params = _pairs(user, period, metric, "")
    return [name for (name,) in _fetch(f"SELECT DISTINCT cluster FROM ({pairs}) p ORDER BY 1", params)]


def _key(by: str) -> tuple[str, list[str]]:
    if by.startswith(LABEL) and by != LABEL:
        return "labels ->> %s", [by.removeprefix(LABEL)]
    if by not in GROUPINGS:
        raise ValueError(
            _("{by!r} is nothing to split by: choose {names} or {label}<key>.").format(
                by=by, names=", ".join(GROUPINGS), label=LABEL
            )
        )
    return GROUPINGS[by][1], []


def _usage(period: Period, cluster: str) -> tuple[str, list[Any]]:
    rows = ClusterUsage.objects.order_by().filter(day__gte=period.start, day__lt=period.end)
    if cluster:
        rows = rows.filter(cluster=cluster)
    sql, params = rows.query.sql_with_params()
    return sql, list(params)


def _lines(user: Person, period: Period, metric: str) -> tuple[str, list[Any]]:
    """(SQL of the visible cost lines of resources, with the whole and the tail of the resource's name; parameters)."""
    if metric not in METRICS:
        raise ValueError(
            _("{metric!r} is no cost that is split: choose {names}.").format(metric=metric, names=" or ".join(METRICS))
        )
    rows = (
        CostLine.objects.visible_to(user).charged_in(period).exclude(resource="").filter(**{f"{metric}__isnull": False})
    )
    wanted = rows.order_by().values_list(
        "id", "charge_date", "resource", "sub_account", "currency", "tag_set_id", metric
    )
    sql, params = wanted.query.sql_with_params()
    return (
        f"""SELECT id AS line, charge_date AS day, resource, lower(sub_account) AS account, currency, tag_set_id,
        {metric} AS amount,
        lower(resource) AS whole, lower(regexp_replace(resource, '^.*[/]', '')) AS tail
        FROM ({sql}) lines""",
        list(params),
    )


def _pairs(user: Person, period: Period, metric: str, cluster: str) -> tuple[str, list[Any]]:
    """(SQL of every cost line of a machine with all that it is split among, parameters)."""
    usage, usage_params = _usage(period, cluster)
    lines, line_params = _lines(user, period, metric)
    columns = "l.line, l.amount, l.currency, l.resource"
    what = "w.cluster, w.namespace, w.controller_kind, w.controller, w.pod, w.labels, w.is_idle, w.weight"
    tie = "concat_ws('|', w.cluster, w.namespace, w.controller_kind, w.controller, w.pod, w.labels::text) AS tie"
    return (
        f"""WITH weights AS MATERIALIZED ({weights_sql(usage)}), lines AS MATERIALIZED ({lines}),
        nodes AS (SELECT DISTINCT day, node, {PARTS_OF_NODE} FROM weights WHERE node <> ''), matched AS ({_matched()})
        SELECT {columns}, {what}, {tie} FROM lines l JOIN matched m ON m.line = l.line
            JOIN weights w ON w.day = m.day AND w.node = m.node
        UNION ALL
        SELECT {columns}, {what}, {tie} FROM lines l JOIN weights w ON w.day = l.day AND w.node = ''
            AND {_is_tagged("w.cluster")}""",
        [*usage_params, *line_params, *CLUSTER_TAGS],
    )


def _matched() -> str:
    """SQL of the cost lines of each machine: (day, node, line), of tables `lines` and `nodes`.

    A name that lines of several accounts have, and that says no project, may be any of them: it is nobody's.
    """
    accounts = "min(l.account) OVER (PARTITION BY n.day, n.node) <> max(l.account) OVER (PARTITION BY n.day, n.node)"
    return f"""SELECT day, node, line FROM (
            SELECT n.day, n.node, l.line, n.project = '' AND NOT ({IS_UNIQUE}) AND {accounts} AS is_doubtful
            FROM nodes n JOIN lines l ON l.day = n.day AND l.tail = n.tail AND {IS_OF_NODE}
        ) by_name WHERE NOT is_doubtful
        UNION
        SELECT n.day, n.node, l.line FROM nodes n JOIN lines l ON l.day = n.day AND l.whole = n.node"""


def _is_tagged(cluster: str) -> str:
    """SQL that is true for a cost line `l` with a tag that names the cluster; takes CLUSTER_TAGS as parameters."""
    named = ", ".join(["%s"] * len(CLUSTER_TAGS))
    return f"""EXISTS (SELECT 1 FROM costs_tagset t, jsonb_each_text(t.tags) tag
                WHERE t.id = l.tag_set_id AND tag.key IN ({named}) AND tag.value = {cluster})"""


def _fetch(sql: str, params: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()
