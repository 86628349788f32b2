from celery.schedules import crontab

from finops_site.people.roles import ADMINISTRATOR, ENGINEERING, EVERYBODY, FINANCE
from finops_site.pillars import Ability, PillarConfig
from finops_site.registry import registry
from finops_site.translation import gettext_lazy as _lazy
from usage.audited import AUDITED, NOT_AUDITED

# Engineers and leads answer for their own resources; finance for all of them.
ANSWER = {"usage.change_finding", "usage.add_ticket", "usage.add_quietrule"}
# Whoever fixes tags at the provider fixes findings: put together and approved by both, applied by engineering.
FIX = {"usage.add_fixset", "usage.approve_fixset"}
APPLY = {"usage.apply_fixset"}
ALLOW = {f"usage.{verb}_fixaccess" for verb in ("view", "add", "change", "delete")}
IMPORT = {
    *("usage.view_factimport", "usage.add_factimport", "usage.change_factimport"),
    *("usage.view_connection", "usage.add_connection", "usage.change_connection"),
}
TRACK = {"usage.view_tracker", "usage.add_tracker", "usage.change_tracker", "usage.delete_tracker"}
ESTIMATE = {"usage.add_estimate", "usage.change_estimate"}


class UsageConfig(PillarConfig):
    """What runs for nothing, what could run for less, and proof that it was mended."""

    name = "usage"
    urls = "usage.urls"
    api_urls = "usage.api.urls"
    audited = AUDITED
    not_audited = NOT_AUDITED
    begins_with = {"usage.Evaluation"}
    as_delivered = {"usage.Finding"}
    permissions = {
        EVERYBODY: {
            *("usage.view_finding", "usage.view_savingmonth", "usage.view_estimate", "usage.view_evaluation"),
            *("usage.view_quietrule", "usage.view_carbonmonth"),
            "usage.view_fixset",
        },
        FINANCE: ANSWER | IMPORT | ESTIMATE | FIX,
        ENGINEERING: ANSWER | ESTIMATE | FIX | APPLY,
        ADMINISTRATOR: IMPORT | TRACK | ALLOW | {"usage.delete_connection"},
    }

    never_for_administrators = ANSWER | FIX | APPLY

    abilities = (
        Ability(
            "see-usage",
            _lazy("See what could cost less, estimates and carbon"),
            tuple(
                f"usage.view_{what}"
                for what in (
                    *("finding", "savingmonth", "estimate", "evaluation"),
                    *("quietrule", "carbonmonth", "fixset"),
                )
            ),
        ),
        Ability(
            "answer-findings", _lazy("Answer findings: tickets, dates, rules that quiet them"), tuple(sorted(ANSWER))
        ),
        Ability("estimate", _lazy("Estimate what something will cost"), tuple(sorted(ESTIMATE))),
        Ability("propose-fixes", _lazy("Propose fixes"), ("usage.add_fixset",)),
        Ability("approve-fixes", _lazy("Approve fixes"), ("usage.approve_fixset",)),
        Ability("apply-fixes", _lazy("Apply fixes in the cloud"), tuple(APPLY)),
        Ability("import-usage", _lazy("Import usage and connect what measures it"), tuple(sorted(IMPORT))),
        Ability(
            "allow-fixes",
            _lazy("Set up trackers of tickets, and allow fixes in an account"),
            tuple(sorted(TRACK | ALLOW | {"usage.delete_connection"})),
        ),
    )

    schedule = {
        # Every hour, for connections that nobody read today.
        "usage-read-connections": {"task": "usage.tasks.read_connections", "schedule": crontab(minute=27)},
        # Every minute, for change sets whose worker was killed, or that wait for a snapshot.
        "usage-work-on-change-sets": {
            "task": "usage.changes.tasks.work_on_stalled_change_sets",
            "schedule": crontab(),
        },
        # Every ten minutes, for tickets that no broker heard of.
        "usage-send-tickets": {"task": "usage.worklist.tasks.send_tickets", "schedule": crontab(minute="7-59/10")},
    }

    def ready(self) -> None:
        from usage.carbon import registrations as carbon
        from usage.changes import registrations as changes
        from usage.estimates import registrations as estimates
        from usage.findings import registrations as findings
        from usage.proof import registrations as proof
        from usage.sources import registrations as sources
        from usage.worklist import registrations as worklist

        for part in (sources, carbon, findings, worklist, changes, proof, estimates):
            registry.add(*part.entries())
