"""Fees of commitments spread over the usage they cover, so that the sum stays what it was to the last digit. Pure.

Each row of usage gets the fee times its weight over the sum of weights. The shares are differences of running sums cut
to twelve decimals, and the last row takes what is left: nothing is lost by rounding and no float is near.
"""

from costs.formats.base import Spread
from costs.formats.sql import STORED, quoted

# Weights count to a ten-thousandth and fees to 12 decimals, so that their product fits 38 digits up to a billion each.
WEIGHT_UNITS, FEE_UNITS = 10_000, 1_000_000_000_000


def spread_fees_sql(spread: Spread, table: str) -> str:
    """SQL for the rows of `table` with effective cost after spreading; groups without any weight stay as they are.

    A fee meets the usage that names its commitment. In a service where commitments are matched like that, one that no
    usage names was not used, and its fee stays; in any other, fees meet all the usage that names no matched commitment.
    """
    inside = ", ".join(map(quoted, spread.within))
    within = f"{inside}, meets"
    good = "x_Problem IS NULL"
    fee = f"{good} AND {spread.fee}"
    units = f"CAST(trunc({spread.weight} * {WEIGHT_UNITS}) AS HUGEINT)"
    weight = f"CASE WHEN {good} AND NOT ({spread.fee}) THEN {units} ELSE 0 END"
    named, other = quoted(spread.by), quoted(spread.otherwise)
    return f"""
        WITH weighed AS (
            SELECT *, row_number() OVER () AS place, coalesce({weight}, 0) AS weight FROM {table}
        ), matched AS (
            SELECT *, {named} IS NOT NULL AND bool_or({fee}) OVER same AND sum(weight) OVER same > 0 AS is_matched
            FROM weighed WINDOW same AS (PARTITION BY {inside}, {named})
        ), met AS (
            SELECT *, CASE WHEN is_matched OR ({fee}) AND {named} IS NOT NULL AND bool_or(is_matched) OVER same
                THEN 'by ' || {named} ELSE 'otherwise ' || coalesce({other}, '') END AS meets
            FROM matched WINDOW same AS (PARTITION BY {inside}, {other})
        ), summed AS (
            SELECT *, sum(CASE WHEN {fee} THEN EffectiveCost END) OVER same AS fees,
                sum(weight) OVER same AS weights,
                CAST(sum(weight) OVER running AS HUGEINT) AS reached,
                weight > 0 AND row_number() OVER backwards = 1 AS is_last
            FROM met
            WINDOW same AS (PARTITION BY {within}),
                running AS (PARTITION BY {within} ORDER BY place ROWS UNBOUNDED PRECEDING),
                backwards AS (PARTITION BY {within} ORDER BY weight > 0 DESC, place DESC)
        ), shared AS (
            SELECT *, {_cut("reached")} - {_cut("reached - weight")} AS share, {_cut("weights")} AS whole FROM summed
        )
        SELECT * EXCLUDE (place, weight, is_matched, meets, fees, weights, reached, is_last, share, whole) REPLACE (
            CAST(CASE WHEN coalesce(weights, 0) = 0 OR fees IS NULL THEN EffectiveCost
                WHEN {fee} THEN 0
                WHEN weight > 0 THEN EffectiveCost + share + CASE WHEN is_last THEN fees - whole ELSE 0 END
                ELSE EffectiveCost END AS {STORED}) AS EffectiveCost
        ) FROM shared
    """


def _cut(reached: str) -> str:
    """The part of the fees that belongs to so much weight, cut to twelve decimals."""
    units = f"CAST(trunc(fees * {FEE_UNITS}) AS HUGEINT)"
    part = f"{units} * CAST({reached} AS HUGEINT) // CAST(weights AS HUGEINT)"
    none = "coalesce(weights, 0) = 0 OR fees IS NULL"
    decimal = f"CAST(CASE WHEN {none} THEN 0 ELSE {part} END AS DECIMAL(25, 0))"
    return f"CAST({decimal} * CAST(0.000000000001 AS DECIMAL(13, 12)) AS {STORED})"
