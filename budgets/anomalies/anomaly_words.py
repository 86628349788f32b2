"""What each pattern of an anomaly is called, what it says in a sentence, and what to do about it."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from budgets.models import Anomaly
from finops_site.lib.money import Money
from finops_site.lib.periods import day_text
from finops_site.translation import gettext_lazy as _lazy

# (words, tone, icon) of each pattern and severity.
PATTERNS = {
    "jump": (_lazy("jump"), "bad", "trending-up"),
    "shift": (_lazy("lasting rise"), "bad", "trending-up"),
    "creep": (_lazy("slow rise"), "warn", "trending-up"),
    "drop": (_lazy("drop"), "warn", "trending-down"),
}
SEVERITIES = {
    "critical": (_lazy("critical"), "bad", "alert-triangle"),
    "warning": (_lazy("warning"), "warn", "alert-triangle"),
    "information": (_lazy("information"), "calm", "info-circle"),
}
ADVICE = {
    "jump": _lazy(
        "Stop what runs away: its page names what grew. If it was planned, answer there that it was expected."
    ),
    "shift": _lazy(
        "It has lasted a week or more: find what was started or changed on its first day, and undo "
        "it or size it down; if it stays, the budget needs the higher amount."
    ),
    "creep": _lazy(
        "Nothing jumps, so nobody sees it: look for what is never deleted (snapshots, logs, storage, "
        "old machines) or grows with every release, and give it a limit or an end."
    ),
    "drop": _lazy(
        "Check that what stopped was meant to stop: a backup, a replica or a scheduled job that no "
        "longer runs costs nothing and protects nothing. If it was planned, answer that it was "
        "expected, and lower the budget."
    ),
}


@dataclass(frozen=True, slots=True)
class AnomalyWords:
    """An anomaly in words: amounts in its currency, since when, and what it makes in a month."""

    headline: str
    sentence: str
    amount: str
    advice: str


def words_of(anomaly: Anomaly) -> AnomalyWords:
    """For mails and pages: a drop costs less, a slow rise says since when, and each what to do."""
    amount, expected = (str(Money(value, anomaly.currency)) for value in (anomaly.difference, anomaly.expected))
    month = ""
    if anomaly.per_month is not None:
        month = _(", {amount} a month at this rate").format(amount=Money(anomaly.per_month, anomaly.currency))
    since, name = day_text(anomaly.day), anomaly.scope_name
    headlines = {
        "jump": _("{name} cost {amount} more than expected").format(name=name, amount=amount),
        "shift": _("{name} has cost {amount} more since {since}").format(name=name, amount=amount, since=since),
        "creep": _("{name} rises slowly: {amount} more since {since}").format(name=name, amount=amount, since=since),
        "drop": _("{name} has cost {amount} less since {since}: has something stopped?").format(
            name=name, amount=amount, since=since
        ),
    }
    sentences = {
        "jump": _("{amount} more than the {expected} expected").format(amount=amount, expected=expected),
        "shift": _("{amount} more so far than the {expected} expected").format(amount=amount, expected=expected)
        + month,
        "creep": _("{amount} more so far than the {expected} that the months before lead one to expect").format(
            amount=amount, expected=expected
        )
        + month,
        "drop": _("{amount} less so far than the {expected} expected").format(amount=amount, expected=expected) + month,
    }
    sign = "-" if anomaly.is_drop else "+"
    pattern = anomaly.pattern
    return AnomalyWords(headlines[pattern], sentences[pattern], f"{sign}{amount}", ADVICE[pattern])
