"""What is held is taken off all hours at once as AWS takes it off one."""

from decimal import Decimal

import numpy as np
import pytest

from reservations.calc.discount_application import OwnedCommitment, Usage, apply_to_hour
from reservations.calc.terms import RI_STANDARD, SP_COMPUTE, SP_EC2, MachinePool
from reservations.optimizer.held_capacity import FAMILY_PLAN, REGIONAL, WIDE_PLAN, HeldCapacity, left_to_cover

LARGE, XLARGE, C5 = (MachinePool("AWS", "us-east-1", type_) for type_ in ("m5.large", "m5.xlarge", "c5.large"))
ON_DEMAND = {LARGE: 0.096, XLARGE: 0.192, C5: 0.085}
FAMILY = {LARGE: 0.06, XLARGE: 0.121}
WIDE = {LARGE: 0.07, XLARGE: 0.13, C5: 0.064}


def discounts(rates):
    return {pool: 1 - rate / ON_DEMAND[pool] for pool, rate in rates.items()}


def exact(rates):
    return {pool: (Decimal(str(rate)), Decimal(str(ON_DEMAND[pool]))) for pool, rate in rates.items()}


@pytest.mark.parametrize("seed", range(10))
def test_hours_at_once_are_as_one_hour_after_the_other(seed):
    random = np.random.default_rng(seed)
    pools, hours = [LARGE, XLARGE, C5], random.integers(0, 9, (3, 24)).astype(float)
    reserved, family, wide = int(random.integers(0, 6)), random.uniform(0, 0.5), random.uniform(0, 0.5)
    held = [
        HeldCapacity("wide", WIDE_PLAN, wide, WIDE, discounts=discounts(WIDE)),
        HeldCapacity("family", FAMILY_PLAN, family, FAMILY, discounts=discounts(FAMILY)),
        HeldCapacity("reserved", REGIONAL, 4.0 * reserved, {LARGE: 4.0, XLARGE: 8.0}),
    ]
    owned = [
        OwnedCommitment("wide", SP_COMPUTE, LARGE, Decimal(str(wide)), rates=exact(WIDE)),
        OwnedCommitment("family", SP_EC2, LARGE, Decimal(str(family)), rates=exact(FAMILY)),
        OwnedCommitment("reserved", RI_STANDARD, LARGE, Decimal(reserved)),
    ]
    left = left_to_cover(pools, hours, held)
    for at in range(24):
        usage = [Usage(pool, Decimal(int(hours[row, at]))) for row, pool in enumerate(pools)]
        assert left[:, at].tolist() == pytest.approx([float(count) for count in apply_to_hour(usage, owned).left])
