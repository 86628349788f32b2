from finops_site.people.roles import ENGINEERING, EVERYBODY, EXECUTIVE, FINANCE
from finops_site.pillars import PillarConfig
from finops_site.registry import registry

PLAN = {"programme.add_programme", "programme.change_programme"}
DECIDE, SIGN = "programme.decide_decisionpoint", "programme.sign_decisionpoint"
TICK = "programme.tick_milestone"


class ProgrammeConfig(PillarConfig):
    """The programme stands above the pillars: it asks only what they register."""

    name = "programme"
    urls = "programme.urls"
    api_urls = "programme.api.urls"
    permissions = {
        EVERYBODY: {"programme.view_programme", "programme.view_decisionpoint"},
        # Owners tick their own milestones; the plan is finance's.
        FINANCE: PLAN | {DECIDE, SIGN, TICK},
        EXECUTIVE: {DECIDE, SIGN, TICK},
        ENGINEERING: {SIGN, TICK},
    }
    never_for_administrators = PLAN | {DECIDE, SIGN, TICK}

    def ready(self) -> None:
        from auditlog.registry import auditlog

        from programme.roadmap.registrations import AUDITED, NIGHTLY_FIELDS, ROADMAP

        for name in AUDITED:
            auditlog.register(self.get_model(name), exclude_fields=NIGHTLY_FIELDS.get(name, []))
        registry.add(*ROADMAP)
