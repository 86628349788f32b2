"""What bills write in words about a commitment: its term and how it is paid. SQL over texts. Pure: no Django.

AWS: ``ComputeSP:1yrNoUpfront``, ``1 year No Upfront Compute Savings Plan``; Azure: ``P1Y``, ``Reserved VM Instance,
Standard_B1s, UK South, 3 Years``; Google: ``Commitment v1: N2 Cpu in Americas for 1 Year``.
"""

YEARS = r"'(?i)(?:^|[^0-9a-z])p?([1-5])[ -]?y(?:r|ear|\b)'"
UPFRONT = r"'(?i)(no|partial|all)[ _-]?upfront'"


def term_months(words: str) -> str:
    """SQL for the months of a term in a text; null where it names none."""
    return f"CAST(12 * TRY_CAST(regexp_extract({words}, {YEARS}, 1) AS INTEGER) AS VARCHAR)"


def payment(words: str) -> str:
    """SQL for AWS's name of a payment in a text (``No Upfront``); null where it names none."""
    share = f"lower(regexp_extract({words}, {UPFRONT}, 1))"
    return (
        f"CASE {share} WHEN 'no' THEN 'No Upfront' WHEN 'partial' THEN 'Partial Upfront' "
        f"WHEN 'all' THEN 'All Upfront' END"
    )
