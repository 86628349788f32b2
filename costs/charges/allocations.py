"""Files of Kubernetes allocations: who took how much of which machine on which day. Pure: no Django.

OpenCost and Kubecost write ``{"data": [{"<name>": {...}}]}`` from their API, and CSV with the same names
(opencost.io/docs/integrations/api, and the CSV export); AWS writes split cost allocation as rows of its Cost and Usage
Report (docs.aws.amazon.com/cur, "Split line item details"). What they say about cost is a weight here and nothing
more. A machine's weight is its processors, memory and accelerators; volumes, networks and load balancers are not the
machine's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from costs.charges import files
from costs.charges.json_lines import LARGEST_DOCUMENT, NUMBER
from costs.formats.base import BadBill, Sheet, tag_columns
from costs.formats.sql import STORED, literal, moment, quoted
from finops_site.lib.language import gettext as _
from finops_site.lib.language import ngettext
from finops_site.lib.words import counted, number_text

IDLE, UNMOUNTED = "__idle__", "__unmounted__"
# Cost that runs on the machine itself, each with what was adjusted later.
OF_MACHINES = ("cpuCost", "ramCost", "gpuCost")
TABLE = "cluster_usage"
COLUMNS = ("day", "cluster", "node", "namespace", "controller_kind", "controller", "pod", "labels", "is_idle", "weight")
TEXTS = ("name", *(f"{cost}{more}" for cost in OF_MACHINES for more in ("", "Adjustment")), "totalCost")
PROPERTIES = ("cluster", "node", "providerID", "namespace", "controller", "controllerKind", "pod")


# Of a window that begins or ends within a day, each day has as much as it has hours of it; in millionths, so that no
# number is rounded to a float.
_IS_CUT = "coalesce(last > first AND (first <> first::DATE OR last <> last::DATE), false)"
_DAY_AFTER = "(CASE WHEN last = last::DATE THEN last::DATE ELSE coalesce(last, first)::DATE + INTERVAL 1 DAY END)"
_OVERLAP = "date_diff('second', greatest(first, day::TIMESTAMP), least(last, day + INTERVAL 1 DAY))"
_WEIGHT_OF_DAY = f"""CASE WHEN {_IS_CUT} AND {_DAY_AFTER} > first::DATE + INTERVAL 1 DAY
    THEN CAST(CAST(weight AS DECIMAL(24, 15)) * CAST(0.000001 AS DECIMAL(7, 6)) * CAST(1000000 * {_OVERLAP}
        // least(86400, greatest(date_diff('second', first, last), 1)) AS DECIMAL(7, 0)) AS {STORED})
    ELSE CAST(weight AS {STORED}) END"""


@dataclass(frozen=True, slots=True)
class Allocations:
    """What a file holds, in the table `cluster_usage`: its kind, its rows, and what was left out."""

    kind: str
    rows: int
    notes: tuple[str, ...]


def read_allocations(
    db: duckdb.DuckDBPyConnection, bundle: Sequence[tuple[str, Path]], *, cluster: str, scratch: Path
) -> Allocations:
    """Reads the named files as one into the table `cluster_usage`; `cluster` names it where the files do not.

    Raises BadBill when one is no such file, or when a row has no day or no cluster.
    """
    name = ", ".join(name for name, _ignored in bundle)
    parts = [_rows(db, part, path, scratch / f"allocations-{number}") for number, (part, path) in enumerate(bundle)]
    label = parts[0][0]
    rows = " UNION ALL ".join(sql for _ignored, sql in parts)
    day = f"coalesce(nullif(cluster, ''), {literal(cluster)}) AS cluster"
    table = f"""
        CREATE OR REPLACE TEMP TABLE read_usage AS
        SELECT {moment("first")} AS first, {moment("last")} AS last, {day}, {_machine("node")} AS node,
        coalesce(namespace, '') AS namespace, coalesce(controller_kind, '') AS controller_kind,
        coalesce(controller, '') AS controller, coalesce(pod, '') AS pod, coalesce(labels, '{{}}') AS labels,
        is_idle, weight FROM ({rows})
    """
    try:
        db.execute(table)
    except duckdb.Error as error:
        raise BadBill(
            _("{name}: not readable as allocations ({value}).").format(
                name=name, value=str(error).splitlines()[0][:200]
            )
        ) from None
    without_day, without_cluster, unread = db.execute(
        """SELECT count(*) FILTER (first IS NULL), count(*) FILTER (cluster = ''), count(*) FILTER (weight IS NULL)
        FROM read_usage"""
    ).fetchone() or (0, 0, 0)
    if without_day or unread:
        raise BadBill(
            ngettext(
                "{name}: {count} row has no day and {unread} no readable cost.",
                "{name}: {count} rows have no day and {unread} no readable cost.",
                without_day,
            ).format(name=name, count=number_text(without_day), unread=number_text(unread))
        )
    if without_cluster:
        raise BadBill(
            ngettext(
                "{name}: {count} row names no cluster; say which cluster the file is of.",
                "{name}: {count} rows name no cluster; say which cluster the file is of.",
                without_cluster,
            ).format(name=name, count=number_text(without_cluster))
        )
    # A window of whole days is so much of each of them; one of hours is a part of its day, or of both of its days.
    db.execute(f"""
        CREATE OR REPLACE TEMP TABLE {TABLE} AS
        SELECT day, cluster, node, namespace, controller_kind, controller, pod, labels, is_idle,
        CAST(greatest(sum({_WEIGHT_OF_DAY}), 0) AS {STORED}) AS weight
        FROM (SELECT *, unnest(range(first::DATE, greatest({_DAY_AFTER}, first::DATE + INTERVAL 1 DAY),
            INTERVAL 1 DAY))::DATE AS day FROM read_usage)
        GROUP BY ALL HAVING sum({_WEIGHT_OF_DAY}) > 0
    """)
    (count,) = db.execute(f"SELECT count(*) FROM {TABLE}").fetchone() or (0,)
    if not count:
        raise BadBill(_("{name}: no row has a cost of a machine; nothing can be split by it.").format(name=name))
    spread, cut = db.execute(
        f"""SELECT count(*) FILTER (last > first + INTERVAL 1 DAY), count(*) FILTER ({_IS_CUT} AND {_DAY_AFTER} >
        first::DATE + INTERVAL 1 DAY) FROM read_usage"""
    ).fetchone() or (0, 0)
    of_days = ngettext(
        "{count} row is of several days and count alike on each of them.",
        "{count} rows are of several days and count alike on each of them.",
        spread,
    ).format(count=number_text(spread))
    notes = [of_days] * bool(spread)
    if cut:
        notes.append(
            _("{rows} with a window that goes over midnight: each day has its hours of it.").format(
                rows=counted(cut, "row")
            )
        )
    nameless = db.execute(
        f"""SELECT cluster FROM {TABLE} GROUP BY 1 HAVING bool_and(node = '') AND NOT bool_and(is_idle) ORDER BY 1"""
    ).fetchall()
    if nameless:
        names = ", ".join(of_cluster for (of_cluster,) in nameless)
        notes.append(
            _(
                "No row of {names} names a machine (it was aggregated): only cost with a tag that names the "
                "cluster can be split by it."
            ).format(names=names)
        )
    return Allocations(label, count, tuple(notes))


def _rows(db: duckdb.DuckDBPyConnection, name: str, path: Path, plain: Path) -> tuple[str, str]:
    """(what the file is, SQL of its rows)."""
    kind, head, packing = files.kind(path, name), path, "none"
    if kind == "gzip":
        files.head_of_gzip(path, plain, name, limit=LARGEST_DOCUMENT)
        kind, head, packing = files.kind(plain, name), plain, "gzip"
    if kind == "jsonl":
        if packing == "gzip":
            files.unfold(path, plain, name, limit=LARGEST_DOCUMENT)
        return "OpenCost", _json_rows(head)
    if kind == "parquet":
        described = db.execute(f"DESCRIBE SELECT * FROM read_parquet({literal(str(path))})").fetchall()
        cells = {
            column: f"CAST({quoted(column)} AS VARCHAR)"
            if not type_name.startswith(("MAP", "STRUCT"))
            else f"CAST(to_json({quoted(column)}) AS VARCHAR)"
            for column, type_name, *_ignored in described
        }
        source = f"read_parquet({literal(str(path))})"
    else:
        layout = files.csv_layout(head, name)
        cells = {column: quoted(column) for column in layout.columns}
        types = ", ".join(f"{literal(column)}: 'VARCHAR'" for column in layout.columns)
        source = (
            f"read_csv({literal(str(path))}, auto_detect = false, header = true, columns = {{{types}}}, quote = '\"', "
            f"escape = '\"', delim = {literal(layout.delimiter)}, compression = '{packing}', nullstr = '')"
        )
    sheet = Sheet(cells)
    if "splitLineItem/ParentResourceId" in sheet:
        return "AWS split cost allocation", _aws_rows(sheet, source)
    if any(cost in sheet for cost in (*OF_MACHINES, "totalCost")) and ("window.start" in sheet or "Date" in sheet):
        return "OpenCost CSV", _csv_rows(sheet, source)
    raise BadBill(
        _(
            "{name}: no file of allocations we know: we read the JSON of OpenCost's and Kubecost's API, "
            "their CSV with a date and costs, and AWS Cost and Usage Reports with split cost allocation "
            "data."
        ).format(name=name)
    )


def _json_rows(path: Path) -> str:
    fields = ", ".join(f"json_extract_string(a, '$.{key}') AS {quoted(key)}" for key in TEXTS)
    fields += "".join(f", json_extract_string(a, '$.properties.{key}') AS {quoted(key)}" for key in PROPERTIES)
    document = f"TRY_CAST(regexp_replace(content, {NUMBER}, '\"\\1\":\"\\2\"', 'g') AS JSON)"
    allocations = f"""
        SELECT {fields}, json_extract(a, '$.properties.labels') AS labels,
        json_extract_string(a, '$.window.start') AS first, json_extract_string(a, '$.window.end') AS last
        FROM (SELECT unnest(json_extract(one_set, '$.*')) AS a FROM (
            SELECT unnest(json_extract({document}, '$.data[*]')) AS one_set FROM read_text({literal(str(path))})))
    """
    sheet = Sheet({key: quoted(key) for key in (*TEXTS, *PROPERTIES)})
    return f"""
        SELECT first, last, cluster, coalesce("providerID", CASE WHEN {_is_idle()} THEN '' ELSE node END) AS node,
        namespace, "controllerKind" AS controller_kind, controller, pod,
        CASE WHEN json_type(labels) = 'OBJECT' THEN CAST(labels AS VARCHAR) END AS labels,
        {_is_idle()} AS is_idle, {_weight(sheet)} AS weight FROM ({allocations}) WHERE name NOT LIKE '%{UNMOUNTED}'
    """


def _csv_rows(sheet: Sheet, source: str) -> str:
    def cell(*names: str) -> str:
        return sheet.text(*names) or "''"

    labels = tag_columns(sheet, "properties.labels.")
    labels = f"CAST(to_json({labels}) AS VARCHAR)" if labels else sheet.text("Labels", "properties.labels") or "NULL"
    name = cell("name", "properties.namespace", "Namespace")
    is_idle = f"coalesce({name} LIKE '%{IDLE}', false)"
    return f"""
        SELECT {cell("window.start", "Date")} AS first, {sheet.text("window.end") or "NULL::VARCHAR"} AS last,
        {cell("properties.cluster", "Cluster")} AS cluster,
        {cell("properties.providerID", "ProviderID", "properties.node", "Node")} AS node,
        CASE WHEN NOT {is_idle} THEN {cell("properties.namespace", "Namespace")} END AS namespace,
        {cell("properties.controllerKind", "ControllerKind")} AS controller_kind,
        {cell("properties.controller", "ControllerName", "Controller")} AS controller,
        {cell("properties.pod", "Pod")} AS pod, {labels} AS labels, {is_idle} AS is_idle, {_weight(sheet)} AS weight
        FROM {source} WHERE coalesce({name}, '') NOT LIKE '%{UNMOUNTED}'
    """


def _aws_rows(sheet: Sheet, source: str) -> str:
    """Each row of a pod is its own part, and its part of what nothing used of the machine, which is idle here."""

    def cost(name: str) -> str:
        cell = sheet.text(f"splitLineItem/Net{name}", f"splitLineItem/{name}") or "NULL"
        return f"coalesce(TRY_CAST({cell} AS {STORED}), 0)"

    tags = tag_columns(sheet, "resourceTags/") or tag_columns(sheet, "resource_tags_")
    labels = f"CAST(to_json({tags}) AS VARCHAR)" if tags else sheet.text("resource_tags") or "'{}'"

    def tag(*names: str) -> str:
        both = [f"json_extract_string(labels, '$.\"{name}\"')" for name in names]
        return f"coalesce({', '.join(both)}, '')"

    cells = f"""
        SELECT {sheet.text("lineItem/UsageStartDate")} AS first, {sheet.text("splitLineItem/ParentResourceId")} AS node,
        {sheet.text("lineItem/ResourceId") or "''"} AS resource, {labels} AS labels,
        {cost("SplitCost")} AS used, {cost("UnusedCost")} AS unused
        FROM {source} WHERE {sheet.text("splitLineItem/ParentResourceId")} <> ''
    """
    cluster = tag("aws:eks:cluster-name", "aws_eks_cluster_name", "aws:ecs:clusterName", "aws_ecs_cluster_name")
    # arn:aws:eks:region:account:pod/<cluster>/<namespace>/<pod>/<uid>
    arn = "str_split(resource, '/')"
    of_arn = f"CASE WHEN resource LIKE '%:pod/%' THEN {arn}[2] WHEN resource LIKE '%:task/%' THEN {arn}[2] ELSE '' END"
    common = f"SELECT first, NULL::VARCHAR AS last, coalesce(nullif({cluster}, ''), {of_arn}) AS cluster, node, "
    return f"""
        {common} {tag("aws:eks:namespace", "aws_eks_namespace")} AS namespace,
        {tag("aws:eks:workload-type", "aws_eks_workload_type")} AS controller_kind,
        {tag("aws:eks:workload-name", "aws_eks_workload_name")} AS controller,
        CASE WHEN resource LIKE '%:pod/%' THEN {arn}[4] ELSE resource END AS pod, labels, false AS is_idle,
        used AS weight FROM ({cells})
        UNION ALL
        {common} '', '', '', '', '{{}}', true, unused FROM ({cells}) WHERE unused <> 0
    """


def _is_idle() -> str:
    return f"coalesce(name LIKE '%{IDLE}', false)"


def _weight(sheet: Sheet) -> str:
    """Of the machine's cost where the file tells it apart, else of all."""
    names = [name for cost in OF_MACHINES for name in (cost, f"{cost}Adjustment") if name in sheet]
    if not names:
        return f"TRY_CAST({sheet.text('totalCost')} AS {STORED})"
    return " + ".join(f"coalesce(TRY_CAST({sheet.text(name)} AS {STORED}), 0)" for name in names)


def _machine(sql: str) -> str:
    """A machine by the name that bills have for it.

    ``aws:///us-east-1a/i-0abc`` is i-0abc, ``gce://project/zone/name`` project/zone/name, for names are given anew in
    every project; of Azure the whole address in small letters, of a machine in a scale set that of the scale set, which
    is what is billed.
    """
    plain = f"lower(regexp_replace(coalesce({sql}, ''), '^[a-zA-Z]+:/+', '/'))"
    azure = f"regexp_replace({plain}, '/virtualmachines/[^/]+$', '')"
    azure = f"CASE WHEN {plain} LIKE '%/virtualmachinescalesets/%' THEN {azure} ELSE {plain} END"
    google = f"{sql} SIMILAR TO '[gG][cC][eE]://[^/]+/[^/]+/[^/]+'"
    last = f"regexp_replace({plain}, '^.*/', '')"
    return f"CASE WHEN {google} THEN {plain}[2:] WHEN {plain} LIKE '/subscriptions/%' THEN {azure} ELSE {last} END"


def days_by_cluster(db: duckdb.DuckDBPyConnection) -> Mapping[str, tuple[date, date]]:
    """{cluster: (first day, last day)} of what was read."""
    rows = db.execute(f"SELECT cluster, min(day), max(day) FROM {TABLE} GROUP BY 1 ORDER BY 1").fetchall()
    return {cluster: (first, last) for cluster, first, last in rows}
