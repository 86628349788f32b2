"""The demo people, for tests that ask for one by name."""

from django.test import Client
from django.utils import timezone

from finops_site.mail.smtp import StoredEmail
from finops_site.models import OutgoingEmail, User
from finops_site.people import demo
from finops_site.people.tokens import TokenWish, make_token

PASSWORD = "correct horse battery staple"


def person(name: str) -> User:
    """ada, fay, eli, lea, ola or max, with the demo's teams around them."""
    email = f"{name}@{demo.DOMAIN}"
    if not User.objects.filter(email=email).exists():
        demo.make_people(PASSWORD)
    return User.objects.get(email=email)


def signed_in(user: User) -> Client:
    """A browser in which somebody is signed in."""
    client = Client()
    client.force_login(user, backend="finops_site.people.backends.RoleBackend")
    return client


def token_of(user: User, scope: str = "write", **wish: object) -> str:
    """The key of a new token of hers."""
    number = user.api_tokens.count() + 1
    return make_token(user, TokenWish(f"token {number}", scope, **wish), timezone.now())[1]


def waiting_for(user):
    """What home says waits for her."""
    return [item.text for item in signed_in(user).get("/").context["to_decide"]]


def text_of(email: OutgoingEmail) -> str:
    """What somebody reads who gets it as plain text."""
    return str(StoredEmail(bytes(email.content), email.to).body)
