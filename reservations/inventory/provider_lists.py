"""Commitments completed by their provider's own list: as a file, or asked of AWS's API."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from costs.models import Credential
from costs.sources.aws import aws_client
from costs.sources.aws_calls import AwsAddress
from costs.sources.storage import StorageProblem
from reservations.calc.commitment_lists import BadList, ListedCommitment, is_transaction_csv, read_answer, read_list
from reservations.calc.stated_terms import API, StatedValue
from reservations.calc.terms import provider_of
from reservations.inventory.commitment_inventory import KnownCommitments, complete
from reservations.models import Commitment

MOST, MOST_MONTHS = Decimal(10) ** 15, 1200


@dataclass(frozen=True, slots=True)
class ListResult:
    """How many commitments a list had, how many of them are new, and how many were completed.

    `returning`: their return was asked for, and they count until it is granted.
    """

    listed: int
    new: int
    completed: int
    returning: int = 0

    @property
    def words(self) -> str:
        """What a reader should know of it beside the numbers; empty where there is nothing."""
        return (
            _("{returning} on their way back to AWS: they count until they are returned.").format(
                returning=self.returning
            )
            if self.returning
            else ""
        )


class CannotAsk(Exception):
    """AWS gave no list; the message says why, in words without any secret."""


def is_list(text: str) -> bool:
    """Whether a file is a provider's list, and not a CSV of ours."""
    header = next(csv.reader(io.StringIO(text)), [])
    return text.lstrip()[:1] in ("{", "[") or is_transaction_csv(header)


def load_list(text: str) -> ListResult:
    """Completes commitments from a list as a file. Raises BadList; then nothing was changed."""
    return store_list(read_list(text))


@transaction.atomic
def store_list(listed: Iterable[ListedCommitment]) -> ListResult:
    """Completes what is known of listed commitments, and adds those that no bill has shown; a person's value stays."""
    entries = list(listed)
    known = KnownCommitments(Commitment.objects.select_for_update())
    new = completed = 0
    for entry in entries:
        values = {name: StatedValue(value, API) for name, value in entry.values.items()}
        rows = [row] if (row := known.find(entry.provider, entry.identity)) else _of_order(known.rows, entry)
        end = entry.values.get("end")
        is_over_early = entry.is_over and (end is None or end > timezone.localdate())
        if not rows:
            if is_over_early:
                continue
            name = provider_of(entry.provider)
            rows = [Commitment(provider=name, commitment_id=entry.identity, source=Commitment.Source.API)]
            known.add(rows[0])
            new += 1
        own = values if len(rows) == 1 else {name: value for name, value in values.items() if name != "count"}
        for row in rows:
            changed = complete(row, {**own, "end": StatedValue(_ended(row, entry), API)} if is_over_early else own)
            completed += bool(changed and row.pk)
            if row.source == Commitment.Source.BILL:
                row.source = Commitment.Source.API
            _check_storable(row)
            row.save()
    return ListResult(len(entries), new, completed, sum(entry.is_returning for entry in entries))


def _ended(row: Commitment, entry: ListedCommitment) -> date:
    """The day after the last one that a bill shows, of what ended early: the list does not say when it did."""
    first = row.start or entry.values.get("start")
    last = max((day for day in (row.last_seen, first) if day), default=timezone.localdate())
    return last + timedelta(days=1)


def _check_storable(row: Commitment) -> None:
    """Raises BadList for what the database cannot hold, in the words of its column."""
    name = repr(row.commitment_id[:100])
    for field in Commitment._meta.concrete_fields:
        value = getattr(row, field.attname)
        if isinstance(value, str) and ("\0" in value or len(value) > (field.max_length or len(value))):
            raise BadList(
                _("{name}: {verbose_name} is too long, or has a NUL character in it.").format(
                    name=name, verbose_name=field.verbose_name
                )
            )
        if isinstance(value, Decimal) and not abs(value) < MOST:
            raise BadList(
                _("{name}: {verbose_name} is {value}, which cannot be right.").format(
                    name=name, verbose_name=field.verbose_name, value=value
                )
            )
    if (row.term_months or 0) > MOST_MONTHS:
        raise BadList(
            _("{name}: a term of {term_months} months cannot be right.").format(name=name, term_months=row.term_months)
        )
    if row.start and row.end and row.end <= row.start:
        raise BadList(
            _("{name}: it ends ({end}) before it starts ({start}).").format(name=name, end=row.end, start=row.start)
        )


def _of_order(known: Sequence[Commitment], entry: ListedCommitment) -> list[Commitment]:
    """The reservations of an Azure order."""
    if not entry.identity.endswith("/reservations/"):
        return []
    return [row for row in known if row.commitment_id.lower().startswith(entry.identity)]


# The client, its operation, the key of its rows, and where the next page is named: in the answer and in the question.
QUESTIONS = (
    ("savingsplans", "describe_savings_plans", "savingsPlans", ("nextToken", "nextToken")),
    ("ec2", "describe_reserved_instances", "ReservedInstances", ("", "")),
    ("rds", "describe_reserved_db_instances", "ReservedDBInstances", ("Marker", "Marker")),
    ("elasticache", "describe_reserved_cache_nodes", "ReservedCacheNodes", ("Marker", "Marker")),
)


def ask_aws(
    regions: Iterable[str], endpoint: str = "", credential: Credential | None = None, services: Sequence[str] = ()
) -> ListResult:
    """Asks AWS what is owned, in each region, and completes commitments with it. Raises CannotAsk.

    The role needs savingsplans:DescribeSavingsPlans, ec2:DescribeReservedInstances, rds:DescribeReservedDBInstances
    and elasticache:DescribeReservedCacheNodes. Savings plans belong to no region.
    """
    listed: list[ListedCommitment] = []
    for service, operation, name, tokens in QUESTIONS:
        if services and service not in services:
            continue
        for region in ("us-east-1",) if service == "savingsplans" else regions:
            try:
                client = aws_client(service, AwsAddress(region, endpoint, credential))
            except StorageProblem as problem:
                raise CannotAsk(str(problem)) from None
            for entry in read_answer({name: list(_rows(getattr(client, operation), name, tokens))}):
                values = {"region": region, **entry.values} if service != "savingsplans" else entry.values
                listed.append(replace(entry, values=values))
    return store_list(listed)


def _rows(operation: Callable[..., dict[str, Any]], name: str, tokens: tuple[str, str]) -> Iterator[dict[str, Any]]:
    from botocore.exceptions import BotoCoreError, ClientError

    query: dict[str, Any] = {}
    while True:
        try:
            page = operation(**query)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", "an error"))
            raise CannotAsk(_("AWS answered {code} to {name}.").format(code=code, name=operation.__name__)) from None
        except BotoCoreError as error:
            raise CannotAsk(_("AWS could not be asked: {name}.").format(name=type(error).__name__)) from None
        yield from page.get(name, ())
        if not tokens[0] or not page.get(tokens[0]):
            return
        query[tokens[1]] = page[tokens[0]]
