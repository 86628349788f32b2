"""One name for each provider, however a bill, a file or a person writes it. Pure: no Django.

Google's own export says GCP and its FOCUS export Google Cloud; charges keep what the bill says, cost lines and
everything that stands on them have the one name.
"""

import re

from costs.formats.sql import literal

AWS, AZURE, GOOGLE, ORACLE = "AWS", "Azure", "Google Cloud", "Oracle"
# {name: the words that its other names begin with, as a regular expression of small letters that DuckDB, PostgreSQL,
# Spark and Python read alike}.
BEGINNINGS = {
    AWS: "aws|amazon",
    AZURE: "azure|microsoft",
    GOOGLE: "gcp|google",
    ORACLE: "oracle|oci",
    "Alibaba Cloud": "alibaba|aliyun",
    "Tencent Cloud": "tencent",
    "IBM Cloud": "ibm",
}


def provider_name(written: str) -> str:
    """The one name of a provider; a name that is nobody's other name stays as it is written."""
    lower = written.strip().lower()
    return next((name for name in BEGINNINGS if re.search(provider_pattern(name), lower)), written)


def provider_pattern(name: str) -> str:
    """A regular expression that all names of a provider match in small letters; empty for one that has only one name.

    It ends with a word: Googleplex is not Google.
    """
    return f"^ *({BEGINNINGS[name]})([^a-z]|$)" if name in BEGINNINGS else ""


def provider_sql(sql: str) -> str:
    """`provider_name` of a text in DuckDB's SQL; null stays null."""
    cases = " ".join(
        f"WHEN regexp_matches(lower({sql}), {literal(provider_pattern(name))}) THEN {literal(name)}"
        for name in BEGINNINGS
    )
    return f"CASE {cases} ELSE {sql} END"
