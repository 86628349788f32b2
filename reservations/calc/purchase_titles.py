"""Titles of commitments, recommended, requested and owned: one spelling everywhere. Pure: no Django."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from finops_site.lib.language import gettext as _
from finops_site.lib.language import ngettext
from finops_site.lib.money import exact_figure
from finops_site.lib.words import counted, in_sentence
from reservations.calc.terms import AN_HOUR, KINDS, LOTS, PAYMENTS, RESERVED, SP_EC2, family_of

# What AWS calls a reservation of each service but EC2, whose reservations are of a class.
RESERVATIONS: Final = {
    "RDS": "RDS RI",
    "OpenSearch": "OpenSearch RI",
    "ElastiCache": "ElastiCache reserved node",
    "Redshift": "Redshift reserved node",
    "MemoryDB": "MemoryDB reserved node",
    "DynamoDB": "DynamoDB reserved capacity",
}
# A plan's commitment is taken to this digit by AWS's console, and by us.
PLAN_UNIT: Final = Decimal("0.001")


@dataclass(frozen=True, slots=True)
class Terms:
    """What names a commitment. `currency` is set where it commits to money an hour, else machines are counted."""

    kind: str
    term_months: int | None = None
    payment: str = ""
    quantity: Decimal | None = None
    currency: str = ""
    service: str = "EC2"
    region: str = ""
    instance_type: str = ""
    system: str = ""
    zone: str = ""
    tenancy: str = "default"

    @property
    def thing(self) -> str:
        """``2 × m5.large Linux in us-east-1``; of a plan ``Compute SP 0.73/h``. USD goes without saying."""
        if self.currency:
            return self._plan
        machine = " ".join(part for part in (self.instance_type, self.system) if part)
        machine = f"{self.tenancy} {machine}" if self.tenancy not in ("", "default") else machine
        place = self.zone or self.region
        many = "" if self.quantity is None else f"{exact_figure(self.quantity)} × "
        counted = f"{many}{machine or _('machines')}" if many else machine
        return _("{machines} in {place}").format(machines=counted, place=place) if place and counted else counted

    @property
    def _plan(self) -> str:
        rate = "" if self.quantity is None else f" {exact_figure(self.quantity.quantize(PLAN_UNIT))}"
        money = rate and f"{rate}{'' if self.currency == 'USD' else f' {self.currency}'}/h"
        # The other plans are for every region and type, whatever machine a bill happened to show under them.
        where = (family_of(self.instance_type), self.region) if self.kind == SP_EC2 else ()
        places = [part for part in where if part]
        name = f"{_(KINDS.get(self.kind, self.kind))}{money}"
        if len(places) > 1:
            return _("{plan} for {family} in {region}").format(plan=name, family=places[0], region=places[1])
        return _("{plan} for {place}").format(plan=name, place=places[0]) if places else name

    @property
    def how(self) -> str:
        """``Standard RI, 1 year, no upfront``; of a plan the thing itself has the kind."""
        name = "" if self.currency else _(KINDS.get(self.kind, self.kind))
        if self.kind in RESERVED:
            name = RESERVATIONS.get(self.service, name)
        years = "" if not self.term_months else term_text(self.term_months)
        payment = in_sentence(_(PAYMENTS[self.payment])) if self.payment in PAYMENTS else ""
        return ", ".join(part for part in (name, years, payment) if part)

    @property
    def title(self) -> str:
        """``Compute SP 0.73/h, 1 year, no upfront``, ``2 × m5.large Linux in us-east-1, Standard RI, 1 year, ...``."""
        return ", ".join(part for part in (self.thing, self.how) if part)


def counted_text(quantity: Decimal, unit: str) -> str:
    """``2 machines``, ``1 machine``, ``0.734 USD an hour``: without zeros at the end."""
    many = 1 if quantity == 1 else 2
    texts = {
        "machines": ngettext("{quantity} machine", "{quantity} machines", many),
        "nodes": ngettext("{quantity} node", "{quantity} nodes", many),
        "vCPUs": ngettext("{quantity} vCPU", "{quantity} vCPUs", many),
        LOTS: ngettext("{quantity} lot of 100 capacity units", "{quantity} lots of 100 capacity units", many),
    }
    text = texts.get(unit)
    if text is None and unit.endswith(AN_HOUR):
        text = _("{quantity} {currency} an hour")
    return (text or "{quantity} {unit}").format(
        quantity=exact_figure(quantity), unit=unit, currency=unit.removesuffix(AN_HOUR)
    )


def term_text(months: int) -> str:
    """``1 year``, ``3 years``, ``18 months``."""
    if months % 12:
        return counted(months, "month")
    return ngettext("{count} year", "{count} years", months // 12).format(count=months // 12)
