"""The checklist of the first day ticks itself, by what is in the database and by nothing else."""

from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Group
from django.core import mail
from django.utils import timezone

from budgets.models import Budget
from costs.models import Delivery, Source
from finops_site.audit.context import as_person
from finops_site.first_day.checklist import checklist, next_line
from finops_site.mail import outbox
from finops_site.models import Backup, Company, DemoCompany, Membership, OutgoingEmail, Team, User
from finops_site.people import demo
from finops_site.people.company import company_name, reporting_currency
from finops_site.people.demo_rows import made_by_demo, noted_as_demo, without_demo
from finops_site.registry import SetupStep, registry
from tagging.models import OwnershipRule, TagRequirement
from tests.people import PASSWORD, signed_in

pytestmark = pytest.mark.django_db
NAMES = ["company", "sign-in", "people", "bill", "policy", "ownership", "budgets", "mail", "backup"]


@pytest.fixture
def demo_people(db):
    """The demo's people as the demo makes them: noted as its own."""
    with noted_as_demo():
        demo.make_people(PASSWORD)
    return {name: User.objects.get(email=f"{name}@{demo.DOMAIN}") for name in demo.PEOPLE}


def done(user):
    return {line.step.name for line in checklist(user) if line.is_done}


def test_nothing_of_the_demo_ticks_anything(demo_people):
    with noted_as_demo():
        source = Source.objects.create(name="Northwind (AWS)")
        Delivery.objects.create(source=source, status=Delivery.Status.CURRENT, fingerprint="a")
        OwnershipRule.objects.create(name="a", team=Team.objects.get(name="Data"), resource_pattern="x")
        Budget.objects.create(name="a", start="2026-01-01", state=Budget.State.ACTIVE)
    assert [step.name for step in registry.of(SetupStep)] == NAMES
    assert done(demo_people["ada"]) == set()


def test_a_line_is_ticked_by_what_somebody_did(demo_people, settings):
    settings.EMAIL_BACKEND, settings.EMAIL_HOST = "django.core.mail.backends.locmem.EmailBackend", "mail.example"
    ada, payments = demo_people["ada"], Team.objects.create(name="Checkout")
    Company.objects.create(name="Strand", currency="NOK")
    ivy, joe = (User.objects.create(email=f"{name}@strand.example") for name in ("ivy", "joe"))
    assert done(ada) == {"company"}
    Membership.objects.create(user=joe, team=payments)
    assert done(ada) == {"company", "people"}
    source = Source.objects.create(name="Strand (AWS)")
    Delivery.objects.create(source=source, status=Delivery.Status.HELD, fingerprint="b")
    assert next_line(ada).step.name == "sign-in"
    assert "bill" not in done(ada), "a bill that is held does not count"
    source.deliveries.update(status=Delivery.Status.CURRENT)
    with as_person(ivy):
        TagRequirement.objects.first().save()
        assert "policy" not in done(ada), "nothing was changed"
        row = TagRequirement.objects.first()
        row.description = "who answers for it"
        row.save()
    OwnershipRule.objects.create(name="b", team=payments, resource_pattern="x")
    Budget.objects.create(name="b", start="2026-01-01", state=Budget.State.ACTIVE)
    Backup.objects.create(path="/backups/a", bytes=1)
    assert done(ada) == set(NAMES) - {"mail", "sign-in"}
    Backup.objects.update(made_at=timezone.now() - timedelta(days=8))
    assert "backup" not in done(ada), "one of last week is no backup of today"


def test_sign_in_is_done_once_each_administrator_of_ones_own_has_a_second_step(demo_people):
    ivy = User.objects.create_user("ivy@strand.example", PASSWORD)
    ivy.groups.add(Group.objects.get(name="administrator"))
    Authenticator.objects.create(user=ivy, type=Authenticator.Type.RECOVERY_CODES, data={})
    assert "sign-in" not in done(ivy), "codes for the day the telephone is lost are no second step"
    Authenticator.objects.create(user=ivy, type=Authenticator.Type.TOTP, data={})
    assert "sign-in" in done(ivy), "the demo's administrator does not count"
    joe = User.objects.create_user("joe@strand.example", PASSWORD)
    joe.groups.add(Group.objects.get(name="administrator"))
    assert "sign-in" not in done(ivy)
    assert "About 2 minutes." in signed_in(ivy).get("/set-up/").content.decode()


def test_a_test_letter_ticks_the_mail_server_once_the_server_took_it(ada, settings):
    settings.EMAIL_BACKEND, settings.EMAIL_HOST = "django.core.mail.backends.locmem.EmailBackend", "mail.example"
    client = signed_in(ada)
    assert client.post("/set-up/mail/").status_code == 302
    (line,) = [line for line in checklist(ada) if line.step.name == "mail"]
    assert (line.is_done, line.words) == (None, "Not known yet")
    assert outbox.send_queued_emails(timezone.now()) == 1
    assert mail.outbox[0].to == [ada.email]
    assert "mail" in done(ada)
    settings.EMAIL_HOST = "another.example"
    assert "mail" not in done(ada), "it is another server now"
    assert "sent" in client.get("/set-up/mail/").content.decode()


def test_a_letter_into_a_folder_of_this_computer_reaches_nobody(ada, settings):
    settings.EMAIL_BACKEND = "finops_site.mail.mailbox.FolderBackend"
    OutgoingEmail.objects.create(key="test letter by  at", to=ada.email, content=b"", outcome="sent")
    assert "mail" not in done(ada)
    assert "reaches nobody" in signed_in(ada).get("/set-up/mail/").content.decode()


def test_home_leads_to_what_is_open_until_she_hides_it_and_finds_it_again(ada, eli):
    client = signed_in(ada)
    assert client.get("/").context["setup"].step.name == "company"
    assert signed_in(eli).get("/").context["setup"] is None
    assert client.post("/set-up/", {"hide": "1"})["Location"] == "/"
    assert client.get("/").context["setup"] is None
    page = client.get("/set-up/").content.decode()
    assert "Company and currency" in page
    assert '<a href="/set-up/" class="current"' in page
    client.post("/set-up/", {"show": "1"})
    assert client.get("/").context["setup"].step.name == "company"


def test_the_company_is_named_once_and_its_currency_is_one(fay, settings):
    client = signed_in(fay)
    answer = client.post("/set-up/company/", {"name": "Strand", "currency": "KRO"})
    assert "is no currency" in answer.content.decode()
    assert client.post("/set-up/company/", {"name": "Strand", "currency": "nok"}).status_code == 302
    client.post("/set-up/company/", {"name": "Strand AS", "currency": "nok"})
    assert (Company.objects.count(), company_name(), reporting_currency()) == (1, "Strand AS", "NOK")
    settings.FINOPS_COMPANY = "Northwind"
    assert company_name() == "Northwind", "the environment stands before it"


def test_what_a_table_grew_by_meanwhile_is_the_demos_and_nothing_else(db):
    before = Team.objects.create(name="before")
    with noted_as_demo():
        during = Team.objects.create(name="during")
    after = Team.objects.create(name="after")
    with noted_as_demo():
        later = Team.objects.create(name="later")
    company = DemoCompany.objects.get()
    assert set(Team.objects.filter(made_by_demo(Team, company))) == {during, later}
    assert set(without_demo(Team.objects.all())) == {before, after}
