"""A pasted list or a CSV of people: read with its line numbers, checked as a whole, then everybody of it is invited."""

import csv
import io
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from finops_site.lib.words import number_text
from finops_site.mail.invitations import (
    CannotChange,
    Invitation,
    PeopleHere,
    in_our_words,
    labels,
    make_person,
    problems_of,
)
from finops_site.models import User

COLUMNS = ("email", "name", "role", "team", "team_role", "cost_center")
MOST_PEOPLE = 2_000
MOST_PROBLEMS = 50

# A line of the list with its number as a person counts it, blank lines and the head too.
Row = tuple[int, list[str]]


@transaction.atomic
def invite_all(text: str, now: datetime) -> list[User]:
    """Invites everybody of a pasted list or CSV: all of them, or with CannotChange nobody.

    The first line may name the columns (COLUMNS, or as the reader's language calls them), by commas, semicolons or
    tabs; without it they are in that order. Nothing is made before every line is checked.
    """
    rows = _rows(text)
    columns = _columns(rows[0][1]) if rows else []
    people = rows[1:] if columns else rows
    if not people:
        raise CannotChange(_("There is nobody in it."))
    if len(people) > MOST_PEOPLE:
        raise CannotChange(
            _("These are {count} people: paste at most {most} at once.").format(
                count=number_text(len(people)), most=number_text(MOST_PEOPLE)
            )
        )
    invitations, problems = _invitations(people, columns or COLUMNS)
    here = PeopleHere(invitation.email for invitation in invitations.values())
    for number, reasons in _problems(invitations, here).items():
        problems.setdefault(number, []).extend(reasons)
    if problems:
        sentences = [
            _("Line {number}: {error}").format(number=number, error=" ".join(problems[number]))
            for number in sorted(problems)
        ]
        raise CannotChange(*sentences[:MOST_PROBLEMS])
    return [make_person(invitation, here, now) for invitation in invitations.values()]


def _rows(text: str) -> list[Row]:
    """The lines that have something in them. Raises CannotChange."""
    if "\0" in text:
        raise CannotChange(_("What was sent has a character in it that is none of a text (NUL)."))
    text = text.lstrip("\ufeff")
    first = next((line for line in text.splitlines() if line.strip(",;\t ")), "")
    # As an editor counts lines, whatever ends them.
    reader = csv.reader(io.StringIO(text, newline=None), delimiter=max(",;\t", key=first.count), strict=True)
    rows, number = [], 1
    try:
        for row in reader:
            cells = [" ".join(cell.split()) for cell in row]
            while cells and not cells[-1]:
                cells.pop()
            if cells:
                rows.append((number, cells))
            number = reader.line_num + 1
    except csv.Error:
        problem = _("its quotation marks cannot be read.")
        raise CannotChange(_("Line {number}: {error}").format(number=number, error=problem)) from None
    return rows


def _columns(head: Sequence[str]) -> list[str]:
    """The columns that the first line names; empty where it is a person. Raises CannotChange."""
    names = {"costcentre": "cost_center", "leadormember": "team_role"}
    names |= {_letters(name): name for name in COLUMNS} | {_letters(label): name for name, label in labels().items()}
    columns = [names.get(_letters(cell), "") for cell in head]
    if "email" not in columns:
        return []
    for number, (column, cell) in enumerate(zip(columns, head, strict=True)):
        if not column:
            raise CannotChange(
                _("There is no column {unknown!r}: use {names}.").format(unknown=cell[:80], names=", ".join(COLUMNS))
            )
        if column in columns[:number]:
            raise CannotChange(_("The first line names the column {name!r} twice.").format(name=cell))
    return columns


def _letters(text: str) -> str:
    """A name of a column without what people write differently: capitals, spaces, hyphens."""
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def _invitations(people: Sequence[Row], columns: Sequence[str]) -> tuple[dict[int, Invitation], dict[int, list[str]]]:
    """(invitations, problems) by the number of their line."""
    invitations, problems = {}, {}
    for number, cells in people:
        if len(cells) > len(columns):
            problem = _("it has {count} columns, and {known} are known.").format(count=len(cells), known=len(columns))
            problems[number] = [problem]
            continue
        values = {name: value for name, value in zip(columns, cells, strict=False) if value}
        invitations[number] = in_our_words(Invitation(**{"email": "", **values}))
    return invitations, problems


def _problems(invitations: dict[int, Invitation], here: PeopleHere) -> dict[int, list[str]]:
    """What is wrong with each line, by itself or beside those above it."""
    problems: dict[int, list[str]] = {}
    lines: dict[str, int] = {}
    centers: dict[str, tuple[int, str]] = {}
    for number, invitation in invitations.items():
        reasons = problems_of(invitation, here)
        if (line := lines.setdefault(invitation.email, number)) != number and not reasons:
            reasons.append(_("{email} stands in line {line} too.").format(email=invitation.email, line=line))
        center = invitation.cost_center
        if invitation.team and center:
            line, first = centers.setdefault(invitation.team.casefold(), (number, center))
            if first != center:
                reasons.append(
                    _("the team {team} has the cost centre {center} here and {first} in line {line}.").format(
                        team=invitation.team, center=center, first=first, line=line
                    )
                )
        if reasons:
            problems[number] = reasons
    return problems
