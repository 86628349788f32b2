from finops_site.people.roles import EVERYBODY
from finops_site.pillars import PillarConfig


class ProgrammeConfig(PillarConfig):
    """The programme stands above the pillars: it asks only what they register."""

    name = "programme"
    urls = "programme.urls"
    api_urls = "programme.api.urls"
    permissions = {EVERYBODY: {"programme.view_kpi"}}

    def ready(self) -> None:
        pass
