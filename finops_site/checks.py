"""Configuration that would fail later is an error at start, each with an id."""

from collections import Counter

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.core.exceptions import ImproperlyConfigured

from finops_site.celery import task_exists
from finops_site.files.product import product_files
from finops_site.lib.backup_ages import read_keep_rule
from finops_site.ops.backups import BackupProblem, backup_keys
from finops_site.ops.observers import missing_packages
from finops_site.people.roles import ROLES, forbidden_to_administrators, unknown_permissions
from finops_site.pillars import beat_schedule
from finops_site.registry import NavItem, NavTab, registry
from finops_site.sign_in.providers import identity_providers, saml_lacks_packages
from finops_site.ui.limits import read_limit
from finops_site.ui.navigation import HOME


@register()
def time_is_utc(app_configs: object, **_: object) -> list[CheckMessage]:
    if settings.TIME_ZONE == "UTC" and settings.USE_TZ:
        return []
    return [Error("Charges are days in UTC: TIME_ZONE must be UTC and USE_TZ on.", id="finops_site.E001")]


@register()
def secret_is_long(app_configs: object, **_: object) -> list[CheckMessage]:
    if settings.DEBUG or settings.EMBEDDED or len(settings.SECRET_KEY) >= 50:
        return []
    return [Error("SECRET_KEY must have at least 50 characters.", id="finops_site.E002")]


@register()
def address_is_reachable(app_configs: object, **_: object) -> list[CheckMessage]:
    if settings.EMBEDDED or not settings.SITE_URL.startswith(("http://127.", "http://localhost")):
        return []
    hint = "Set SITE_URL to the address people use: the links in emails are made from it."
    return [Warning(f"SITE_URL is {settings.SITE_URL}.", hint=hint, id="finops_site.W003")]


@register()
def observers_are_installed(app_configs: object, **_: object) -> list[CheckMessage]:
    return [
        Warning(f"{setting} is set, and {package} is not installed.", id="finops_site.W009")
        for setting, package in missing_packages()
    ]


@register()
def backups_are_named_well(app_configs: object, **_: object) -> list[CheckMessage]:
    try:
        read_keep_rule(settings.FINOPS_BACKUP_KEEP)
        backup_keys()
    except (ValueError, BackupProblem) as problem:
        return [Error(str(problem), id="finops_site.E010")]
    return []


@register()
def files_are_named_well(app_configs: object, **_: object) -> list[CheckMessage]:
    try:
        product_files()
    except ValueError as problem:
        return [Error(f"FINOPS_FILES: {problem}", id="finops_site.E016")]
    return []


@register(deploy=True)
def hosts_share_their_files(app_configs: object, **_: object) -> list[CheckMessage]:
    server = settings.DATABASES["default"]["HOST"]
    is_here = not server or server.startswith("/") or server in ("127.0.0.1", "localhost", "::1")
    if settings.EMBEDDED or is_here or settings.FINOPS_FILES:
        return []
    hint = (
        "Set FINOPS_FILES to a bucket or a folder that every host has; or, where there is one host, to its own folder."
    )
    words = "The database is on another host, and the files of bills are in FINOPS_VAR, which this host alone has."
    return [Warning(words, hint=hint, id="finops_site.W017")]


@register()
def scheduled_tasks_exist(app_configs: object, **_: object) -> list[CheckMessage]:
    return [
        Error(f"the schedule {name!r} names the task {entry['task']}, which no app has.", id="finops_site.E004")
        for name, entry in beat_schedule().items()
        if not task_exists(entry["task"])
    ]


@register()
def permissions_are_declared_and_kept_apart(app_configs: object, **_: object) -> list[CheckMessage]:
    unknown = [
        Error(f"a role holds the permission {name}, which no model declares.", id="finops_site.E005")
        for name in unknown_permissions()
    ]
    forbidden = [
        Error(f"administrators hold the permission {name}, which is finance's.", id="finops_site.E006")
        for name in forbidden_to_administrators()
    ]
    return unknown + forbidden  # type: ignore[return-value]


@register()
def every_tab_has_its_entry_and_every_letter_one(app_configs: object, **_: object) -> list[CheckMessage]:
    items = [HOME, *registry.of(NavItem)]
    entries = {item.url_name for item in items}
    homeless: list[CheckMessage] = [
        Error(f"the tab {tab.label!r} names {tab.parent!r}, which no NavItem has.", id="finops_site.E007")
        for tab in registry.of(NavTab)
        if tab.parent not in entries
    ]
    letters = Counter(item.key for item in items if item.key)
    twice: list[CheckMessage] = [
        Error(f"g and {letter!r} open {count} entries of the sidebar: a letter opens one.", id="finops_site.E008")
        for letter, count in letters.items()
        if count > 1
    ]
    return homeless + twice


@register()
def limits_can_be_read(app_configs: object, **_: object) -> list[CheckMessage]:
    problems: list[CheckMessage] = []
    for name in ("FINOPS_API_LIMIT", "FINOPS_TOKEN_LIMIT", "FINOPS_LINK_LIMIT"):
        try:
            read_limit(getattr(settings, name))
        except ImproperlyConfigured as error:
            problems.append(Error(f"{name}: {error}", id="finops_site.E012"))
    return problems


@register()
def somebody_can_sign_in(app_configs: object, **_: object) -> list[CheckMessage]:
    try:
        providers = identity_providers()
    except (ImproperlyConfigured, TypeError) as error:
        return [Error(str(error), id="finops_site.E009")]
    unknown = sorted(set(settings.FINOPS_MFA_REQUIRED_ROLES) - set(ROLES))
    if unknown:
        return [Error(f"FINOPS_MFA_REQUIRED_ROLES: {unknown[0]} is no role.", id="finops_site.E013")]
    problems: list[CheckMessage] = [
        Warning(
            f"nobody can sign in by {one.name}: it is trusted with no domain.",
            hint="Set FINOPS_SIGN_IN_DOMAINS to the domains of your people's addresses.",
            id="finops_site.W010",
        )
        for one in providers.values()
        if not one.domains
    ]
    if saml_lacks_packages():
        text = "FINOPS_SAML is set, and python3-saml is not installed: nobody signs in by it."
        problems.append(Warning(text, id="finops_site.W014"))
    if not settings.FINOPS_PASSWORD_SIGN_IN and not (providers and settings.FINOPS_BREAK_GLASS):
        problems.append(
            Warning(
                "passwords are switched off, and there is no provider or nobody who breaks the glass.",
                hint="Set FINOPS_OIDC_ISSUER or FINOPS_SAML_METADATA, and FINOPS_BREAK_GLASS to who runs the site.",
                id="finops_site.W011",
            )
        )
    return problems
