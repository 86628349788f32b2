"""What the savings ledger proves, for the realised savings of the programme: by team and month."""

from datetime import date

from django.db.models import Count
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.models import Team
from finops_site.people.savings_scopes import scope_of, team_key, team_parents
from finops_site.registry import SavingsEvidence
from reservations.savings.ledger import lines_until


def ledger_evidence(user: Person, as_of: date) -> list[SavingsEvidence]:
    """What purchases saved, each month by the bills: on demand less what was paid and what stood idle for it."""
    rows = lines_until(user, as_of)
    counted = rows.order_by().values("request__team", "month", "currency").annotate(n=Count("request", distinct=True))
    purchases = {(row["request__team"], row["month"], row["currency"]): row["n"] for row in counted}
    names, parents, url = dict(Team.objects.values_list("pk", "name")), team_parents(), reverse("reservations:savings")
    evidence = []
    for row in rows.sums("request__team", "month"):
        team, month, currency = row["request__team"], row["month"], row["currency"]
        what = _("Commitments of {team}").format(team=names[team]) if team else _("Commitments of the whole company")
        text = ngettext(
            "{count} purchase: what ran under it at on-demand prices, less what was paid, by the bill.",
            "{count} purchases: what ran under them at on-demand prices, less what was paid, by the bill.",
            purchases[team, month, currency],
        )
        evidence.append(
            SavingsEvidence(
                Month.of(month),
                row["realised_sum"],
                currency,
                what,
                text.format(count=purchases[team, month, currency]),
                url,
                scope=frozenset({f"commitments of {team or 'company'}"}),
                within=frozenset({team_key(team)}) if team else scope_of(None, parents),
            )
        )
    return evidence
