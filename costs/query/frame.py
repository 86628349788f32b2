"""The answer to any question about spend as a pandas DataFrame, for notebooks and analysts."""

from typing import TYPE_CHECKING

from costs.query.group_labels import value_labels
from costs.query.question import Question
from costs.query.spend import find_spend
from finops_site.lib.person import Person

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped]


def spend_frame(user: Person, question: Question) -> "pd.DataFrame":
    """A row for each sum: a column for each dimension, by the names people know, its step of time, currency, amount.

    Amounts are Decimal, so that sums of a frame are exact: pandas adds them as they are. An amount that the bills do
    not have is None. In ``python3 run.py manage shell``::

        frame = spend_frame(WholeCompany(), Question(parse_range("2026-01", "2026-06"), ("team",), "month"))
        frame.pivot_table(index="team", columns="month", values="billed_cost", aggfunc="sum")
    """
    # Pandas takes half a second to import: only those who want a frame wait for it.
    import pandas as pd

    rows = find_spend(user, question)
    labels = [value_labels(name, number, rows) for number, name in enumerate(question.group_by)]
    grain = [question.grain] if question.grain else []
    records = [
        [
            *(of_value.get(value, value) for of_value, value in zip(labels, row.group, strict=True)),
            *([row.bucket] if grain else []),
            row.currency,
            row.amount,
        ]
        for row in rows
    ]
    return pd.DataFrame(records, columns=[*question.group_by, *grain, "currency", question.metric], dtype=object)
