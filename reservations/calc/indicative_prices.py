"""Indicative prices for the demo company's machines, for whoever has loaded no price list yet. Pure: no Django.

They are worked out and on nobody's list: on-demand prices of us-east-1 times a factor for the region, less the
discounts AWS commonly gives (a standard RI or EC2 Instance SP of one year without upfront about 37 %, of three years
with all upfront about 62 %; convertible RIs and Compute SPs less). Licences get no discount. Written down by us in
January 2026.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal

from reservations.calc.prices import Price
from reservations.calc.terms import (
    ON_DEMAND,
    RI_CONVERTIBLE,
    RI_STANDARD,
    SP_COMPUTE,
    SP_EC2,
    UPFRONT_SHARE,
    MachinePool,
)

SOURCE = "indicative: common discounts, January 2026"
DAY = date(2026, 1, 1)
FACTORS = {
    "us-east-1": Decimal("1.00"),
    "us-east-2": Decimal("1.00"),
    "us-west-2": Decimal("1.00"),
    "eu-west-1": Decimal("1.11"),
    "eu-central-1": Decimal("1.15"),
    "ap-south-1": Decimal("1.05"),
}
# USD an hour in us-east-1: the machine, and what Windows adds for its licence.
MACHINES = {
    "t3.micro": ("0.0104", "0.0092"),
    "t3.small": ("0.0208", "0.0184"),
    "t3.medium": ("0.0416", "0.0184"),
    "t3.large": ("0.0832", "0.0276"),
    "m5.large": ("0.0960", "0.0920"),
    "m5.xlarge": ("0.1920", "0.1840"),
    "m5.2xlarge": ("0.3840", "0.3680"),
    "c5.large": ("0.0850", "0.0920"),
    "c5.xlarge": ("0.1700", "0.1840"),
    "c5.2xlarge": ("0.3400", "0.3680"),
    "r5.large": ("0.1260", "0.0920"),
    "r5.xlarge": ("0.2520", "0.1840"),
    "r5.2xlarge": ("0.5040", "0.3680"),
}
# SQL Server is licensed for at least four cores.
SQL_SERVER = {"Standard": Decimal("0.4800"), "Enterprise": Decimal("1.5000")}
LICENSED_TYPES = ("m5.large", "c5.xlarge", "r5.large")
DISCOUNTS = {
    RI_STANDARD: {12: ("0.37", "0.40", "0.41"), 36: ("0.57", "0.60", "0.62")},
    SP_EC2: {12: ("0.37", "0.40", "0.41"), 36: ("0.57", "0.60", "0.62")},
    RI_CONVERTIBLE: {12: ("0.27", "0.30", "0.31"), 36: ("0.48", "0.51", "0.53")},
    SP_COMPUTE: {12: ("0.27", "0.30", "0.31"), 36: ("0.48", "0.51", "0.53")},
}
# Databases know reservations only, and none of three years without upfront.
DATABASES = {"db.r5.2xlarge": ("PostgreSQL Multi-AZ", "1.9920")}
DATABASE_DISCOUNTS = {12: ("0.29", "0.33", "0.34"), 36: (None, "0.52", "0.54")}
PAYMENTS = ("none", "partial", "all")
CENT_OF_A_MIL = Decimal("1E-6")


def indicative_prices() -> Iterator[Price]:
    """Every indicative price, in USD."""
    for region, factor in FACTORS.items():
        for type_, (machine, windows) in MACHINES.items():
            yield from _machine(MachinePool("AWS", region, type_), Decimal(machine) * factor, Decimal(0))
            yield from _machine(
                MachinePool("AWS", region, type_, "Windows"), Decimal(machine) * factor, Decimal(windows) * factor
            )
            for edition, licence in SQL_SERVER.items() if type_ in LICENSED_TYPES else ():
                pool = MachinePool("AWS", region, type_, f"Windows with SQL Server {edition}")
                yield from _machine(pool, Decimal(machine) * factor, (Decimal(windows) + licence) * factor)
        for type_, (system, price) in DATABASES.items():
            pool, on_demand = MachinePool("AWS", region, type_, system, service="RDS"), Decimal(price) * factor
            yield _price(pool, ON_DEMAND, on_demand)
            yield from _discounted(pool, RI_STANDARD, DATABASE_DISCOUNTS, on_demand)


def _machine(pool: MachinePool, machine: Decimal, licence: Decimal) -> Iterator[Price]:
    yield _price(pool, ON_DEMAND, machine + licence)
    for kind, discounts in DISCOUNTS.items():
        yield from _discounted(pool, kind, discounts, machine, licence)


def _discounted(
    pool: MachinePool,
    kind: str,
    discounts: Mapping[int, Sequence[str | None]],
    price: Decimal,
    licence: Decimal = Decimal(0),
) -> Iterator[Price]:
    """Prices of a kind for each term and payment; of a reservation, what is paid upfront is for the whole term."""
    for months, by_payment in discounts.items():
        for payment, discount in zip(PAYMENTS, by_payment, strict=True):
            if discount is None:
                continue
            effective = price * (1 - Decimal(discount)) + licence
            share = Decimal(0) if kind in (SP_EC2, SP_COMPUTE) else UPFRONT_SHARE[payment]
            upfront = (effective * share * months * 730).quantize(CENT_OF_A_MIL) if share else Decimal(0)
            yield _price(pool, kind, effective * (1 - share), months, payment, upfront)


def _price(
    pool: MachinePool, kind: str, hourly: Decimal, months: int = 0, payment: str = "", upfront: Decimal = Decimal(0)
) -> Price:
    amount = hourly.quantize(CENT_OF_A_MIL)
    return Price(pool, kind, amount, "USD", SOURCE, DAY, months, payment, upfront, is_indicative=True)
