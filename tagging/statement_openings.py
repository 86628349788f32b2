"""Which leads have opened the statements of their teams: what nobody reads changes nothing."""

from datetime import datetime

from finops_site.models import Team, User
from tagging.chargeback.disputes import leads_team
from tagging.models import ChargebackPeriod, StatementOpening


def record_opening(period: ChargebackPeriod, team: Team, user: User, now: datetime) -> None:
    """Notes that somebody who leads the team opened its statement of a closed month, the first time that she does.

    Of anybody else, and of a draft, nothing is noted.
    """
    if period.is_closed and leads_team(user, team):
        StatementOpening.objects.bulk_create(
            [StatementOpening(period=period, team=team, user=user, opened_at=now)], ignore_conflicts=True
        )
