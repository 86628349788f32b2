"""Which use a commitment can cover, by provider, region, family and team. Pure: no Django."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from reservations.calc.purchase_orders import cloud_of
from reservations.calc.terms import SP_COMPUTE, SP_EC2, family_of, service_of_type

# The services whose machines a plan over all regions and families covers. AWS's user guide of Savings Plans.
PLAN_SERVICES: Final = {
    SP_COMPUTE: ("EC2", "Fargate", "Lambda"),
    SP_EC2: ("EC2",),
    "sp_sagemaker": ("SageMaker",),
    "sp_database": ("RDS", "ElastiCache", "OpenSearch"),
}


@dataclass(frozen=True, slots=True)
class Reach:
    """An empty region or family is any of them; `owners` None is everybody's use, else the ids of the teams."""

    provider: str
    kind: str
    region: str = ""
    family: str = ""
    owners: frozenset[int] | None = None

    def covers(self, use: Mapping[str, Any]) -> bool:
        """Whether it can cover use of this `provider`, `region`, `family` and `owner`."""
        return (
            cloud_of(use["provider"]) in (self.provider, "")
            and (not self.region or use["region"] == self.region)
            and (self.owners is None or use["owner"] in self.owners)
            and self._covers_family(use["family"])
        )

    def _covers_family(self, family: str) -> bool:
        if self.family:
            return family == self.family
        services = PLAN_SERVICES.get(self.kind)
        return services is None or service_of_type(family) in services


def reach_of(provider: str, kind: str, region: str, instance_type: str, owners: frozenset[int] | None = None) -> Reach:
    """The reach of a commitment: of a reservation and of an EC2 Instance plan the family in its region."""
    wide = kind in PLAN_SERVICES and kind != SP_EC2
    return Reach(cloud_of(provider), kind, "" if wide else region, "" if wide else family_of(instance_type), owners)
