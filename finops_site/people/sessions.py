"""Where somebody is signed in, and ending it: one session, or all of them at once."""

from allauth.usersessions.models import UserSession
from django.db import transaction
from django.db.models import F

from finops_site.models import User


def sessions_of(user: User) -> list[UserSession]:
    """Her sessions that still open something, the newest first."""
    return sorted(UserSession.objects.purge_and_list(user), key=lambda one: one.created_at, reverse=True)


def end_session(session: UserSession) -> None:
    """The browser that has it is asked to sign in."""
    session.end()


@transaction.atomic
def end_all_sessions(user: User, *, but: str = "") -> None:
    """Ends every session of a person, those too that nobody wrote down; the one with the key `but` stays where it is.

    That one is for whoever asks: its request writes its hash anew (`django.contrib.auth.update_session_auth_hash`).
    """
    User.objects.filter(pk=user.pk).update(sessions_ended=F("sessions_ended") + 1)
    user.refresh_from_db(fields=["sessions_ended"])
    for session in UserSession.objects.filter(user=user).exclude(session_key=but):
        session.end()
