from celery.schedules import crontab

from finops_site.people.roles import ADMINISTRATOR, ENGINEERING, EVERYBODY, FINANCE
from finops_site.pillars import Ability, PillarConfig
from finops_site.translation import gettext_lazy as _lazy
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

    abilities = (
        Ability(
            "see-tags",
            _lazy("See tags, statements, disputes and unit costs"),
            tuple(
                f"tagging.view_{what}"
                for what in (
                    *("statement", "dispute", "split", "tagrequirement", "tagexception", "suggestion"),
                    *("virtualtag", "changeset", "metric"),
                )
            ),
        ),
        Ability("see-ownership", _lazy("See the rules of ownership"), ("tagging.view_ownershiprule",)),
        Ability(
            "ownership",
            _lazy("Say whose cost is whose"),
            (
                *(f"tagging.{verb}_ownershiprule" for verb in ("add", "change", "delete")),
                "tagging.change_fixer",
            ),
        ),
        Ability(
            "splits",
            _lazy("Split shared cost among teams"),
            tuple(f"tagging.{verb}_split" for verb in ("add", "change", "delete")),
        ),
        Ability(
            "close-months",
            _lazy("Close months and book them"),
            ("tagging.close_chargebackperiod", "tagging.change_journalaccount"),
        ),
        Ability("dispute", _lazy("Dispute a line of a statement"), ("tagging.add_dispute",)),
        Ability("decide-disputes", _lazy("Decide disputes"), ("tagging.change_dispute",)),
        Ability(
            "tag-policy",
            _lazy("Set the tag policy"),
            tuple(f"tagging.{verb}_tagrequirement" for verb in ("add", "change", "delete")),
        ),
        Ability("ask-exceptions", _lazy("Ask for exceptions from the tag policy"), ("tagging.add_tagexception",)),
        Ability("decide-exceptions", _lazy("Decide exceptions from the tag policy"), ("tagging.decide_tagexception",)),
        Ability(
            "virtual-tags",
            _lazy("Add virtual tags and decide suggestions"),
            ("tagging.add_virtualtag", "tagging.decide_suggestion"),
        ),
        Ability("confirm-tags", _lazy("Confirm virtual tags of many resources"), ("tagging.confirm_virtualtag",)),
        Ability("propose-tags", _lazy("Propose changes of tags"), ("tagging.add_changeset",)),
        Ability("approve-tags", _lazy("Approve changes of tags"), ("tagging.approve_changeset",)),
        Ability("apply-tags", _lazy("Apply changes of tags in the cloud"), ("tagging.apply_changeset",)),
        Ability("metrics", _lazy("Enter business metrics"), ("tagging.add_metric", "tagging.change_metric")),
        Ability(
            "allow-tags",
            _lazy("Allow tags to be changed in an account"),
            tuple(f"tagging.{verb}_taggingaccess" for verb in ("view", "add", "change", "delete")),
        ),
    )

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
