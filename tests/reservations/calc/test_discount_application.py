"""One hour by hand: AWS's order of application, and the three ratios."""

from decimal import Decimal

import pytest

from reservations.calc.discount_application import (
    OwnedCommitment,
    Usage,
    apply_to_hour,
    coverage_rate,
    effective_savings_rate,
    utilisation_rate,
)
from reservations.calc.terms import RI_STANDARD, SP_COMPUTE, SP_EC2, MachinePool, is_size_flexible, size_of, units

LARGE = MachinePool("AWS", "us-east-1", "m5.large")
XLARGE = MachinePool("AWS", "us-east-1", "m5.xlarge")
WINDOWS = MachinePool("AWS", "us-east-1", "m5.xlarge", "Windows")
RATES = {LARGE: (Decimal("0.06"), Decimal("0.10")), XLARGE: (Decimal("0.14"), Decimal("0.20"))}


def test_zonal_comes_before_regional_before_family_plan_before_compute_plan():
    usage = [Usage(LARGE, Decimal(4), "us-east-1a")]
    owned = [
        OwnedCommitment(
            "compute", SP_COMPUTE, LARGE, Decimal("0.07"), rates={LARGE: (Decimal("0.07"), Decimal("0.10"))}
        ),
        OwnedCommitment("family", SP_EC2, LARGE, Decimal("0.06"), rates=RATES),
        OwnedCommitment("regional", RI_STANDARD, LARGE, Decimal(1)),
        OwnedCommitment("zonal", RI_STANDARD, LARGE, Decimal(1), zone="us-east-1a"),
    ]
    result = apply_to_hour(usage, owned)
    assert result.left == [0]
    assert result.used == {"zonal": 1, "regional": 1, "family": Decimal("0.06"), "compute": Decimal("0.07")}
    # With one machine less it is the compute plan that stands idle.
    assert apply_to_hour([Usage(LARGE, Decimal(3), "us-east-1a")], owned).used["compute"] == 0


def test_a_regional_reservation_covers_other_sizes_by_normalised_units():
    # One xlarge (8 units) covers two large (4 each).
    result = apply_to_hour([Usage(LARGE, Decimal(3))], [OwnedCommitment("ri", RI_STANDARD, XLARGE, Decimal(1))])
    assert (result.left, result.used["ri"]) == ([1], 1)
    # Half of one covers one.
    assert apply_to_hour([Usage(LARGE, Decimal(1))], [OwnedCommitment("ri", RI_STANDARD, XLARGE, Decimal(1))]).used[
        "ri"
    ] == Decimal("0.5")


@pytest.mark.parametrize(
    ("reserved", "zone"),
    [(WINDOWS, ""), (XLARGE, "us-east-1a"), (MachinePool("AWS", "us-east-1", "m5.xlarge", "Linux", "dedicated"), "")],
)
def test_licensed_zonal_and_dedicated_reservations_cover_their_own_size_only(reserved, zone):
    other = MachinePool("AWS", "us-east-1", "m5.large", reserved.system, reserved.tenancy)
    usage = [Usage(other, Decimal(2), "us-east-1a"), Usage(reserved, Decimal(1), "us-east-1a")]
    result = apply_to_hour(usage, [OwnedCommitment("ri", RI_STANDARD, reserved, Decimal(2), zone)])
    assert (result.left, result.used["ri"]) == ([2, 0], 1)


def test_a_plan_goes_first_where_it_discounts_most():
    # 40 % off the large, 30 % off the xlarge: 0.06 covers one large, and nothing is left for the xlarge.
    usage = [Usage(XLARGE, Decimal(1)), Usage(LARGE, Decimal(1))]
    assert apply_to_hour(usage, [OwnedCommitment("sp", SP_EC2, LARGE, Decimal("0.06"), rates=RATES)]).left == [1, 0]


def test_the_buyers_account_comes_first_then_the_others():
    own, other = (MachinePool("AWS", "us-east-1", "m5.large", account=name) for name in ("buyer", "other"))
    result = apply_to_hour(
        [Usage(other, Decimal(1)), Usage(own, Decimal(1))], [OwnedCommitment("ri", RI_STANDARD, own, Decimal(1))]
    )
    assert result.left == [1, 0]
    assert apply_to_hour([Usage(other, Decimal(1))], [OwnedCommitment("ri", RI_STANDARD, own, Decimal(1))]).left == [0]


def test_where_accounts_do_not_share_a_commitment_covers_its_own_account_only():
    own, other = (MachinePool("AWS", "us-east-1", "m5.large", account=name) for name in ("buyer", "other"))
    usage = [Usage(other, Decimal(1)), Usage(own, Decimal(1))]
    reserved = OwnedCommitment("ri", RI_STANDARD, own, Decimal(2))
    plan = OwnedCommitment("sp", SP_EC2, own, Decimal("0.12"), rates=RATES)
    for commitment in (reserved, plan):
        assert apply_to_hour(usage, [commitment]).left == [0, 0]
        assert apply_to_hour(usage, [commitment], is_shared=False).left == [1, 0]


def test_one_reserved_database_in_two_zones_covers_two_in_one_zone():
    """Two zones count double: 8 units of large are two times 4."""
    single, double = (
        MachinePool("AWS", "us-east-1", "db.r5.large", system, service="RDS")
        for system in ("PostgreSQL", "PostgreSQL Multi-AZ")
    )
    result = apply_to_hour([Usage(single, Decimal(3))], [OwnedCommitment("ri", RI_STANDARD, double, Decimal(1))])
    assert (result.left, result.used["ri"]) == ([1], 1)
    mysql = MachinePool("AWS", "us-east-1", "db.r5.large", "MySQL", service="RDS")
    assert apply_to_hour([Usage(mysql, Decimal(1))], [OwnedCommitment("ri", RI_STANDARD, double, Decimal(1))]).left == [
        1
    ]


def test_two_commitments_of_one_id_are_refused():
    twice = [OwnedCommitment("ri", RI_STANDARD, LARGE, Decimal(1))] * 2
    with pytest.raises(ValueError, match="the same id"):
        apply_to_hour([Usage(LARGE, Decimal(1))], twice)


def test_negative_hours_are_refused():
    with pytest.raises(ValueError, match="not be negative"):
        apply_to_hour([Usage(LARGE, Decimal(-1))], [])


def test_the_ratios_and_that_nothing_divides_by_nothing():
    assert utilisation_rate(Decimal(3), Decimal(1)) == Decimal("0.75")
    assert coverage_rate(Decimal(7), Decimal(10)) == Decimal("0.7")
    # Paid 80 (10 of it for nothing) for what costs 100 on demand.
    assert effective_savings_rate(Decimal(80), Decimal(100)) == Decimal("0.2")
    assert [utilisation_rate(Decimal(0), Decimal(0)), coverage_rate(Decimal(0), Decimal(0))] == [None, None]
    assert effective_savings_rate(Decimal(1), Decimal(0)) is None


@pytest.mark.parametrize(
    ("type_", "size"),
    [
        ("t3.nano", "0.25"),
        ("t3.micro", "0.5"),
        ("m5.large", "4"),
        ("m5.xlarge", "8"),
        ("m5.2xlarge", "16"),
        ("m5.16xlarge", "128"),
    ],
)
def test_normalised_units_are_awss(type_, size):
    assert units(type_) == Decimal(size)


def ec2(type_, system="Linux", tenancy="default"):
    return MachinePool("AWS", "us-east-1", type_, system, tenancy)


def of(service, type_, system=""):
    return MachinePool("AWS", "us-east-1", type_, system, service=service)


@pytest.mark.parametrize(
    ("pool", "size"),
    [
        # EC2 user guide: bare metal has the units of its family's largest size.
        (ec2("m5.metal"), "192"),
        (ec2("i3.metal"), "128"),
        (ec2("m7i.metal-24xl"), "192"),
        # RDS user guide: Multi-AZ counts double, a cluster of three instances three times.
        (of("RDS", "db.r5.large", "PostgreSQL"), "4"),
        (of("RDS", "db.r5.large", "PostgreSQL Multi-AZ"), "8"),
        (of("RDS", "db.r5.large", "MySQL Multi-AZ cluster"), "12"),
        (of("RDS", "db.r6g.large", "Aurora MySQL I/O-Optimized"), "5.2"),
        (of("ElastiCache", "cache.r6g.xlarge", "Redis"), "8"),
        (MachinePool("Azure", "westeurope", "Standard_D4s_v5", service="Virtual Machines"), "4"),
        (MachinePool("Azure", "westeurope", "Standard_B2ms", service="Virtual Machines"), None),
    ],
    ids=str,
)
def test_a_machine_has_the_size_that_its_reservation_counts(pool, size):
    assert size_of(pool) == (size and Decimal(size))


@pytest.mark.parametrize(
    ("pool", "flexible"),
    [
        (ec2("m5.metal"), True),
        *((ec2(type_), False) for type_ in ("g4dn.xlarge", "g5.2xlarge", "inf1.xlarge", "inf2.xlarge", "p4d.24xlarge")),
        *(
            (ec2(type_), False)
            for type_ in ("trn1.2xlarge", "hpc7a.12xlarge", "u-6tb1.112xlarge", "u7i-12tb.224xlarge")
        ),
        *((ec2(type_), True) for type_ in ("g3.4xlarge", "p3.2xlarge", "t3.micro", "x2gd.large")),
        *((ec2("m5.large", system), False) for system in ("Windows", "RHEL", "SUSE", "Linux with SQL Server Web")),
        (ec2("m5.large", tenancy="dedicated"), False),
        *(
            (of("RDS", "db.r5.large", engine), True)
            for engine in ("MySQL", "Aurora PostgreSQL Multi-AZ", "Oracle Enterprise BYOL")
        ),
        *(
            (of("RDS", "db.r5.large", engine), False)
            for engine in ("SQL Server Standard (LI)", "Oracle Standard Two (LI)", "")
        ),
        (of("ElastiCache", "cache.r6g.large", "Memcached"), True),
        (of("MemoryDB", "db.r6g.large", "Redis"), True),
        *(
            (of(service, type_), False)
            for service, type_ in (("OpenSearch", "r6g.large.search"), ("Redshift", "ra3.xlplus"))
        ),
    ],
    ids=str,
)
def test_sizes_are_flexible_where_the_provider_says_so(pool, flexible):
    assert is_size_flexible(pool) is flexible


@pytest.mark.parametrize(
    "pool",
    [
        MachinePool(
            "AWS", "us-east-1", "m5.large", "Windows with SQL Server Web", "dedicated", "111", "EC2", "us-east-1a"
        ),
        MachinePool("AWS", "eu-west-1", "db.r5.large", "PostgreSQL Multi-AZ", service="RDS"),
        MachinePool("AWS", "eu-west-1", "db.r6g.large", "Redis", service="MemoryDB"),
        MachinePool(
            "Azure", "westeurope", "Standard_D4s_v5", "Linux", account="team, data", service="Virtual Machines"
        ),
        MachinePool("AWS", "", "ra3.4xlarge", "Linux", service="Redshift"),
    ],
    ids=str,
)
def test_a_pool_is_read_again_from_its_text(pool: MachinePool) -> None:
    assert MachinePool.from_text(str(pool)) == pool


def test_a_plain_machine_is_written_as_before() -> None:
    assert str(LARGE) == "m5.large Linux in us-east-1"
    assert MachinePool.from_text("m5.large") is None
