"""Who owns a cost line: ordered rules, the first that matches wins. Pure: no Django.

Rules are matched with each distinct (account, service, region, resource, tags), never with each line, and not one by
one: rules that look at the same things are one table, and a hash join finds those that match. Patterns of names are
DuckDB's regular expressions, which are RE2: they run in linear time whatever somebody types.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import date

import duckdb

from costs.calc.dimensions import RULE_FIELDS
from costs.calc.providers import provider_name
from costs.formats.sql import for_comparison, literal
from finops_site.lib.language import gettext as _
from finops_site.lib.words import number_text

NAMES = ("resource", "resource_name")
LONGEST_PATTERN = 500
# A counted repetition stands for as many copies of what it repeats; more than this is slow, however linear.
LARGEST_PATTERN = 2_000
PATTERNS_AT_ONCE = 50
EVER, NEVER = date(1, 1, 1), date(9999, 12, 31)


@dataclass(frozen=True, slots=True)
class OwnerRule:
    """A line belongs to `team`, or is shared in `pool`, when every condition that is not empty holds.

    `resource_pattern` is a regular expression found anywhere in the resource's id or name. A tag with a key and no
    value matches whenever the key has a value; keys and values are compared without regard to case, values also without
    regard to blanks around them. The rule holds for
    charge days from `start` (None: always) up to, not including, `end` (None: for good). A rule without any condition
    matches nothing: it would own the whole company by accident.
    """

    team: int | None
    label: str
    provider: str = ""
    billing_account: str = ""
    sub_account: str = ""
    service: str = ""
    region: str = ""
    resource_pattern: str = ""
    tag_key: str = ""
    tag_value: str = ""
    charge_category: str = ""
    commitment_status: str = ""
    pool: int | None = None
    start: date | None = None
    end: date | None = None

    def __post_init__(self) -> None:
        if (self.team is None) == (self.pool is None):
            raise ValueError(f"rule {self.label!r} names a team or a pool, one of them")

    @property
    def shape(self) -> tuple[tuple[str, ...], str, bool, bool]:
        """What the rule looks at: plain columns, a tag's key in small letters, whether its value, whether names."""
        plain = tuple(name for name in RULE_COLUMNS if getattr(self, name))
        return plain, self.tag_key.lower(), bool(self.tag_value), bool(self.resource_pattern)


# What a rule compares for equality: columns of a line, in the order in which a rule is written.
RULE_COLUMNS = tuple(field.name for field in fields(OwnerRule) if field.name in RULE_FIELDS)


@dataclass(frozen=True, slots=True)
class VirtualTag:
    """A tag that we set and the bill does not have: on one resource, on charge days from `start` up to, not including,
    `end` (None: for good). It takes the place of a delivered tag whose key differs by case alone.
    """

    provider: str
    sub_account: str
    resource: str
    key: str
    value: str
    start: date
    end: date | None = None


def signature_of(rules: Iterable[OwnerRule]) -> tuple[str, ...]:
    """The columns of a line that these rules look at, and its tag set: lines that agree in them have one owner."""
    shapes = {rule.shape for rule in rules}
    plain = [name for name in RULE_COLUMNS if any(name in shape[0] for shape in shapes)]
    return (*plain, *(NAMES if any(shape[3] for shape in shapes) else ()), "tag_set")


def boundaries(things: Iterable[OwnerRule | VirtualTag]) -> list[date]:
    """The days on which the answer of rules, or the tags of a resource, may change."""
    return sorted({day for thing in things for day in (thing.start, thing.end) if day})


def cut_sql(days: Sequence[date], column: str) -> str:
    """SQL, of PostgreSQL too, that counts how many of `days` have come by `column`: the same count, the same rules."""
    return " + ".join(f"CAST({column} >= DATE '{day}' AS INTEGER)" for day in days) or "CAST(0 AS INTEGER)"


def decide_owners(db: duckdb.DuckDBPyConnection, rules: Sequence[OwnerRule]) -> None:
    """Names the owner of each of the `signatures`: the columns `owner`, `pool` and `owner_rule` are made again.

    `signatures` has the columns of `signature_of(rules)` and `day`, a charge day on which its lines were used;
    `tag_sets` has the tags of each as the map `folded`, keys in small letters.
    """
    db.execute("""
        CREATE OR REPLACE TEMP TABLE undecided AS SELECT row_number() OVER () AS n, s.*, t.folded
        FROM signatures s JOIN (SELECT tag_set, any_value(folded) AS folded FROM tag_sets GROUP BY 1) t USING (tag_set)
    """)
    db.execute("CREATE OR REPLACE TEMP TABLE matches (n BIGINT, rule BIGINT)")
    _write_rules(db, rules)
    for shape in sorted({rule.shape for rule in rules}):
        if any(shape):
            db.execute(f"INSERT INTO matches {_matches_sql(*shape)}")
    db.execute("""
        CREATE OR REPLACE TEMP TABLE signatures AS
        SELECT a.* EXCLUDE (n, folded, owner, pool, owner_rule), r.team AS owner, r.pool AS pool,
        coalesce(r.label, '') AS owner_rule
        FROM undecided a LEFT JOIN (SELECT n, min(rule) AS rule FROM matches GROUP BY n) USING (n)
        LEFT JOIN owner_rules r ON r.number = rule
    """)
    for table in ("undecided", "matches", "owner_rules", "named"):
        db.execute(f"DROP TABLE IF EXISTS {table}")


def _write_rules(db: duckdb.DuckDBPyConnection, rules: Sequence[OwnerRule]) -> None:
    plain = ", ".join(f"{name} VARCHAR" for name in RULE_COLUMNS)
    db.execute(f"""
        CREATE OR REPLACE TEMP TABLE owner_rules (number BIGINT, team BIGINT, pool BIGINT, label VARCHAR, {plain},
        tag_key VARCHAR, tag_value VARCHAR, has_pattern BOOLEAN, first DATE, until DATE)
    """)
    rows = []
    for number, rule in enumerate(rules):
        ids = ["NULL" if pk is None else str(pk) for pk in (rule.team, rule.pool)]
        columns = {name: getattr(rule, name) for name in RULE_COLUMNS} | {"provider": provider_name(rule.provider)}
        texts = [literal(text) for text in (rule.label, *columns.values())]
        tag = [literal(rule.tag_key.lower()), for_comparison(literal(rule.tag_value))]
        days = [f"DATE '{day}'" for day in (rule.start or EVER, rule.end or NEVER)]
        rows.append(f"({', '.join([str(number), *ids, *texts, *tag, str(bool(rule.resource_pattern)), *days])})")
    if rows:
        db.execute(f"INSERT INTO owner_rules VALUES {', '.join(rows)}")
    if any(rule.resource_pattern for rule in rules):
        _find_patterns(db, rules)


def _find_patterns(db: duckdb.DuckDBPyConnection, rules: Sequence[OwnerRule]) -> None:
    """Which patterns are found in the names of which resources: a pair for each, in the table `named`.

    Fifty patterns are tried as one first; only names in which that is found are tried with each of them.
    """
    db.execute("CREATE OR REPLACE TEMP TABLE named (resource VARCHAR, resource_name VARCHAR, rule BIGINT)")
    with_pattern = [(number, rule.resource_pattern) for number, rule in enumerate(rules) if rule.resource_pattern]
    for at in range(0, len(with_pattern), PATTERNS_AT_ONCE):
        some = with_pattern[at : at + PATTERNS_AT_ONCE]
        cases = ", ".join(f"CASE WHEN {_matches_name(pattern)} THEN {number} END" for number, pattern in some)
        any_of_them = "|".join(f"(?:{pattern})" for _ignored, pattern in some)
        where = "true" if _compile_problem(any_of_them) else _matches_name(any_of_them)
        db.execute(f"""
            INSERT INTO named SELECT resource, resource_name, rule FROM (
                SELECT resource, resource_name, unnest([{cases}]) AS rule
                FROM (SELECT DISTINCT resource, resource_name FROM undecided) WHERE {where}
            ) WHERE rule IS NOT NULL
        """)


def _matches_name(pattern: str) -> str:
    return " OR ".join(f"regexp_matches({name}, {literal(pattern)})" for name in NAMES)


def _matches_sql(plain: Sequence[str], tag_key: str, has_value: bool, named: bool) -> str:
    """Every signature with every rule of one shape that matches it."""
    value = for_comparison(f"a.folded[{literal(tag_key)}]")
    tag = [f"{value} = r.tag_value" if has_value else f"coalesce({value}, '') <> ''"] if tag_key else []
    on = [
        *(f"a.{name} = r.{name}" for name in plain),
        *(f"r.{name} = ''" for name in RULE_COLUMNS if name not in plain),
        f"r.tag_key = {literal(tag_key)} AND (r.tag_value <> '') = {has_value} AND r.has_pattern = {named}",
        *tag,
        "a.day >= r.first AND a.day < r.until",
    ]
    names = " AND ".join(f"w.{name} = a.{name}" for name in NAMES)
    pattern = f"JOIN named w ON w.rule = r.number AND {names}" if named else ""
    return f"SELECT a.n, min(r.number) FROM undecided a JOIN owner_rules r ON {' AND '.join(on)} {pattern} GROUP BY a.n"


def resource_pattern_problem(pattern: str) -> str:
    """Why a resource pattern cannot be used; empty when it can."""
    if len(pattern) > LONGEST_PATTERN:
        return _("The pattern has {count} characters; {most} are the most.").format(
            count=len(pattern), most=LONGEST_PATTERN
        )
    if problem := _compile_problem(pattern):
        return _("Not a regular expression: {problem}").format(problem=problem)
    if (size := _size(pattern)) > LARGEST_PATTERN:
        return _("Written out, its repetitions are {size} characters long; {largest_pattern} are the most.").format(
            size=number_text(size), largest_pattern=number_text(LARGEST_PATTERN)
        )
    return ""


def _compile_problem(pattern: str) -> str:
    try:
        # A cursor of its own: DuckDB's one default connection refuses a second thread while it has rows to give.
        duckdb.default_connection().cursor().execute("SELECT regexp_matches('', $1)", [pattern]).fetchall()
    except duckdb.Error as error:
        return str(error).strip().splitlines()[0]
    return ""


def _size(pattern: str) -> int:
    """How long a pattern that compiles is when every {m,n} is written out."""
    # A stack of open groups: for each the size so far, and the size of its last part.
    groups: list[list[int]] = [[0, 0]]
    for token in _tokens(pattern):
        top = groups[-1]
        if token == "(":
            groups.append([0, 0])
        elif token == ")" and len(groups) > 1:
            part = groups.pop()[0]
            groups[-1] = [groups[-1][0] + part, part]
        elif token[0] == "{" and len(token) > 1:
            most = max(int(number or 0) for number in token[1:-1].split(","))
            top[0] += top[1] * max(most - 1, 0)
            top[1] *= max(most, 1)
        elif token not in "*+?":
            top[0], top[1] = top[0] + 1, 1
    return sum(group[0] for group in groups)


def _tokens(pattern: str) -> Iterator[str]:
    """The pattern's parts as `_size` needs them: an escaped letter or a class is one, so is a repetition {m,n}."""
    at = 0
    while at < len(pattern):
        end = at + 1
        if pattern[at] == "\\":
            end = at + 2
        elif pattern[at] == "[":
            end = _end_of_class(pattern, at)
        elif pattern[at] == "{":
            close = pattern.find("}", at)
            counted = pattern[at + 1 : close].replace(",", "", 1)
            end = close + 1 if close > 0 and counted.isdigit() else end
        yield pattern[at:end]
        at = end


def _end_of_class(pattern: str, at: int) -> int:
    at += 2 if pattern[at + 1 : at + 2] in "]^" else 1
    at += pattern[at - 1] == "^" and pattern[at : at + 1] == "]"
    while at < len(pattern) and pattern[at] != "]":
        at += 2 if pattern[at] == "\\" else 1
    return at + 1
