"""The table of who may open what, counted; and verbs, own roles, the admin, commands and tasks beside it."""

import re
from functools import cache
from pathlib import Path

import pytest
from django.contrib import admin
from django.core.management import get_commands
from django.db import transaction
from django.test import RequestFactory
from django.urls import NoReverseMatch, get_resolver, reverse
from django.urls.resolvers import URLPattern
from django.views.generic.edit import ProcessFormView

from finops_site.celery import app
from finops_site.mail import invitations
from finops_site.own_roles.changes import RoleWish, save_role
from finops_site.pillars import beat_schedule, installed_pillars
from tests import test_access
from tests.people import person, signed_in
from tests.test_access import ACCESS, NAMES

pytestmark = pytest.mark.django_db
# The rows that the table is about are made by the same fixtures.
a_line = test_access.a_line

ROOT = Path(__file__).resolve().parents[1]
CHANGING = ("post", "put", "patch", "delete")
# Links of letters say whose they are; the answers of a provider are signed; the rest is the way in, or leads on.
OPEN_TO_NOBODY = {
    *("budgets:acknowledge", "programme:leave_report", "first_administrator", "usersessions_list"),
    *("openid_connect_login", "openid_connect_callback"),
    *("saml_login", "saml_metadata", "saml_acs", "saml_finish_acs", "saml_sls"),
}
EVERYBODY = dict.fromkeys(NAMES[1:], "view")
NOBODY: dict[str, str] = {}
ADA_READS = {"ada": "view"}
OF_COMPANY = {"ada": "view", "fay": "view", "max": "view"}
ALL_VERBS, ADDS = "view add change delete", "view add change"
# What each may do with the rows of a page of the admin; who is missing finds no such page. An empty one is nobody's.
ADMIN = {
    "account.emailaddress": {},
    "axes.accessattempt": {"ada": "view delete"},
    "axes.accessfailurelog": {},
    "axes.accesslog": {},
    **dict.fromkeys(("budgets.alert", "budgets.budget", "budgets.control", "budgets.controlchangeset"), EVERYBODY),
    "budgets.knowncharge": EVERYBODY,
    "budgets.anomalysensitivity": {"fay": ALL_VERBS},
    "budgets.controlaccess": {"ada": ALL_VERBS},
    "costs.accountgroup": {"ada": ALL_VERBS, "fay": ALL_VERBS, "max": "view"},
    "costs.costline": EVERYBODY,
    "costs.exchangerate": EVERYBODY,
    "costs.credential": {"ada": ALL_VERBS},
    "costs.exportplace": {"ada": ALL_VERBS},
    "costs.delivery": OF_COMPANY,
    "costs.invoice": OF_COMPANY,
    "costs.source": {"ada": ADDS, "fay": ADDS, "max": "view"},
    "costs.stream": {"fay": "view change"},
    **dict.fromkeys(("costs.deliveryfile", "costs.dimension", "costs.fetchedbill", "costs.focusexport"), NOBODY),
    **dict.fromkeys(("costs.invoicecost", "costs.reject", "costs.restatedcost", "costs.restatement"), NOBODY),
    "costs.tagset": {},
    "django_celery_beat.clockedschedule": {},
    "django_celery_beat.crontabschedule": {"ada": "view add"},
    "django_celery_beat.intervalschedule": {"ada": "view"},
    "django_celery_beat.periodictask": {"ada": "view change"},
    "django_celery_beat.solarschedule": {},
    "finops_site.apitoken": {"ada": "view delete"},
    "finops_site.auditentry": {"ada": "view", "fay": "view"},
    **dict.fromkeys(("finops_site.dashboard", "finops_site.outgoingemail", "finops_site.savedview"), ADA_READS),
    "finops_site.groupmapping": {"ada": ALL_VERBS},
    "finops_site.ownrole": {"ada": ADDS},
    "finops_site.team": {**EVERYBODY, "ada": ADDS, "fay": "view add"},
    "finops_site.user": {"ada": ADDS},
    "mfa.authenticator": {},
    **dict.fromkeys(("programme.assumption", "programme.assumptionchange"), OF_COMPANY),
    **dict.fromkeys(("programme.decisionpoint", "programme.programme"), EVERYBODY),
    "programme.kpi": {**EVERYBODY, "fay": ADDS},
    "programme.kpicomment": {"ada": "view", "fay": "view add", "max": "view add"},
    "programme.reportschedule": {**OF_COMPANY, "fay": ALL_VERBS},
    **dict.fromkeys(("reservations.commitment", "reservations.plan", "reservations.purchaserequest"), EVERYBODY),
    **dict.fromkeys(("reservations.rate", "reservations.standingorder"), EVERYBODY),
    **dict.fromkeys(("reservations.notice", "reservations.utilisation"), NOBODY),
    "socialaccount.socialaccount": {"ada": "view delete"},
    "tagging.ownershiprule": {**{name: "view" for name in NAMES[1:] if name != "max"}, "fay": ALL_VERBS},
    "tagging.taggingaccess": {"ada": ALL_VERBS},
    "usage.connection": {"ada": ALL_VERBS, "fay": ADDS},
    "usage.finding": EVERYBODY,
    "usage.fixaccess": {"ada": ALL_VERBS},
    "usage.tracker": {"ada": ALL_VERBS},
}
# Whoever holds the shell of the server runs them, and no page, API or task does; each run is in the audit log.
COMMANDS = {
    *("audit_log", "backup", "check_books", "complete_commitments", "erase_person", "evaluate_budgets", "export_focus"),
    *("find_waste", "load_bill", "load_invoices", "load_rates", "load_usage_facts", "make_catalogs", "mcp_server"),
    *("move_files", "prepare_database", "prune_bills", "reassign_owners", "rebuild_compliance", "rebuild_rollups"),
    *("recommend_commitments", "reconcile_invoices", "remove_demo", "restore", "restore_drill", "run_controls"),
    *("seed_demo", "send_reports", "store_kpis"),
}
# Tasks that beat does not begin: the service that queues each asks who may. No page or API takes the name of a task; in
# the admin an administrator begins those of the schedule.
QUEUED = {
    "budgets.tasks.evaluate_months": "a bill that counts",
    "budgets.tasks.run_control": "budgets.run_controlchangeset",
    "costs.tasks.load_delivery": "costs.add_delivery",
    "costs.tasks.split_by_bill": "a bill that counts",
    "costs.tasks.synchronise_source": "costs.change_source",
    "costs.tasks.write_focus_export": "costs.view_delivery",
    "finops_site.tasks.write_export": "who asked, for what she sees",
    "programme.tasks.make_report_run": "programme.view_madereport",
    "reservations.tasks.buy_purchase": "reservations.buy_purchaserequest",
    "reservations.tasks.compute_plan": "reservations.add_plan",
    "reservations.tasks.refresh_months": "a bill that counts",
    "tagging.tasks.apply_change_set": "tagging.apply_changeset",
    "tagging.tasks.apply_ownership": "tagging.change_ownershiprule",
    "tagging.tasks.apply_virtual_tags": "tagging.add_virtualtag",
    "usage.changes.tasks.work_on_change_set": "usage.apply_fixset",
    "usage.tasks.evaluate_resources": "a bill that counts",
    "usage.tasks.read_connection": "usage.change_connection",
}
# Who reads cost with a role that somebody made: an auditor of the whole company, and a partner who sees one account.
AUDITOR = RoleWish("Auditor", "finance", ("see-costs", "company"))
PARTNER = RoleWish("Partner", "executive", ("see-costs",), cost_scope={"account": ["000000000042"]})


@cache
def routes():
    """{name: (arguments that fit its pattern, its view)} of every address of the table."""

    def walk(patterns, prefix="", names=()):
        for entry in patterns:
            here = (*names, *entry.pattern.regex.groupindex)
            if isinstance(entry, URLPattern):
                yield f"{prefix}{entry.name}", here, entry.callback
            else:
                yield from walk(entry.url_patterns, f"{prefix}{entry.namespace}:" if entry.namespace else prefix, here)

    return {
        name: (dict.fromkeys(here), view) for name, here, view in walk(get_resolver().url_patterns) if name in ACCESS
    }


def verbs_of(view):
    """The verbs by which an address changes something."""
    cls = getattr(view, "view_class", None) or getattr(view, "cls", None)
    actions = getattr(view, "actions", None)
    allowed = actions or {name for name in getattr(cls, "http_method_names", ()) if hasattr(cls, name)}
    # Of Django's own forms a PUT is their POST.
    as_post = {"put"} if cls is not None and issubclass(cls, ProcessFormView) else set()
    return [verb for verb in CHANGING if verb in allowed and verb not in as_post]


def changes():
    """Every (address, verb) that changes something."""
    return [(name, verb) for name, (_arguments, view) in sorted(routes().items()) for verb in verbs_of(view)]


def address(name):
    """An address of that name, of something that need not be there."""
    for value in ("1", "x", "0" * 32, "2026-03", "csv"):
        try:
            return reverse(name, kwargs=dict.fromkeys(routes()[name][0], value))
        except NoReverseMatch:
            continue
    raise AssertionError(f"no value fits the address {name}")


def test_nobody_changes_anything_by_any_verb(client, db):
    answers = {
        f"{verb} {name}": getattr(client, verb)(address(name)) for name, verb in changes() if name not in OPEN_TO_NOBODY
    }
    assert len(answers) > 200
    came_in = {
        what: answer.status_code
        for what, answer in answers.items()
        if answer.status_code not in (401, 403, 404, 405)
        and not (answer.status_code == 302 and answer["Location"].startswith("/accounts/login/"))
    }
    assert came_in == {}


def test_a_page_is_changed_by_sending_its_form_alone():
    odd = [(name, verb) for name, verb in changes() if verb != "post" and not name.startswith(("api:", "scim:"))]
    assert odd == []


def reading_cost():
    """The addresses of the table that read cost, and what they ask of who opens them."""
    names = [name for name in ACCESS if name.startswith("costs:") or name.startswith(("api:cost-line", "api:charge-"))]
    return sorted(name for name in [*names, "api:spend", "api:changes", "api:team-list", "api:team-detail", "home"])


def test_roles_that_somebody_made_read_cost_as_the_table_says(a_line, ada):
    for name, wish in (("max", AUDITOR), ("ola", PARTNER)):
        save_role(wish, by=ada)
        invitations.set_role(person(name), wish.name)
    person("ola").memberships.all().delete()
    browsers = {who: signed_in(person(who)) for who in ("max", "ola")}
    different = {}
    for name in reading_cost():
        # The auditor reads what executives read, the partner the line of her account as its engineer, and no team.
        expected = {"max": ACCESS[name]["max"], "ola": ACCESS[name]["eli"]}
        if name in ("costs:team", "api:team-detail"):
            expected["ola"] = 404
        with transaction.atomic():
            url = reverse(name, args=test_access.arguments(name, a_line)) + test_access.QUERIES.get(name, "")
            statuses = {who: browser.get(url).status_code for who, browser in browsers.items()}
            transaction.set_rollback(True)
        if statuses != expected:
            different[name] = (statuses, expected)
    assert different == {}


def test_every_page_of_the_admin_is_in_the_table_for_everybody(people):
    allowed = {}
    for model, model_admin in admin.site._registry.items():
        allowed[model._meta.label_lower] = {}
        for name, user in people.items():
            request = RequestFactory().get("/")
            request.user = user
            verbs = [
                verb
                for verb in ("view", "add", "change", "delete")
                if getattr(model_admin, f"has_{verb}_permission")(request)
            ]
            if verbs:
                allowed[model._meta.label_lower][name] = " ".join(verbs)
    assert allowed == ADMIN


def test_every_command_is_in_the_table_and_no_page_runs_one():
    ours = {pillar.name for pillar in installed_pillars()}
    assert {name for name, of in get_commands().items() if of in ours} == COMMANDS
    running = re.compile(r"\bcall_command\(")
    callers = {
        path.relative_to(ROOT).as_posix()
        for folder in ours
        for path in (ROOT / folder).rglob("*.py")
        if running.search(path.read_text()) and "management" not in path.parts
    }
    # A restore is a command itself.
    assert callers == {"finops_site/ops/restore.py"}


def test_every_task_is_begun_by_beat_or_by_a_service_that_asks_who_may():
    app.loader.import_default_modules()
    ours = tuple(f"{pillar.name}." for pillar in installed_pillars())
    tasks = {name for name in app.tasks if name.startswith(ours)}
    assert tasks - {entry["task"] for entry in beat_schedule().values()} == set(QUEUED)


def counted():
    """How many addresses, and how many (address, person, verb), the tests look at."""
    of_admin = len(ADMIN) * len(NAMES[1:]) * 4
    return len(ACCESS), len(ACCESS) * len(NAMES) + len(changes()) + 2 * len(reading_cost()) + of_admin


def test_the_documentation_says_how_many_there_are():
    text = " ".join((ROOT / "docs" / "security.md").read_text().split())
    written = re.search(r"more than ([\d,]+) addresses .*? more than ([\d,]+) combinations", text)
    assert written
    for number, counts in zip(written.groups(), counted(), strict=True):
        least = int(number.replace(",", ""))
        assert least <= counts < least * 1.1, f"docs/security.md says {number} of {counts}"
