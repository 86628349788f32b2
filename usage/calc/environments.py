"""Whether a resource is of production, by the tag of its environment, in SQL of DuckDB. Pure.

What no tag tells is not known: neither production nor anything that may be switched off at night.
"""

_NOT = r"(^|[^a-z])(non|not|no|pre|un)[-_ .]*(prod|production|prd|live)"
_PRODUCTION = r"(^|[^a-z])(prod|production|prd|live|produktion)([^a-z]|$)"
_OTHER = (
    r"(^|[^a-z])(dev|develop|development|test|testing|tst|qa|uat|stage|staging|stg|sandbox|sbx|demo|lab|labs|poc|ci|int"
    r"|integration|training|preview|playground|nonprod|preprod|acceptance|entwicklung)([^a-z]|$)"
)


def production_sql(environment: str) -> str:
    """SQL of the word for an environment: true, false, or null where it says neither."""
    text = f"lower({environment})"
    return f"""CASE WHEN {environment} IS NULL OR {environment} = '' THEN NULL
        WHEN regexp_matches({text}, '{_NOT}') THEN false
        WHEN regexp_matches({text}, '{_PRODUCTION}') THEN true
        WHEN regexp_matches({text}, '{_OTHER}') THEN false END"""
