"""What people look for by name in costs: teams, services, accounts and bills."""

from collections.abc import Sequence
from urllib.parse import urlencode

from django.urls import reverse

from costs.models import DeliveryFile
from costs.query.filter_choices import values
from finops_site.lib.periods import moment_text
from finops_site.lib.person import Person
from finops_site.models import Team
from finops_site.registry import SearchHit
from finops_site.ui.search import has_words, with_words


def find_teams(user: Person, words: Sequence[str], most: int) -> list[SearchHit]:
    teams = with_words(Team.objects.visible_to(user), words, "name", "cost_center")
    return [SearchHit(team.name, reverse("costs:team", args=[team.pk]), team.cost_center) for team in teams[:most]]


def find_services(user: Person, words: Sequence[str], most: int) -> list[SearchHit]:
    return _values(user, "service", words, most)


def find_accounts(user: Person, words: Sequence[str], most: int) -> list[SearchHit]:
    return _values(user, "account", words, most)


def _values(user: Person, name: str, words: Sequence[str], most: int) -> list[SearchHit]:
    """The values of a dimension in the bills that she sees; they open in the explorer."""
    alike = [(value, label) for value, label in values(user, name) if has_words(label, words)]
    alike.sort(key=lambda choice: (len(choice[1]), choice[1].lower()))
    return [
        SearchHit(label, f"{reverse('costs:explorer')}?{urlencode({name: value})}") for value, label in alike[:most]
    ]


def find_bills(user: Person, words: Sequence[str], most: int) -> list[SearchHit]:
    """Deliveries by the names of their files and of their source, the latest first."""
    if not user.sees_whole_company:
        return []
    files = DeliveryFile.objects.select_related("delivery__source")
    rows = with_words(files, words, "name", "delivery__source__name").order_by("-delivery__received_at", "-pk")
    return [
        SearchHit(
            file.name,
            file.delivery.get_absolute_url(),
            f"{file.delivery.source.name}, {moment_text(file.delivery.received_at)}",
        )
        for file in rows[:most]
    ]
