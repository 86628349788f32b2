"""Who may open what: every address of the site and its API stands in this table, for every person.

An address that is missing here fails the test. A status for each of: nobody (not signed in), ada (administrator), fay
(finance), eli (engineer of Payments), lea (lead of Payments), ola (lead of Data), max (executive).
"""

import pytest
from django.urls import get_resolver, reverse
from django.urls.resolvers import URLPattern

from costs import exports, ingest
from costs.models import CostLine, FocusExport
from finops_site import mailbox
from finops_site.emails import make_message
from finops_site.models import Team
from finops_site.periods import Month
from tagging.models import OwnershipRule
from tests import bills

pytestmark = pytest.mark.django_db

NAMES = ("nobody", "ada", "fay", "eli", "lea", "ola", "max")
# Made and tested by the packages they come from; ours is only that they are there.
OTHERS = ("account_", "mfa_", "admin:", "socialaccount")


def row(nobody, **statuses):
    everybody = statuses.pop("all", None)
    return {"nobody": nobody} | {name: statuses.get(name, everybody) for name in NAMES[1:]}


SIGN_IN, NO_TOKEN = 302, 401
EVERYBODY = row(SIGN_IN, all=200)
WHOLE_COMPANY = row(SIGN_IN, all=403, ada=200, fay=200, max=200)
BRINGS_BILLS = row(SIGN_IN, all=403, ada=200, fay=200)
POST_ONLY = row(SIGN_IN, all=403, ada=405, fay=405)
API_EVERYBODY = row(NO_TOKEN, all=200)
API_WHOLE_COMPANY = row(NO_TOKEN, all=403, ada=200, fay=200, max=200)
LINE_OF_PAYMENTS = row(SIGN_IN, all=200, ola=404)
API_LINE_OF_PAYMENTS = row(NO_TOKEN, all=200, ola=404)
MAIL_TO_LEA = row(SIGN_IN, all=404, ada=200, lea=200)

ACCESS = {
    "home": EVERYBODY,
    "reports": EVERYBODY,
    "report": LINE_OF_PAYMENTS,
    "report_pdf": LINE_OF_PAYMENTS,
    "health": row(SIGN_IN, all=403, ada=200),
    "healthz": row(200, all=200),
    "token": EVERYBODY,
    "dev_mail": EVERYBODY,
    "dev_mail_message": MAIL_TO_LEA,
    "dev_mail_html": MAIL_TO_LEA,
    "costs:explorer": EVERYBODY,
    "costs:lines": EVERYBODY,
    "costs:line": LINE_OF_PAYMENTS,
    "costs:teams": EVERYBODY,
    "costs:team": LINE_OF_PAYMENTS,
    "costs:deliveries": WHOLE_COMPANY,
    "costs:delivery": WHOLE_COMPANY,
    "costs:delivery_row": WHOLE_COMPANY,
    "costs:delivery_progress": WHOLE_COMPANY,
    "costs:delivery_rejects": WHOLE_COMPANY,
    "costs:delivery_changes": WHOLE_COMPANY,
    "costs:delivery_withdraw": POST_ONLY,
    "costs:rates": EVERYBODY,
    "costs:rates_load": row(SIGN_IN, all=403, fay=200),
    "costs:sources": WHOLE_COMPANY,
    "costs:source_add": BRINGS_BILLS,
    "costs:source": row(SIGN_IN, all=404, ada=200, fay=200, max=403),
    "costs:source_sync": POST_ONLY,
    "costs:exports": WHOLE_COMPANY,
    "costs:export_file": WHOLE_COMPANY,
    "api:focus-export-list": API_WHOLE_COMPANY,
    "api:focus-export-detail": API_WHOLE_COMPANY,
    "api:focus-export-file": API_WHOLE_COMPANY,
    "costs:corrections": WHOLE_COMPANY,
    "costs:delivery_file": WHOLE_COMPANY,
    "costs:delivery_upload": BRINGS_BILLS,
    "costs:delivery_retry": POST_ONLY,
    "api-schema": API_EVERYBODY,
    "api-docs": EVERYBODY,
    "api:me": API_EVERYBODY,
    "api:me-token": row(NO_TOKEN, all=405),
    "api:cost-line-list": API_EVERYBODY,
    "api:cost-line-detail": API_LINE_OF_PAYMENTS,
    "api:spend": API_EVERYBODY,
    "api:team-list": API_EVERYBODY,
    "api:team-detail": API_LINE_OF_PAYMENTS,
    "api:delivery-list": API_WHOLE_COMPANY,
    "api:delivery-detail": API_WHOLE_COMPANY,
    "api:delivery-changes": API_WHOLE_COMPANY,
    "api:delivery-rejects": API_WHOLE_COMPANY,
    "api:source-list": API_WHOLE_COMPANY,
    "api:source-detail": API_WHOLE_COMPANY,
}


def addresses():
    """Every named address: {name: its pattern}; the names of namespaces are written before a colon."""

    def walk(patterns, prefix=""):
        for entry in patterns:
            if isinstance(entry, URLPattern):
                yield f"{prefix}{entry.name}"
            else:
                yield from walk(entry.url_patterns, f"{prefix}{entry.namespace}:" if entry.namespace else prefix)

    return {name for name in walk(get_resolver().url_patterns) if not name.startswith(OTHERS)}


@pytest.fixture
def a_line(people, tmp_path):
    """A line that Payments owns, by a bill of one charge."""
    team = Team.objects.get(name="Payments")
    OwnershipRule.objects.create(name="Tag Team", team=team, tag_key="Team", tag_value="Payments")
    (received,) = ingest.receive("northwind", [bills.write(tmp_path, "march.csv", bills.focus_csv([{}]))])
    ingest.load(received.delivery)
    return CostLine.objects.get()


def arguments(name, line):
    """What the address of `name` takes to lead to the line, its team or its delivery."""
    delivery = line.delivery_month.delivery
    kind, part = name.split(":")[-1], name.rpartition("-")[2]
    if kind in ("report", "report_pdf"):
        return [Month.of(line.charge_date)]
    if kind.startswith("dev_mail_"):
        return [a_mail_to_lea()]
    if kind.startswith("delivery_file"):
        return [delivery.pk, delivery.files.get().pk]
    if kind.endswith(("-list", "_upload", "_add", "_load")) or kind in (
        "deliveries",
        "lines",
        "teams",
        "explorer",
        "spend",
        "corrections",
    ):
        return []
    if kind in ("export_file", "focus-export-detail", "focus-export-file"):
        return [exports.run(FocusExport.objects.create(billing_month=line.billing_month)).pk]
    ids = {
        "cost": line.pk,
        "line": line.pk,
        "team": line.owner_id,
        "source": delivery.source_id,
        "delivery": delivery.pk,
    }
    found = ids.get(kind.replace("_", "-").split("-")[0])
    return [found] if found and (part != "list") else []


def a_mail_to_lea():
    mailbox.FolderBackend().send_messages([make_message("source-late", "lea@demo.example", {})])
    return max(path.stem for path in mailbox.folder().glob("*.eml"))


def status_for(who, url, people, client, client_of):
    browser = client if who == "nobody" else client_of(people[who])
    return browser.get(url).status_code


def test_every_address_stands_in_the_table():
    assert addresses() == set(ACCESS)


@pytest.mark.parametrize("name", sorted(ACCESS))
def test_an_address_opens_for_those_it_is_for_and_for_nobody_else(name, a_line, people, client, client_of):
    url = reverse(name, args=arguments(name, a_line))
    found = {who: status_for(who, url, people, client, client_of) for who in NAMES}
    assert found == ACCESS[name], url


def test_a_lead_sees_her_teams_lines_and_nobody_elses(a_line, lea, ola, fay, client_of):
    counts = {user.email: client_of(user).get("/api/v1/cost-lines/").json()["results"] for user in (lea, ola, fay)}
    assert [len(results) for results in counts.values()] == [1, 0, 1]


def test_a_lead_of_a_team_above_sees_the_teams_below(a_line, ola, client_of):
    Team.objects.filter(name="Payments").update(parent=Team.objects.get(name="Data"))
    assert client_of(ola).get(reverse("costs:line", args=[a_line.pk])).status_code == 200


def test_unowned_cost_is_for_those_who_see_the_company(a_line, lea, fay, client_of):
    CostLine.objects.update(owner=None)
    url = reverse("costs:line", args=[a_line.pk])
    assert client_of(lea).get(url).status_code == 404
    assert client_of(fay).get(url).status_code == 200


@pytest.mark.parametrize(("who", "status"), [("ada", 200), ("fay", 200), ("eli", 200), ("lea", 200), ("max", 302)])
def test_the_admin_opens_by_role(who, status, people, client_of):
    assert client_of(people[who]).get("/admin/").status_code == status


@pytest.mark.parametrize("model", ["costline", "delivery", "deliveryfile", "reject"])
@pytest.mark.parametrize("who", ["ada", "fay", "lea"])
def test_facts_are_read_only_to_everybody(model, who, people, client_of):
    assert client_of(people[who]).get(f"/admin/costs/{model}/add/").status_code in (403, 404)
