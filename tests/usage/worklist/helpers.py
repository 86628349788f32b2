"""Findings by hand, as an evaluation stores them, and a rule that judges them."""

import hashlib
from datetime import date
from decimal import Decimal

import pytest

from finops_site.models import Team
from usage.calc import rules
from usage.calc.rules.base import Effort, Fix, Lever, Risk, Rule
from usage.models import Finding

SEEN = date(2026, 3, 1)
UNATTACHED = Rule(
    name="unattached-disk",
    title="Unattached disk",
    lever=Lever.DELETE,
    effort=Effort.LOW,
    risk=Risk.LOW,
    sql="",
    explain=lambda finding: f"{finding['evidence']['gib']} GiB, attached to nothing for 30 days.",
    fixes=lambda finding: [
        Fix(
            "Take a snapshot and delete it",
            "bash",
            f"aws ec2 delete-volume --volume-id {finding['resource']}",
            "undo it",
        )
    ],
    makes_certain="An inventory that says so.",
)
GP3 = Rule(
    name="gp3",
    title="gp2 to gp3",
    lever=Lever.MODERNISE,
    effort=Effort.LOW,
    risk=Risk.LOW,
    sql="",
    explain=lambda finding: "gp3 costs a fifth less.",
    fixes=lambda finding: (),
)


@pytest.fixture
def two_rules(monkeypatch):
    """The rules of this version are these two."""
    monkeypatch.setattr(rules, "RULES", (UNATTACHED, GP3), raising=False)


def finding(resource="vol-1", *, team="Payments", rule="unattached-disk", saving="12.50", counted="same", **fields):
    """A finding that an evaluation of 1 March stored; a saving of None is not known."""
    place = {"provider": "AWS", "account": "000000000042", "region": "eu-west-1", "resource": resource}
    saving = None if saving is None else Decimal(saving)
    keys = "|".join(place.values())
    values = {
        "rule": rule,
        "part": "storage",
        "key": hashlib.md5(f"{rule}|{keys}|storage".encode()).hexdigest(),
        "resource_key": hashlib.md5(keys.encode()).hexdigest(),
        "resource_name": fields.pop("name", ""),
        "service": "Amazon EC2",
        "environment": "dev",
        "owner": Team.objects.get(name=team) if team else None,
        "lever": int(Lever.DELETE),
        "effort": "low",
        "risk": "low",
        "confidence": "likely",
        "currency": "USD",
        "monthly_cost": Decimal("12.50"),
        "saving": saving,
        "counted_saving": saving if counted == "same" else counted and Decimal(counted),
        "evidence": {"gib": 125},
        "target": {},
        "sources": ["bill"],
        "first_seen": SEEN,
        "last_seen": SEEN,
    }
    return Finding.objects.create(**{**values, **place, **fields})
