"""Splitting the cost of machines among what ran on them, to the last stored digit. Pure: SQL of PostgreSQL.

Each cost line is split by itself, so that every way of adding shares up (by namespace, by team, all) sums to the lines.
Shares are whole units of 18 decimals by the largest remainder, as `finops_site.lib.money.split` makes them.
"""

UNITS = "1000000000000000000"


def shares_sql(pairs: str) -> str:
    """SQL for the shares of lines.

    `pairs` is SQL of (line, amount, weight, tie, ...): every line with all that it is split among. Weights are not
    negative, and of each line one is more than zero; `tie` decides between equal remainders. The column `share` is
    added.
    """
    return f"""
        WITH weighed AS (
            SELECT *, amount * {UNITS} AS units, weight * {UNITS} AS parts,
                sum(weight * {UNITS}) OVER (PARTITION BY line) AS parts_of_line
            FROM ({pairs}) pairs
        ), cut AS (
            SELECT *, div(units * parts, parts_of_line) AS cut_units,
                abs(mod(units * parts, parts_of_line)) AS remainder
            FROM weighed
        ), ranked AS (
            SELECT *, units - sum(cut_units) OVER (PARTITION BY line) AS units_left,
                row_number() OVER (PARTITION BY line ORDER BY remainder DESC, tie) AS place
            FROM cut
        )
        SELECT *, (cut_units + CASE WHEN place <= abs(units_left) THEN sign(units_left) ELSE 0 END)
            * 0.000000000000000001 AS share
        FROM ranked
    """


def weights_sql(usage: str) -> str:
    """SQL for the weight that each row of usage has on each machine: (cluster, day, node, ..., weight).

    `usage` is SQL of rows of ClusterUsage. Where machines are named, idle cost of the whole cluster is carried by each
    machine in proportion to what ran on it: weights are multiplied by the cluster's sum so that no division is needed.
    Where a cluster names no machine on a day, its rows are for any of them (node is empty).
    """
    columns = "cluster, day, node, namespace, controller_kind, controller, pod, labels, is_idle"
    return f"""
        WITH used AS (SELECT {columns}, weight FROM ({usage}) usage WHERE weight > 0),
        machines AS (
            SELECT cluster, day, node, sum(weight) AS weight FROM used WHERE node <> '' GROUP BY cluster, day, node
        ), named AS (
            SELECT cluster, day, sum(weight) AS weight FROM machines GROUP BY cluster, day
        ), idle AS (
            SELECT u.cluster, u.day, sum(u.weight) AS weight FROM used u JOIN named n USING (cluster, day)
            WHERE u.node = '' AND u.is_idle GROUP BY u.cluster, u.day
        )
        SELECT u.cluster, u.day, u.node, u.namespace, u.controller_kind, u.controller, u.pod, u.labels, u.is_idle,
            u.weight * CASE WHEN i.weight IS NULL THEN 1 ELSE n.weight END AS weight
        FROM used u JOIN named n USING (cluster, day) LEFT JOIN idle i USING (cluster, day) WHERE u.node <> ''
        UNION ALL
        SELECT m.cluster, m.day, m.node, '', '', '', '', '{{}}'::jsonb, true, i.weight * m.weight
        FROM machines m JOIN idle i USING (cluster, day)
        UNION ALL
        SELECT {", ".join(f"u.{name}" for name in columns.split(", "))}, u.weight
        FROM used u LEFT JOIN named n USING (cluster, day) WHERE n.cluster IS NULL
    """
