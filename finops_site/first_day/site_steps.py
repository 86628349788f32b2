"""The lines of the checklist that are the site's own: company, people, mail, backup."""

from datetime import timedelta

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db.models import Exists, OuterRef
from django.utils import timezone

from finops_site.models import Backup, Membership, OutgoingEmail, Team, User
from finops_site.people.company import load_company
from finops_site.people.demo_rows import without_demo
from finops_site.people.roles import ADMINISTRATOR
from finops_site.registry import SetupStep
from finops_site.translation import gettext_lazy as _lazy

LETTER = "test letter"
FRESH_BACKUP = timedelta(days=7)


def mail_server() -> str:
    """The server that mail is handed to; empty where it lands in a folder of this computer."""
    return "" if settings.EMAIL_BACKEND.endswith("FolderBackend") else settings.EMAIL_HOST


def company_is_named() -> bool:
    company = load_company()
    return bool((settings.FINOPS_COMPANY or company.name) and (settings.FINOPS_REPORTING_CURRENCY or company.currency))


def people_are_in_teams() -> bool:
    """Whether there is somebody beside the first, and a team with somebody in it."""
    people = without_demo(User.objects.filter(is_active=True))
    members = Membership.objects.filter(user__in=people, team__in=without_demo(Team.objects.all()))
    return people.count() > 1 and members.exists()


def letter_arrived() -> bool | None:
    """Whether the mail server that is named now took a test letter; None while one is under way."""
    if not mail_server():
        return False
    outcomes = set(
        OutgoingEmail.objects.filter(key__startswith=f"{LETTER} by {mail_server()} ").values_list("outcome", flat=True)
    )
    if OutgoingEmail.Outcome.SENT in outcomes:
        return True
    return None if outcomes & {OutgoingEmail.Outcome.WAITING, OutgoingEmail.Outcome.UNKNOWN} else False


def administrators_have_second_step() -> bool:
    """Whether each administrator who may sign in has a second step beside the password, recovery codes not counted."""
    administrators = without_demo(User.objects.in_role(ADMINISTRATOR))
    second = Authenticator.objects.filter(user=OuterRef("pk")).exclude(type=Authenticator.Type.RECOVERY_CODES)
    return administrators.exists() and not administrators.exclude(Exists(second)).exists()


def backup_is_fresh() -> bool:
    """Whether a backup was finished in the last week."""
    made = Backup.objects.exclude(state__in=(Backup.State.RUNNING, Backup.State.FAILED))
    return made.filter(made_at__gte=timezone.now() - FRESH_BACKUP).exists()


SITE_STEPS = (
    SetupStep(
        "company",
        _lazy("Company and currency"),
        _lazy("Reports carry your name, and every page adds up in the currency you think in."),
        "company",
        company_is_named,
        "finops_site.change_company",
        10,
        minutes=1,
    ),
    SetupStep(
        "sign-in",
        _lazy("Sign-in"),
        _lazy(
            "People sign in with passwords; a second step keeps a stolen one of an administrator from "
            "opening everything."
        ),
        "mfa_index",
        administrators_have_second_step,
        "finops_site.add_user",
        15,
        minutes=2,
    ),
    SetupStep(
        "people",
        _lazy("People and teams"),
        _lazy("Each team sees its own cost, and somebody answers when it moves."),
        "people",
        people_are_in_teams,
        "finops_site.add_user",
        20,
        minutes=10,
    ),
    SetupStep(
        "mail",
        _lazy("Mail server"),
        _lazy("Alerts and invitations reach people by mail; a test letter shows that they do."),
        "test_letter",
        letter_arrived,
        "finops_site.follow_setup",
        70,
        minutes=10,
    ),
    SetupStep(
        "backup",
        _lazy("Backup"),
        _lazy(
            "One file brings everything back: run.py manage backup /backups/today.finops, every night. "
            "Try restore once, into another FINOPS_VAR."
        ),
        "health",
        backup_is_fresh,
        "finops_site.view_nightlyrun",
        80,
        minutes=10,
    ),
)
