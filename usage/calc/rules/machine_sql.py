"""Which charges are of machines, what system and size they have, and what other types cost, in DuckDB's SQL. Pure."""

from collections.abc import Mapping

from costs.calc.providers import AWS, AZURE, GOOGLE
from costs.calc.system_words import SYSTEM_WORDS
from costs.formats.sql import literal
from usage.calc.rules.finding_sql import use_sql

# EC2 user guide, "AMI billing information": the code after RunInstances.
EC2_OPERATIONS: Mapping[str, str] = {
    "0002": "Windows",
    "0800": "Windows BYOL",
    "0006": "Windows with SQL Server Standard",
    "0102": "Windows with SQL Server Enterprise",
    "0202": "Windows with SQL Server Web",
    "0010": "RHEL",
    "000g": "SUSE",
    "0g00": "Ubuntu Pro",
}
# RDS user guide: the code after CreateDBInstance.
RDS_OPERATIONS: Mapping[str, str] = {
    "0002": "MySQL",
    "0014": "PostgreSQL",
    "0016": "Aurora MySQL",
    "0018": "MariaDB",
    "0021": "Aurora PostgreSQL",
}
ENGINE_WORDS: Mapping[str, str] = {
    "aurora postgresql": "Aurora PostgreSQL",
    "aurora mysql": "Aurora MySQL",
    "postgresql": "PostgreSQL",
    "mysql": "MySQL",
    "mariadb": "MariaDB",
    "valkey": "Valkey",
    "memcached": "Memcached",
    "redis": "Redis",
}
SIZES: Mapping[str, float] = {
    **{"nano": 0.25, "micro": 0.5, "small": 1, "medium": 2, "large": 4, "xlarge": 8},
    **{f"{n}xlarge": 8 * n for n in (2, 3, 4, 6, 8, 9, 10, 12, 16, 18, 24, 32, 48)},
}
CORES = (1, 2, 4, 8, 16, 32, 48, 64, 80, 96)


def _cases(words: Mapping[str, str], template: str) -> str:
    return " ".join(f"WHEN {template.format(literal(word))} THEN {literal(name)}" for word, name in words.items())


TEXT = "lower(coalesce(description, ''))"
CODE = "split_part(coalesce(operation, ''), ':', 2)"
MACHINE_SYSTEM = (
    f"max(CASE {_cases(EC2_OPERATIONS, f'{CODE} = {{}}')} {_cases(SYSTEM_WORDS, f'contains({TEXT}, {{}})')}"
    " ELSE 'Linux' END)"
)
MULTI_AZ = f"(contains({TEXT}, 'multi-az') OR contains(coalesce(usage_type, ''), 'Multi-AZ'))"
ENGINE = (
    f"max(CASE {_cases(RDS_OPERATIONS, f'{CODE} = {{}}')} {_cases(ENGINE_WORDS, f'contains({TEXT}, {{}})')}"
    f" ELSE '' END || CASE WHEN {MULTI_AZ} THEN ' Multi-AZ' ELSE '' END)"
)
TYPE = "coalesce(nullif(instance_type, ''), nullif(regexp_extract(coalesce(usage_type, ''), ':([^:]+)$', 1), ''))"
# Bills that have no usage types repeat their description, or leave it empty.
UNNAMED = "(coalesce(usage_type, '') IN ('', description))"
IS_EC2 = "regexp_matches(lower(service), 'elastic compute cloud|^(amazon ?)?ec2')"

# Machines by the hour, and nothing that is paid beside them. Google charges cores and memory.
IS_MACHINE = f"""CASE provider
    WHEN {literal(AWS)} THEN {IS_EC2} AND {TYPE} IS NOT NULL AND (
        regexp_matches(usage_type, '(^|-)(BoxUsage|SpotUsage|DedicatedUsage|HeavyUsage)(:|$)')
        OR ({UNNAMED} AND regexp_matches(lower(unit), '^h|hour|hrs')))
    WHEN {literal(AZURE)} THEN regexp_matches(lower(service), '^virtual machines$|microsoft.compute')
        AND coalesce(instance_type, '') <> '' AND NOT contains({TEXT}, 'licens')
    WHEN {literal(GOOGLE)} THEN service = 'Compute Engine'
        AND regexp_matches({TEXT}, '(core|ram|cpu) running in') AND NOT regexp_matches({TEXT}, 'commitment|licens')
    ELSE false END"""
MACHINES = use_sql("machines", IS_MACHINE, type=f"max({TYPE})", system=MACHINE_SYSTEM)

# Instances of databases, caches and searches: what has a type and is paid by the hour.
IS_DATABASE = f"""CASE provider
    WHEN {literal(AWS)} THEN regexp_matches({TYPE}, '^(db|cache)\\.|\\.search$')
        AND regexp_matches(lower(unit), '^h|hour|hrs')
        AND NOT regexp_matches(coalesce(usage_type, ''), 'ExtendedSupport|Storage|Backup|Serverless')
    WHEN {literal(AZURE)} THEN regexp_matches(lower(service), 'database|sql|redis') AND instance_type <> ''
    WHEN {literal(GOOGLE)} THEN service = 'Cloud SQL' AND regexp_matches({TEXT}, 'vcpu|ram') ELSE false END"""
DATABASES = use_sql("databases", IS_DATABASE, type=f"max({TYPE})", system=ENGINE)

# The lowest price of an hour of each type: of several lists, the one that is really paid.
PRICE_LIST = """price_list AS (
    SELECT provider, region, item, coalesce(system, '') AS system, currency, min(price) AS price
    FROM prices
    WHERE price > 0 AND (coalesce(unit, '') = '' OR regexp_matches(lower(unit), '^h|hour|hrs'))
    GROUP BY ALL
)"""
# Of things that are not paid by the hour: gigabytes, operations, tokens.
UNIT_PRICES = """unit_prices AS (
    SELECT provider, region, item, currency, min(price) AS price FROM prices WHERE price > 0 GROUP BY ALL
)"""


def price_join(alias: str, item: str, of: str, system: str | None = None) -> str:
    """Joins the price of `item` in the place of the CTE `of`: `price_of(alias)` is null where no list has it.

    A list that names no system is of all of them.
    """
    place = f"{{0}}.provider = {of}.provider AND {{0}}.region = {of}.region AND {{0}}.currency = {of}.currency"
    wanted = system or f"{of}.system"
    own, others = alias, f"{alias}_any"
    return (
        f"LEFT JOIN price_list AS {own} ON {place.format(own)} AND {own}.item = {item} AND {own}.system = {wanted}\n"
        f"LEFT JOIN price_list AS {others} ON {place.format(others)} AND {others}.item = {item}"
        f" AND {others}.system = '' AND {wanted} <> ''"
    )


def price_of(alias: str) -> str:
    """The price that `price_join` joined under the alias."""
    return f"coalesce({alias}.price, {alias}_any.price)"


# A type is what stands before its size, the size, and what stands behind it: "m5." "large" "", "Standard_D" "4" "s_v5",
# "n2-standard-" "4" "". Units are only compared within a family.
_AWS_SIZES = ", ".join(f"({literal(AWS)}, {literal(size)}, {units})" for size, units in SIZES.items())
_CORES = ", ".join(f"({literal(name)}, '{cores}', {cores})" for name in (AZURE, GOOGLE) for cores in CORES)
SIZE_LIST = f"sizes AS (SELECT * FROM (VALUES {_AWS_SIZES}, {_CORES}) AS t(provider, size, units))"
_PATTERNS = {
    AWS: r"^((?:(?:db|cache)\.)?[a-z0-9-]+\.)([a-z0-9]+)((?:\.search)?)$",
    AZURE: r"^(Standard_[A-Z]+)(\d+)([a-z]*(?:_v\d+)?)$",
    GOOGLE: r"^([a-z]\d[a-z]?-[a-z]+-)(\d+)()$",
}


def type_part(number: int, type_: str = "type", provider: str = "provider") -> str:
    """The part of a type before its size (1), the size (2) or the part behind it (3); empty where it has none."""
    cases = " ".join(
        f"WHEN {literal(name)} THEN regexp_extract({type_}, {literal(pattern)}, {number})"
        for name, pattern in _PATTERNS.items()
    )
    return f"CASE {provider} {cases} ELSE '' END"
