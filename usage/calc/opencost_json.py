"""Allocations of OpenCost and Kubecost as metrics of workloads: what they request and what they use. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

Row = dict[str, Any]
# {ours: (the average of an allocation, its most)}
FIGURES = {
    "cpu_cores_requested": ("cpuCoreRequestAverage", ""),
    "cpu_cores_used": ("cpuCoreUsageAverage", "cpuCoreUsageMax"),
    "memory_bytes_requested": ("ramByteRequestAverage", ""),
    "memory_bytes_used": ("ramByteUsageAverage", "ramByteUsageMax"),
}
# Shares that are of no workload: ``__idle__``, ``__unmounted__``, ``__unallocated__``.
OF_NOBODY = "__"


def is_allocation(document: Mapping[str, Any]) -> bool:
    """Whether a document is an answer of ``/allocation``, and not one of Prometheus, whose ``data`` is an object."""
    return isinstance(document.get("data"), list)


def workload_rows(document: Mapping[str, Any]) -> Iterator[Row]:
    """A row for each workload, window and figure: its pods are added up. The cluster stands in for the account.

    A most that is measured in pods is added up too: they may not have it at once, so that it is never too little.
    """
    sums: dict[tuple[str, str, str, str, str], float] = defaultdict(float)
    for window in document["data"]:
        for name, one in (window or {}).items():
            properties = one.get("properties") or {}
            namespace, controller = properties.get("namespace", ""), properties.get("controller", "")
            if OF_NOBODY in name or not (namespace and (controller or properties.get("pod"))):
                continue
            kind = properties.get("controllerKind", "") if controller else ""
            workload = "/".join(filter(None, (namespace, kind, controller or properties.get("pod"))))
            place = (properties.get("cluster", ""), workload, one["window"]["start"])
            raw = {**(one.get("rawAllocationOnly") or {}), **one}
            for metric, (average, most) in FIGURES.items():
                for field, statistic in ((average, "average"), (most, "maximum")):
                    if field and raw.get(field) is not None:
                        sums[(*place, metric, statistic)] += float(raw[field])
    for (cluster, workload, start, metric, statistic), value in sums.items():
        row = {"provider": "Kubernetes", "account": cluster, "region": "", "resource": workload, "source": "OpenCost"}
        yield {**row, "metric": metric, "time": start, "value": value, "statistic": statistic}
