"""The evidence of what is realised as rows for people and programs."""

from datetime import date
from typing import Any

from finops_site.lib.person import Person
from programme.savings_model.assumptions import savings_model
from programme.savings_model.realised import realised_savings
from programme.savings_model.template import CURRENCY


def evidence_rows(user: Person, as_of: date) -> list[dict[str, Any]]:
    """Every row that pillars prove, the newest month first, in its own currency, with what of it counts."""
    model = savings_model()
    realised = realised_savings(user, model.currency if model else CURRENCY, as_of)
    rows = [
        {
            "month": one.claim.row.month,
            "what": one.claim.row.what,
            "lever": one.claim.lever,
            "amount": one.claim.row.amount,
            "counted": one.counted,
            "currency": one.claim.row.currency,
            "source": one.claim.source,
            "evidence": one.claim.row.evidence,
            "url": one.claim.row.url,
            "same_as": ", ".join(one.same_as),
        }
        for one in realised.counted
    ]
    return sorted(rows, key=lambda row: (row["month"], row["counted"]), reverse=True)
