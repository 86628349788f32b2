"""Which passwords are refused: short ones, and those that are tried first, everywhere or here."""

import pytest
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from finops_site.models import Team

pytestmark = pytest.mark.django_db


def reasons(password, user=None):
    try:
        validate_password(password, user)
    except ValidationError as refused:
        return " ".join(refused.messages)
    return ""


@pytest.mark.parametrize(
    ("password", "says"),
    [
        ("hk7!pq2Zw-b", "12 characters"),
        ("1qaz2wsx3edc4rfv", "too common"),
        ("482910573628", "entirely numeric"),
        ("ada@demo.example", "similar"),
        ("FinOps-2026!!", "name of the company"),
        ("Northwind_2026", "name of the company"),
        ("payments123456", "name of the company"),
        ("welcomeFinOps1", "name of the company"),
    ],
)
def test_what_would_be_tried_first_is_refused(ada, settings, password, says):
    settings.FINOPS_COMPANY = "Northwind Traders"
    assert says in reasons(password, ada)


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "purple finops giraffe",
        "quiet-harbour-lantern",
        "пароль для кошки и луны",
        "x7" * 40 + "q!",
        "     spaces count    ",
    ],
)
def test_any_other_is_taken_whatever_it_is_made_of(ada, password):
    assert reasons(password, ada) == ""


def test_a_password_counts_as_it_was_typed(ada):
    ada.set_password("  Quiet Harbour Lantern " + "x" * 80)
    assert ada.check_password("  Quiet Harbour Lantern " + "x" * 80)
    for other in (
        "Quiet Harbour Lantern " + "x" * 80,
        "  quiet harbour lantern " + "x" * 80,
        "  Quiet Harbour Lantern ",
    ):
        assert not ada.check_password(other)


def test_a_team_with_a_short_name_hinders_nobody(ada):
    Team.objects.create(name="IT")
    assert reasons("its-a-fine-harbour", ada) == ""
