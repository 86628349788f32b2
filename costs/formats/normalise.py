"""What a bill writes in a way of its own, read as FOCUS spells it, and noted on the row. Pure: no Django.

The note stands in the charge column `x_Normalised`; the delivery counts the rows of each note.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from costs.formats.base import Rule, Sheet, aside
from costs.formats.sql import literal

# Between the notes of one row.
SEPARATOR = "; "
# A column that the file does not have.
ABSENT = "NULL::VARCHAR"


@dataclass(frozen=True, slots=True)
class Change:
    """Where `when` is true, a charge column is read as `value`, and the row has `note`: all three are SQL.

    A note is worded to follow "1,204 rows have"; empty where another column's note says it.
    """

    when: str
    value: str
    note: str = ""


# Of a file's header, the SQL of the column as written and the SQL of the column as read, which only a note may name:
# the change, or None where the header gives no cause for one.
ChangeRule = Callable[[Sheet, str, str], Change | None]
Changes = Mapping[str, Sequence[ChangeRule]]


@dataclass(frozen=True, slots=True)
class ReadColumns:
    """`columns` with their changes made, and what they need worked out before them, in order (`aside`)."""

    columns: Mapping[str, Rule]
    aside: Mapping[str, Rule]


def normalised(columns: Mapping[str, Rule], changes: Changes) -> ReadColumns:
    """The rules of `columns` with the changes of each column made, the first that applies, and `x_Normalised`.

    Worked out in three steps, each of which the next reads from many places: the text as written, which of the changes
    applies, and the text as read.
    """

    def written(name: str) -> Rule:
        return lambda sheet: columns[name](sheet) if name in columns else None

    def changes_of(sheet: Sheet, name: str) -> list[Change]:
        text = aside(f"written {name}") if written(name)(sheet) else ABSENT
        return [change for find in changes[name] if (change := find(sheet, text, aside(f"read {name}")))]

    def chosen(name: str) -> Rule:
        def rule(sheet: Sheet) -> str | None:
            cases = [f"WHEN {change.when} THEN {number}" for number, change in enumerate(changes_of(sheet, name))]
            return f"CASE {' '.join(cases)} END" if cases else None

        return rule

    def read(name: str) -> Rule:
        def rule(sheet: Sheet) -> str | None:
            cases = [f"WHEN {number} THEN {change.value}" for number, change in enumerate(changes_of(sheet, name))]
            plain = aside(f"written {name}") if written(name)(sheet) else ABSENT
            return f"CASE {aside(f'change of {name}')} {' '.join(cases)} ELSE {plain} END" if cases else plain

        return rule

    def notes(sheet: Sheet) -> str | None:
        of_columns = {name: of_column for name in changes if (of_column := changes_of(sheet, name))}
        if not of_columns:
            return None
        is_changed = " OR ".join(f"{aside(f'change of {name}')} IS NOT NULL" for name in of_columns)
        texts = []
        for name, of_column in of_columns.items():
            cases = [f"WHEN {number} THEN {change.note or 'NULL'}" for number, change in enumerate(of_column)]
            texts.append(f"CASE {aside(f'change of {name}')} {' '.join(cases)} END")
        return f"CASE WHEN {is_changed} THEN nullif(concat_ws({literal(SEPARATOR)}, {', '.join(texts)}), '') END"

    def as_read(name: str) -> Rule:
        # A column without any change is read from where it stands: a reject names the column of the bill.
        return lambda sheet: aside(f"read {name}") if changes_of(sheet, name) else written(name)(sheet)

    return ReadColumns(
        columns=dict(columns) | {name: as_read(name) for name in changes} | {"x_Normalised": notes},
        aside={
            **{f"written {name}": written(name) for name in changes},
            **{f"change of {name}": chosen(name) for name in changes},
            **{f"read {name}": read(name) for name in changes},
        },
    )


def squeezed_sql(sql: str) -> str:
    """A text without what its writers differ in: case, and what stands between the words."""
    return f"regexp_replace(lower({sql}), '[^a-z]', '', 'g')"


def spelled(column: str, allowed: Iterable[str], spellings: Mapping[str, str]) -> ChangeRule:
    """Values of a closed list in another spelling: case, hyphens, or a word that means the same.

    `spellings` are {as written, squeezed: as FOCUS spells it}. What is in neither list stays as written.
    """
    words = {"".join(filter(str.isalpha, value.lower())): value for value in allowed} | dict(spellings)
    known = ", ".join(map(literal, words))
    exact = ", ".join(map(literal, allowed))
    cases = " ".join(f"WHEN {literal(word)} THEN {literal(value)}" for word, value in words.items())

    def find(sheet: Sheet, written: str, read: str) -> Change | None:
        if written == ABSENT:
            return None
        squeezed = squeezed_sql(written)
        return Change(
            when=f"{written} NOT IN ({exact}) AND {squeezed} IN ({known})",
            value=f"CASE {squeezed} {cases} END",
            note=f"""{literal(f'{column} written "')} || {written} || '", read as ' || {read}""",
        )

    return find


def empty_where_unassigned(column: str, is_azure: Rule) -> ChangeRule:
    """In rows for which `is_azure` (SQL) is true, "Unassigned" is the absence of a name and no name."""

    def find(sheet: Sheet, written: str, read: str) -> Change | None:
        condition = is_azure(sheet)
        if condition is None or written == ABSENT:
            return None
        # The issuer first: where it is another one, which is a look at one bit, no text is compared.
        when = f"{condition} AND {written} IN ('Unassigned', 'unassigned')"
        return Change(when, "NULL", literal(f'{column} written "Unassigned", read as empty'))

    return find
