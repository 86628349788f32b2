"""Who may do what: one table, from a role to its permissions, kept in Django's groups after every migrate.

Administrators run the system and are not finance: they never hold a permission to budget, to close a month or to
approve a purchase. A permission that no installed model declares is an error of `manage.py check` (finops_site.E005).
"""

from typing import Any

from finops_site.lib.person import Person

ADMINISTRATOR = "administrator"
FINANCE = "finance"
ENGINEERING = "engineering"
EXECUTIVE = "executive"

# What every role sees, each in its own rows.
OWN_ROWS = {
    "costs.view_costline",
    "costs.view_exchangerate",
    "finops_site.view_team",
    "tagging.view_statement",
    "tagging.view_dispute",
    "tagging.view_split",
    "tagging.view_tagrequirement",
    "tagging.view_tagexception",
    "tagging.view_suggestion",
    "tagging.view_virtualtag",
    "tagging.view_changeset",
    "tagging.view_metric",
    "reservations.view_commitment",
    "reservations.view_plan",
    "reservations.view_rate",
    "reservations.view_purchaserequest",
    "reservations.view_standingorder",
    "reservations.view_ledgermonth",
    "budgets.view_budget",
    "budgets.view_alert",
}
WHOLE_COMPANY = OWN_ROWS | {"costs.view_company", "costs.view_pool", "costs.view_delivery", "costs.view_source"}
RULE_OWNERSHIP = {
    "costs.add_pool",
    "costs.change_pool",
    "costs.delete_pool",
    "tagging.change_fixer",
    "tagging.view_ownershiprule",
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
RULE_BUDGETS = {
    "budgets.add_budget",
    "budgets.change_budget",
    "budgets.approve_budget",
    "budgets.propose_budget",
    "budgets.change_alert",
}
# Asked for by one, approved by another, and bought by finance alone.
BUY = {
    "reservations.add_purchaserequest",
    "reservations.approve_purchaserequest",
    "reservations.buy_purchaserequest",
    "reservations.change_buyingpolicy",
    "reservations.view_approverlimit",
    "reservations.add_approverlimit",
    "reservations.change_approverlimit",
    "reservations.add_standingorder",
    "reservations.change_standingorder",
}
BRING_BILLS = {"costs.add_delivery", "costs.change_delivery", "costs.add_source", "costs.change_source"}

ROLES: dict[str, set[str]] = {
    ADMINISTRATOR: WHOLE_COMPANY
    | BRING_BILLS
    | {
        "finops_site.open_admin",
        "finops_site.add_user",
        "finops_site.change_user",
        "finops_site.view_user",
        "finops_site.add_team",
        "finops_site.change_team",
        "finops_site.add_membership",
        "finops_site.change_membership",
        "finops_site.delete_membership",
        "finops_site.view_membership",
        "finops_site.view_outgoingemail",
        "finops_site.view_nightlyrun",
        "auditlog.view_logentry",
        "axes.view_accessattempt",
        "axes.delete_accessattempt",
        "django_celery_beat.view_periodictask",
        "django_celery_beat.change_periodictask",
        "django_celery_beat.view_crontabschedule",
        "django_celery_beat.add_crontabschedule",
        "django_celery_beat.view_intervalschedule",
        "costs.view_credential",
        "costs.add_credential",
        "costs.change_credential",
        "costs.delete_credential",
        "tagging.view_ownershiprule",
        "tagging.view_taggingaccess",
        "tagging.add_taggingaccess",
        "tagging.change_taggingaccess",
        "tagging.delete_taggingaccess",
    },
    FINANCE: WHOLE_COMPANY
    | BRING_BILLS
    | RULE_OWNERSHIP
    | CHARGE_BACK
    | RULE_TAGS
    | FIX_TAGS
    | {"tagging.confirm_virtualtag", "tagging.add_metric", "tagging.change_metric"}
    | RULE_BUDGETS
    | BUY
    | {"costs.add_exchangerate"}
    | {
        "reservations.add_commitment",
        "reservations.add_plan",
        "reservations.add_rate",
    }
    | {"finops_site.open_admin", "finops_site.view_membership", "auditlog.view_logentry"},
    # Whoever leads the team may dispute: leading is a membership, not a role.
    ENGINEERING: OWN_ROWS
    | FIX_TAGS
    | {
        "finops_site.open_admin",
        "reservations.add_plan",
        "reservations.add_purchaserequest",
        "tagging.view_ownershiprule",
        "tagging.add_dispute",
        "tagging.add_tagexception",
        "tagging.apply_changeset",
        # A proposal is for a team she leads; anybody who sees an alert may say that she takes it.
        "budgets.propose_budget",
        "budgets.change_alert",
    },
    EXECUTIVE: WHOLE_COMPANY,
}


def permission_names(permissions: Any) -> set[str]:
    """The strings, like ``costs.view_costline``, of a queryset of permissions."""
    pairs = permissions.values_list("content_type__app_label", "codename").order_by()
    return {f"{app}.{codename}" for app, codename in pairs}


def sync_roles(**_: Any) -> None:
    """Makes the groups hold what the table says, no more and no less; other groups are left alone.

    A permission whose app is not migrated yet is left out: the migrate that brings it syncs again.
    """
    from django.contrib.auth.models import Group, Permission

    known = {
        f"{permission.content_type.app_label}.{permission.codename}": permission
        for permission in Permission.objects.select_related("content_type")
    }
    for role, wanted in ROLES.items():
        group, _created = Group.objects.get_or_create(name=role)
        group.permissions.set([known[name] for name in sorted(wanted) if name in known])


def role_of(user: Person) -> str:
    """The role to show beside a person's name, the weightiest of several; empty for somebody without one."""
    held = set(user.groups.values_list("name", flat=True)) if user.is_authenticated else set()
    return next((role for role in ROLES if role in held), "")


def declared_permissions() -> set[str]:
    """Every permission that an installed model declares, its own and the four of Django."""
    from django.apps import apps
    from django.contrib.auth import get_permission_codename

    names = set()
    for model in apps.get_models():
        options = model._meta
        codenames = [get_permission_codename(verb, options) for verb in options.default_permissions]
        codenames += [codename for codename, _label in options.permissions]
        names |= {f"{options.app_label}.{codename}" for codename in codenames}
    return names


def unknown_permissions() -> list[str]:
    """Permissions of the table that no model declares."""
    return sorted(set().union(*ROLES.values()) - declared_permissions())
