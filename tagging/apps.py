from celery.schedules import crontab

from finops_site.people.roles import ADMINISTRATOR, ENGINEERING, EVERYBODY, FINANCE
from finops_site.pillars import PillarConfig
from tagging.audited import AUDITED, NOT_AUDITED

RULE_OWNERSHIP = {
    "tagging.change_fixer",
    "tagging.add_ownershiprule",
    "tagging.change_ownershiprule",
    "tagging.delete_ownershiprule",
}
# Splits say who shares a pool, closing makes a month final: both are finance's alone.
CHARGE_BACK = {
    "tagging.add_split",
    "tagging.change_split",
    "tagging.delete_split",
    "tagging.close_chargebackperiod",
    "tagging.change_dispute",
    "tagging.change_journalaccount",
}
FIX_TAGS = {"tagging.decide_suggestion", "tagging.add_virtualtag", "tagging.add_changeset", "tagging.approve_changeset"}
RULE_TAGS = {
    "tagging.add_tagrequirement",
    "tagging.change_tagrequirement",
    "tagging.delete_tagrequirement",
    "tagging.decide_tagexception",
}


class TaggingConfig(PillarConfig):
    name = "tagging"
    urls = "tagging.urls"
    api_urls = "tagging.api_urls"
    audited = AUDITED
    not_audited = NOT_AUDITED
    # The policy of the first day (migration 0011).
    begins_with = {"tagging.TagRequirement"}
    as_delivered = {
        *("tagging.SplitPart", "tagging.Allocation", "tagging.Statement", "tagging.StatementDocument"),
        *("tagging.StatementLine", "tagging.TagVerdict", "tagging.TagFact", "tagging.TaggedResource"),
    }
    permissions = {
        # What every role sees, each in its own rows.
        EVERYBODY: {
            "tagging.view_statement",
            "tagging.view_dispute",
            "tagging.view_split",
            "tagging.view_tagrequirement",
            "tagging.view_tagexception",
            "tagging.view_suggestion",
            "tagging.view_virtualtag",
            "tagging.view_changeset",
            "tagging.view_metric",
        },
        ADMINISTRATOR: {
            "tagging.view_ownershiprule",
            "tagging.view_taggingaccess",
            "tagging.add_taggingaccess",
            "tagging.change_taggingaccess",
            "tagging.delete_taggingaccess",
        },
        FINANCE: CHARGE_BACK
        | RULE_OWNERSHIP
        | RULE_TAGS
        | FIX_TAGS
        | {
            "tagging.view_ownershiprule",
            "tagging.confirm_virtualtag",
            "tagging.add_metric",
            "tagging.change_metric",
        },
        # Whoever leads the team may dispute: leading is a membership, not a role.
        ENGINEERING: FIX_TAGS
        | {
            "tagging.view_ownershiprule",
            "tagging.add_dispute",
            "tagging.add_tagexception",
            "tagging.apply_changeset",
        },
    }
    never_for_administrators = CHARGE_BACK | RULE_OWNERSHIP | RULE_TAGS
    schedule = {
        "resume-applications-of-rules-every-minute": {
            "task": "tagging.tasks.resume_applications",
            "schedule": crontab(),
        },
        # Queued at once by the services; a sweep for what a lost broker never heard of.
        "draft-statements-every-ten-minutes": {
            "task": "tagging.tasks.refresh_chargeback",
            "schedule": crontab(minute="*/10"),
        },
        "statements-to-leads-every-ten-minutes": {
            "task": "tagging.tasks.post_statements",
            "schedule": crontab(minute="5-59/10"),
        },
        "resume-remediation-every-minute": {
            "task": "tagging.tasks.resume_remediation",
            "schedule": 60,
        },
        "suggest-tags-every-hour": {
            "task": "tagging.tasks.suggest_tags",
            "schedule": crontab(minute=23),
        },
        "refresh-tag-compliance-every-five-minutes": {
            "task": "tagging.tasks.refresh_compliance",
            "schedule": crontab(minute="*/5"),
        },
        "tag-digests-every-monday": {
            "task": "tagging.tasks.post_tag_digests",
            "schedule": crontab(hour=7, minute=30, day_of_week=1),
        },
    }
    enum_names = {
        "ChargebackState": "tagging.models.chargeback.ChargebackPeriod.State",
        "DisputeState": "tagging.models.chargeback.Dispute.State",
        "TagChangeSetState": "tagging.models.remediation.ChangeSet.State",
        "TagExceptionState": "tagging.models.reminders.TagException.State",
    }

    def ready(self) -> None:
        from tagging import receivers  # noqa: F401
        from tagging.registrations import register

        register()
