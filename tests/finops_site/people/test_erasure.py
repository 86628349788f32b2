"""Who asks to be forgotten is: her name and address go from every table, and her decisions stay one person's."""

import json
from datetime import date

import pytest
from django.core.management import call_command
from django.utils import timezone

from finops_site.models import ApiToken, AuditEntry, DemoCompany, OutgoingEmail, User
from finops_site.ops.commands import BadInput
from finops_site.people import erasure
from programme.models import DecisionPoint, Programme

pytestmark = pytest.mark.django_db


@pytest.fixture
def eli_everywhere(eli, ada):
    """Eli in a log, in a mail, in a text of JSON, and beside somebody whose address only begins like his."""
    DemoCompany.objects.create(removal_asked_by="ELI@demo.example", rows={"by": ["eli@demo.example", "Eli Navarro"]})
    OutgoingEmail.objects.create(key="a to eli@demo.example", to="eli@demo.example", content=b"x", message_id="m")
    ApiToken.objects.create(user=eli, name="notebook", key_hash="x")
    User.objects.create_user("eli@demo.example.org", "x" * 12)
    User.objects.create_user("fredeli@demo.example", "x" * 12, name="Eli Navarrotti")
    eli.name = "Eli Navarro"
    eli.save()
    return eli


def text_of_everything():
    rows = [
        *User.objects.values(),
        *OutgoingEmail.objects.values(),
        *DemoCompany.objects.values(),
        # But for the command itself, which is written down as well.
        *AuditEntry.objects.exclude(action="command").values("name", "changes", "who", "through", "address"),
    ]
    return json.dumps(rows, default=str)


def test_a_dry_run_names_every_place_and_changes_nothing(eli_everywhere, capsys):
    before = text_of_everything()
    call_command("erase_person", "eli@demo.example", "--json")
    places = {(row["table"], row["column"]): row for row in json.loads(capsys.readouterr().out)["places"]}
    assert places[("finops_site_democompany", "rows")]["outcome"] == "replaced"
    assert {"finops_site_user", "finops_site_outgoingemail", "finops_site_auditentry"} <= {table for table, _ in places}
    assert text_of_everything() == before
    assert ApiToken.objects.exists()


def test_nobody_finds_him_afterwards_and_others_are_as_they_were(eli_everywhere):
    pseudonym = erasure.pseudonym_of(eli_everywhere)
    erasure.erase(eli_everywhere)
    everything = text_of_everything()
    assert "eli@demo.example.org" in everything
    assert "fredeli@demo.example" in everything
    assert "Eli Navarrotti" in everything
    rest = (
        everything.replace("eli@demo.example.org", "").replace("fredeli@demo.example", "").replace("Eli Navarrotti", "")
    )
    assert "eli@demo.example" not in rest.lower()
    assert "Eli Navarro" not in rest
    gone = User.objects.get(pk=eli_everywhere.pk)
    assert (gone.email, gone.name, gone.is_active) == (f"{pseudonym}@erased.invalid", pseudonym, False)
    assert not gone.has_usable_password()
    assert not ApiToken.objects.exists()
    assert OutgoingEmail.objects.get(key__contains="a to").outcome == "cancelled"
    assert DemoCompany.objects.get().rows == {"by": [f"{pseudonym}@erased.invalid", pseudonym]}
    assert erasure.pseudonym_of(gone) == pseudonym, "the same however often it is asked"


def test_what_is_frozen_is_named_and_left(eli_everywhere, fay):
    programme = Programme.objects.create(name="Ninety days", start=date(2026, 1, 1))
    decision = DecisionPoint.objects.create(
        programme=programme, name="Go on?", due=date(2026, 2, 1), verdict="go", why="Eli Navarro said so",
        decided_by=fay, decided_at=timezone.now(),
    )  # fmt: skip
    traces = erasure.erase(eli_everywhere)
    (frozen,) = [trace for trace in traces if trace.outcome == erasure.Outcome.FROZEN]
    assert (frozen.table, frozen.rows) == ("programme_decisionpoint", 1)
    decision.refresh_from_db()
    assert decision.why == "Eli Navarro said so"


def test_the_only_administrator_is_not_erased(ada):
    with pytest.raises(BadInput, match="the only administrator"):
        call_command("erase_person", ada.email, "--erase")
    with pytest.raises(BadInput, match="nobody here"):
        call_command("erase_person", "joe@elsewhere.example")
