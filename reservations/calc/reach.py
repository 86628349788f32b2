"""Which use a commitment can cover, by provider, region, family and team. Pure: no Django."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reservations.calc.terms import PLAN_SERVICES, WIDE_PLANS, family_of, provider_of, service_of_type


@dataclass(frozen=True, slots=True)
class Reach:
    """An empty region, family or service is any of them; `owners` None is everybody's use, else ids of teams."""

    provider: str
    kind: str
    region: str = ""
    family: str = ""
    owners: frozenset[int] | None = None
    service: str = ""

    def covers(self, use: Mapping[str, Any]) -> bool:
        """Whether it can cover use of this `provider`, `service`, `region`, `family` and `owner`."""
        return (
            provider_of(use["provider"]) == self.provider
            and (not self.region or use["region"] == self.region)
            and (self.owners is None or use["owner"] in self.owners)
            and self._covers_machine(use["service"] or service_of_type(use["family"]), use["family"])
        )

    @property
    def services(self) -> tuple[str, ...] | None:
        """The services whose use it can cover; None is any."""
        if self.kind in PLAN_SERVICES:
            return PLAN_SERVICES[self.kind][1]
        return (self.service,) if self.service else None

    def _covers_machine(self, service: str, family: str) -> bool:
        return (self.services is None or service in self.services) and (not self.family or family == self.family)


def reach_of(
    provider: str,
    kind: str,
    region: str,
    instance_type: str,
    service: str = "",
    owners: frozenset[int] | None = None,
) -> Reach:
    """The reach of a commitment: of a reservation and of an EC2 Instance plan the family in its region."""
    is_wide = kind in WIDE_PLANS
    family = "" if is_wide else family_of(instance_type)
    return Reach(provider_of(provider), kind, "" if is_wide else region, family, owners, service)
