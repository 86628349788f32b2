"""What a Terraform plan would cost: its resources that have a price by the hour or by the gigabyte. Pure.

Read is the JSON of ``terraform show -json plan.out``. What it makes counts, what it destroys counts against it, what
stays does not. What is paid by use (requests, traffic) is listed with the reason and no price: it is not free.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from costs.calc.providers import AWS, AZURE, GOOGLE
from finops_site.lib.language import gettext as _
from usage.calc.estimate_text import AMOUNT_A_MONTH, HOURS, MOST_GIGABYTES, MOST_LINES, BadLine, PricedItem, unstorable
from usage.calc.facts import MONTH_HOURS

Values = Mapping[str, Any]
PROVIDERS = {"aws": AWS, "azurerm": AZURE, "google": GOOGLE}
# What has a price of its own: {resource type: (what it is called in a price list, of its values)}.
MACHINES: Mapping[str, str] = {
    "aws_instance": "instance_type",
    "aws_db_instance": "instance_class",
    "aws_rds_cluster_instance": "instance_class",
    "aws_elasticache_cluster": "node_type",
    "aws_elasticache_replication_group": "node_type",
    "aws_redshift_cluster": "node_type",
    "aws_docdb_cluster_instance": "instance_class",
    "aws_neptune_cluster_instance": "instance_class",
    "azurerm_linux_virtual_machine": "size",
    "azurerm_windows_virtual_machine": "size",
    "google_compute_instance": "machine_type",
}
# Made by themselves or free: of no interest to who asks what it costs.
FREE_ENDINGS = (
    *("_policy", "_role", "_attachment", "_association", "_security_group", "_rule", "_route", "_subnet", "_vpc"),
    *("_table", "_record", "_group", "_user", "_profile", "_permission", "_network_interface", "_key_pair", "_tag"),
)
MOST_DEPTH = 40


def read_plan(text: str, source: str) -> list[PricedItem]:
    """The items of a plan; what is destroyed has a negative count. Raises BadLine where it is no plan."""
    try:
        plan = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise BadLine(_("{source}: this is no whole JSON ({error}).").format(source=source, error=error)) from None
    if not isinstance(plan, dict) or not ("resource_changes" in plan or "planned_values" in plan):
        raise BadLine(
            _("{source}: this is no Terraform plan. Make it with: terraform show -json plan.out").format(source=source)
        )
    try:
        regions, aliases = _regions(plan), _regions_of_aliases(plan)
        items = [item for change in _changes(plan) for item in _items(*change, _region_at(change[0], aliases, regions))]
    except (AttributeError, TypeError, KeyError, RecursionError) as error:
        raise BadLine(
            _("{source}: it is not built as Terraform builds a plan ({error}).").format(source=source, error=error)
        ) from None
    if not items:
        raise BadLine(_("{source}: nothing in it changes.").format(source=source))
    if any(unstorable(text) for item in items for text in (item.text, item.item, item.region, item.system)):
        raise BadLine(_("{source}: a name in it has a character that is none of a text.").format(source=source))
    if len(items) > MOST_LINES:
        raise BadLine(_("{source}: more than {most} resources.").format(source=source, most=MOST_LINES))
    return items


def _changes(plan: Values) -> Iterator[tuple[str, str, Values, int]]:
    """(address, type, values, +1 or -1) of every resource that comes or goes."""
    changes = plan.get("resource_changes")
    if not isinstance(changes, list):
        yield from _planned((plan.get("planned_values") or {}).get("root_module") or {})
        return
    for change in changes:
        if not isinstance(change, dict) or change.get("mode", "managed") != "managed":
            continue
        what = change.get("change") or {}
        if not isinstance(what, dict):
            raise TypeError("change")
        address, kind = str(change.get("address", "")), str(change.get("type", ""))
        # What is forgotten runs on: only Terraform does not look after it any more.
        if what.get("actions") in (["no-op"], ["read"], ["forget"]):
            continue
        for side, sign in (("before", -1), ("after", 1)):
            if isinstance(what.get(side), dict):
                yield address, kind, what[side], sign


def _planned(module: Values, depth: int = 0) -> Iterator[tuple[str, str, Values, int]]:
    if not isinstance(module, dict) or depth > MOST_DEPTH:
        return
    for resource in module.get("resources") or ():
        if resource.get("mode", "managed") == "managed":
            yield str(resource.get("address", "")), str(resource.get("type", "")), resource.get("values") or {}, 1
    for child in module.get("child_modules") or ():
        yield from _planned(child, depth + 1)


def _regions(plan: Values) -> Mapping[str, str]:
    """{prefix of a resource type: the region of its provider}, where the plan states one."""
    regions: dict[str, str] = {}
    providers = (plan.get("configuration") or {}).get("provider_config") or {}
    # The one without an alias first: it is of every resource that names none.
    for name, provider in sorted(providers.items(), key=lambda one: "alias" in one[1]):
        if value := _region_of_provider(plan, provider):
            regions.setdefault(str(provider.get("name", name)), value)
    return regions


def _region_of_provider(plan: Values, provider: Values) -> str:
    """The region that it states, by itself or by a variable; empty where it states none."""
    expression = (provider.get("expressions") or {}).get("region") or {}
    value = expression.get("constant_value")
    for variable in expression.get("references") or ():
        value = value or ((plan.get("variables") or {}).get(str(variable).removeprefix("var.")) or {}).get("value")
    return value if isinstance(value, str) else ""


def _regions_of_aliases(plan: Values) -> Mapping[str, str]:
    """{address without indexes: region} of the resources whose provider has an alias; empty where it states none."""
    configuration = plan.get("configuration") or {}
    providers = {
        name: _region_of_provider(plan, provider)
        for name, provider in (configuration.get("provider_config") or {}).items()
        if "alias" in provider
    }
    return dict(_aliased(configuration.get("root_module") or {}, "", providers)) if providers else {}


def _aliased(module: Values, place: str, providers: Mapping[str, str], depth: int = 0) -> Iterator[tuple[str, str]]:
    if depth > MOST_DEPTH:
        return
    for resource in module.get("resources") or ():
        if (key := str(resource.get("provider_config_key", ""))) in providers:
            yield f"{place}{resource.get('address', '')}", providers[key]
    for name, call in (module.get("module_calls") or {}).items():
        yield from _aliased(call.get("module") or {}, f"{place}module.{name}.", providers, depth + 1)


def _region_at(address: str, aliases: Mapping[str, str], regions: Mapping[str, str]) -> Mapping[str, str]:
    """The regions of providers for one resource: an alias of it is the only one of its kind."""
    bare = re.sub(r"\[[^\]]*\]", "", address)
    if bare not in aliases:
        return regions
    prefix = bare.rpartition(".")[0].rpartition(".")[2].partition("_")[0]
    return {**regions, prefix: aliases[bare]}


def _items(address: str, kind: str, values: Values, sign: int, regions: Mapping[str, str]) -> Iterator[PricedItem]:
    prefix = kind.partition("_")[0]
    provider = PROVIDERS.get(prefix, "")
    place = _place(values, regions.get(prefix, ""))
    make = _maker(address, place, provider, sign)
    if kind in MACHINES:
        yield from _machine(kind, values, make)
    elif kind == "aws_ebs_volume":
        yield make(str(values.get("type") or "gp2"), unit=AMOUNT_A_MONTH, quantity=_decimal(values.get("size")))
    elif kind == "google_compute_disk":
        yield make(str(values.get("type") or "pd-standard"), unit=AMOUNT_A_MONTH, quantity=_decimal(values.get("size")))
    elif kind == "azurerm_managed_disk":
        size = _decimal(values.get("disk_size_gb"))
        yield make(str(values.get("storage_account_type") or "disk"), unit=AMOUNT_A_MONTH, quantity=size)
    elif kind == "aws_nat_gateway":
        yield make("NatGateway-Hours", problem=_("its traffic is paid by the gigabyte on top"))
    elif kind in ("aws_lb", "aws_alb", "aws_elb"):
        yield make("LoadBalancerUsage", problem=_("its traffic is paid by use on top"))
    elif kind == "aws_eip":
        yield make("PublicIPv4:InUseAddress")
    elif not kind.endswith(FREE_ENDINGS):
        yield make(kind, quantity=None, problem=_("paid by use: the plan does not say how much"))


def _machine(kind: str, values: Values, make: Callable[..., PricedItem]) -> Iterator[PricedItem]:
    name = values.get(MACHINES[kind])
    if not isinstance(name, str) or not name:
        yield make(kind, quantity=None, problem=_("its type is known only after apply"))
        return
    many = 2 if values.get("multi_az") is True else 1
    nodes = _decimal(values.get("num_cache_nodes") or values.get("number_of_nodes") or values.get("num_cache_clusters"))
    system = "windows" if kind == "azurerm_windows_virtual_machine" else "linux"
    system = str(values.get("engine") or system) if kind.startswith("aws_") else system
    yield make(name.rpartition("/")[2], count=(nodes or Decimal(1)) * many, system=system)
    for block in ("root_block_device", "ebs_block_device"):
        disks = values.get(block)
        for disk in disks if isinstance(disks, list) else ():
            if isinstance(disk, dict) and (size := _decimal(disk.get("volume_size"))) is not None:
                yield make(str(disk.get("volume_type") or "gp2"), unit=AMOUNT_A_MONTH, quantity=size)
    if (size := _decimal(values.get("allocated_storage"))) is not None:
        storage = str(values.get("storage_type") or "gp2")
        yield make(storage, count=Decimal(many), unit=AMOUNT_A_MONTH, quantity=size, service="RDS")


def _maker(address: str, region: str, provider: str, sign: int) -> Callable[..., PricedItem]:
    def make(
        item: str,
        *,
        count: Decimal = Decimal(1),
        unit: str = HOURS,
        quantity: Decimal | None = Decimal(MONTH_HOURS),
        system: str = "",
        service: str = "",
        problem: str = "",
    ) -> PricedItem:
        return PricedItem(
            address[:500],
            item[:300],
            region,
            count * sign,
            quantity,
            unit,
            system,
            provider=provider,
            service=service,
            problem=problem,
        )

    return make


def _place(values: Values, region: str) -> str:
    # us-east-1a, and europe-west1-b; Azure numbers its zones, and states the location beside them.
    zone = values.get("availability_zone") or values.get("zone")
    if isinstance(zone, str) and (named := re.fullmatch(r"([a-z]+-.*[0-9])-?[a-f]", zone)):
        return named[1]
    location = values.get("region") or values.get("location")
    return location.lower().replace(" ", "") if isinstance(location, str) and location else region


def _decimal(value: Any) -> Decimal | None:
    """A size or a count that there can be; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    number = Decimal(value)
    return number if number.is_finite() and 0 <= number <= MOST_GIGABYTES else None
