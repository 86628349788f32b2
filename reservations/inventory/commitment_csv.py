"""Commitments completed, or added, by CSV: all rows or none."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from finops_site.lib.money import ISO_4217, BadAmount, decimal_mark_of, parse_amount
from finops_site.lib.words import number_text
from finops_site.models import Team
from reservations.calc.machine_pools import system_named
from reservations.calc.stated_terms import PERSON, service_name
from reservations.calc.terms import AWS, AZURE, GOOGLE, KINDS, PAYMENTS, kind_objection, provider_of, service_of_type
from reservations.inventory.commitment_inventory import KnownCommitments
from reservations.models import Commitment


class BadCommitments(ValueError):
    """A CSV of commitments that cannot be read; the message names the row, the column and the reason."""


NEEDED = ("provider", "id", "kind")
PROVIDERS = (AWS, AZURE, GOOGLE)


DECIMALS = {name: name for name in ("count", "hourly_commitment", "upfront")} | {"recurring": "recurring_hourly"}


TEXTS = ("name", "scope", "account", "region", "unit")


DATES = ("start", "end")


PLAIN = ("term_months", "payment", "owner", "currency", "instance_type", "system", "service")


AWS_REGION = r"[a-z]{2,}(-[a-z]+)+-\d+"
# Azure also commits for a month, and for five years; everybody else for one year or three.
TERMS = {AZURE: (1, 12, 36, 60)}
MOST_COUNT = 10_000_000


COLUMNS = (*NEEDED, *PLAIN, *DATES, *DECIMALS, *TEXTS)


@transaction.atomic
def load_csv(text: str) -> int:
    """Completes commitments, or adds them: all rows or none. Returns how many. Raises BadCommitments."""
    reader = csv.DictReader(io.StringIO(text))
    missing = [name for name in NEEDED if name not in (reader.fieldnames or ())]
    if missing:
        raise BadCommitments(
            _("The header lacks {names}; it may have {names_2}.").format(
                names=", ".join(missing), names_2=", ".join(COLUMNS)
            )
        )
    teams = {team.name.lower(): team for team in Team.objects.all()}
    seen: dict[tuple[str, str], int] = {}
    known = KnownCommitments(Commitment.objects.select_for_update())
    count = 0
    rows = list(_rows(reader))
    mark = _mark(rows)
    for number, row in enumerate(rows, 2):
        cells = {name: (value or "").strip() for name, value in row.items() if name}
        key = (provider_of(cells["provider"]).lower(), cells["id"].lower())
        if key in seen:
            raise BadCommitments(
                _("Row {number}: the id {id!r} stands in row {seen} already.").format(
                    number=number, id=cells["id"], seen=seen[key]
                )
            )
        seen[key] = number
        _complete(cells, _("Row {number}").format(number=number), teams, known, mark)
        count += 1
    return count


def _mark(rows: Sequence[Mapping[str, str | None]]) -> str:
    """The decimal mark that the numbers of the file show; empty where none does. Raises BadCommitments where two do."""
    try:
        return decimal_mark_of(row.get(name) or "" for row in rows for name in DECIMALS)
    except BadAmount as error:
        raise BadCommitments(str(error)) from None


def _rows(reader: "csv.DictReader[str]") -> Iterator[dict[str, str | None]]:
    try:
        for number, row in enumerate(reader, 2):
            if None in row:
                raise BadCommitments(
                    _("Row {number}: it has more cells than the header; one with a comma needs quotes.").format(
                        number=number
                    )
                )
            for name, value in row.items():
                if "\0" in (value or ""):
                    raise BadCommitments(
                        _("Row {number}: {name} has a NUL character in it: remove it.").format(number=number, name=name)
                    )
            yield dict(row)
    except csv.Error as error:
        raise BadCommitments(
            _("Row {line_num}: this is no CSV ({error}).").format(line_num=reader.line_num, error=error)
        ) from None


def _complete(
    cells: Mapping[str, str], place: str, teams: Mapping[str, Team], known: KnownCommitments, mark: str
) -> None:
    values: dict[str, Any] = {
        name: cells[name] for name in (*TEXTS, "instance_type", "system", "service") if cells.get(name)
    }
    if not cells["id"] or not cells["provider"]:
        raise BadCommitments(_("{place}: provider and id must not be empty.").format(place=place))
    if cells["kind"] not in KINDS:
        raise BadCommitments(
            _("{place}: kind {kind!r} is none of {names}.").format(
                place=place, kind=cells["kind"], names=", ".join(KINDS)
            )
        )
    if provider_of(cells["provider"]) not in PROVIDERS and cells["kind"] != "other":
        raise BadCommitments(
            _("{place}: provider {provider!r} is none of {names}.").format(
                place=place, provider=cells["provider"], names=", ".join(PROVIDERS)
            )
        )
    if objection := kind_objection(cells["provider"], cells["kind"]):
        raise BadCommitments(f"{place}: {objection}")
    if cells.get("currency") and cells["currency"] not in ISO_4217:
        raise BadCommitments(
            _("{place}: currency {currency!r} is no code like USD or EUR.").format(
                place=place, currency=cells["currency"]
            )
        )
    if cells.get("payment") and cells["payment"] not in PAYMENTS:
        raise BadCommitments(
            _("{place}: payment {payment!r} is none of {names}.").format(
                place=place, payment=cells["payment"], names=", ".join(PAYMENTS)
            )
        )
    values |= {"kind": cells["kind"], "source": Commitment.Source.CSV}
    values |= {name: cells[name] for name in ("payment", "currency") if cells.get(name)}
    values |= {field: _number(cells[name], name, place, mark) for name, field in DECIMALS.items() if cells.get(name)}
    values |= {name: _date(cells[name], name, place) for name in DATES if cells.get(name)}
    if cells.get("term_months"):
        values["term_months"] = _term(cells, place)
    count = values.get("count")
    if count is not None and (count != count.to_integral_value() or not 1 <= count <= MOST_COUNT):
        raise BadCommitments(
            _("{place}: count {count!r} is no whole number from 1 to {most_count}.").format(
                place=place, count=cells["count"], most_count=number_text(MOST_COUNT)
            )
        )
    for name, value in {"provider": cells["provider"], "commitment_id": cells["id"], **values}.items():
        most = getattr(Commitment._meta.get_field(name), "max_length", None)
        if most and len(value) > most:
            column = "id" if name == "commitment_id" else name
            raise BadCommitments(
                _("{place}: {column} has {count} characters, and may have {most}.").format(
                    place=place, column=column, count=len(value), most=most
                )
            )
    if cells.get("owner"):
        if cells["owner"].lower() not in teams:
            raise BadCommitments(_("{place}: there is no team {owner!r}.").format(place=place, owner=cells["owner"]))
        values["owner"] = teams[cells["owner"].lower()]
    row = known.find(cells["provider"], cells["id"])
    if row is None:
        row = Commitment(provider=provider_of(cells["provider"]), commitment_id=cells["id"])
        known.add(row)
    values |= _normalised(row, values, place)
    for name, value in values.items():
        setattr(row, name, value)
    if row.start and row.end and row.end <= row.start:
        more = "" if cells.get("start") and cells.get("end") else _("; of the two the row leaves one as it is known")
        raise BadCommitments(
            _("{place}: it ends ({end}) before it starts ({start}){more}.").format(
                place=place, end=row.end, start=row.start, more=more
            )
        )
    # What a person wrote no bill and no list changes.
    row.origins |= dict.fromkeys(values.keys() - {"source", "owner"}, PERSON)
    row.save()


def _normalised(row: Commitment, values: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Service, region, type, system and scope as bills are read: ``Amazon EC2`` is EC2, ``M5.Large`` is m5.large."""
    issuer, new = provider_of(row.provider), dict[str, Any]()
    if "scope" in values:
        new["scope"] = "zonal" if "zon" in values["scope"].lower() else values["scope"].lower()
    if "region" in values:
        new["region"] = values["region"].lower().replace(" ", "") if issuer in (AZURE, GOOGLE) else values["region"]
    if issuer != AWS:
        return new
    if "region" in values:
        new["region"] = values["region"].lower()
        if not re.fullmatch(AWS_REGION, new["region"]):
            raise BadCommitments(
                _("{place}: region {region!r} is no code of a region: write it as bills do, like us-east-1.").format(
                    place=place, region=values["region"]
                )
            )
    # What DynamoDB and Fargate are counted in is no machine and has no small letters.
    machine = values.get("instance_type", row.instance_type)
    if re.search(r"[.\d]", machine):
        machine = machine.lower()
    if "instance_type" in values:
        new["instance_type"] = machine
    service = service_name(row.provider, values.get("service", row.service))
    if "service" in values:
        new["service"] = service
    if "system" in values:
        new["system"] = system_named(service or service_of_type(machine), values["system"])
    return new


def _term(cells: Mapping[str, str], place: str) -> int:
    number = _number(cells["term_months"], "term_months", place, "")
    terms = TERMS.get(provider_of(cells["provider"]), (12, 36))
    if number not in terms:
        listed = ", ".join(map(str, terms))
        raise BadCommitments(
            _("{place}: term_months {term_months!r} is none of {listed}.").format(
                place=place, term_months=cells["term_months"], listed=listed
            )
        )
    return int(number)


def _number(text: str, column: str, place: str, mark: str) -> Decimal:
    try:
        number = parse_amount(text, decimal_mark=mark)
    except BadAmount as error:
        what = _("whole number") if column == "count" else "number"
        raise BadCommitments(
            _("{place}: {column} {text!r} is no {what}. {error}").format(
                place=place, column=column, text=text, what=what, error=error
            )
        ) from None
    if number < 0 or number >= Decimal(10) ** 15:
        raise BadCommitments(
            _("{place}: {column} {text!r} cannot be right.").format(place=place, column=column, text=text)
        )
    return number


def _date(text: str, column: str, place: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadCommitments(
            _("{place}: {column} {text!r} is not a day like 2026-01-31.").format(place=place, column=column, text=text)
        ) from None
