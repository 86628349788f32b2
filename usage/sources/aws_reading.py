"""An AWS account asked what there is, what was measured and what AWS advises, by a role that only reads."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext as _

from costs.calc.providers import AWS
from costs.models import Credential
from costs.sources.aws import aws_client
from costs.sources.aws_calls import AwsAddress
from costs.sources.storage import StorageProblem
from usage.models import Connection, FactImport
from usage.sources.aws_advice import ADVICE, first_advice
from usage.sources.aws_metrics import METRICS, RIGHT, first_measurement, measurements
from usage.sources.aws_questions import QUESTIONS, Client, Lack, Question, answers, first_page
from usage.sources.readings import METRICS_LABEL, CannotRead, Reading, Row

Kind = FactImport.Kind
# Where accounts are asked who they are and which regions they have.
HOME = "us-east-1"
IDENTITY, REGIONS = "sts:GetCallerIdentity", "ec2:DescribeRegions"
# All that the role needs, in the order of the page.
RIGHTS: Sequence[str] = tuple(
    dict.fromkeys(
        [
            *(right for question in QUESTIONS for right in question.rights),
            *(REGIONS, RIGHT),
            *(question.right for question in ADVICE),
        ]
    )
)


@dataclass(frozen=True, slots=True)
class Account:
    """An account, and as whom it is asked."""

    number: str
    credential: Credential | None
    endpoint: str

    def client(self, service: str, region: str) -> Client:
        """Raises CannotRead."""
        try:
            return aws_client(service, AwsAddress(region, self.endpoint, self.credential))
        except StorageProblem as problem:
            raise CannotRead(str(problem), is_expired=True) from None


def accounts_of(connection: Connection) -> Iterator[Account]:
    """Those that are named, each by the role of the same name there; else the credential's own, by no number yet."""
    for number in connection.account_list or [""]:
        yield Account(number, _credential_in(connection.credential, number), connection.endpoint)


def _credential_in(credential: Credential | None, number: str) -> Credential | None:
    """The credential with its role in another account; it is never saved."""
    if credential is None or not number:
        return credential
    parts = credential.role_arn.split(":")
    return Credential(
        name=credential.name,
        role_arn=":".join([*parts[:4], number, *parts[5:]]),
        external_id=credential.external_id,
        sealed=credential.sealed,
    )


def identified(account: Account, region: str) -> Account:
    """The account with the number that AWS has of it. Raises CannotRead where its credentials are refused."""
    client = account.client("sts", region)
    try:
        with answers(IDENTITY):
            number = str(client.get_caller_identity()["Account"])
    except CannotRead as problem:
        if problem.is_closed:
            raise CannotRead(_("AWS does not know these credentials."), is_expired=True) from None
        raise
    return Account(number, account.credential, account.endpoint)


def regions_of(connection: Connection, account: Account) -> list[str]:
    """Those that are named, else all that are enabled in the account. Raises CannotRead."""
    if connection.region_list:
        return connection.region_list
    client = account.client("ec2", HOME)
    with answers(REGIONS):
        listed = client.describe_regions(
            Filters=[{"Name": "opt-in-status", "Values": ["opt-in-not-required", "opted-in"]}]
        )
    return sorted(one["RegionName"] for one in listed["Regions"])


def read_aws(reading: Reading) -> None:
    """Asks every account of the connection; what one does not answer stops no other. Raises CannotRead where none
    answers anything."""
    refused: list[str] = []
    accounts = list(accounts_of(reading.connection))
    for account in accounts:
        try:
            known = identified(account, (reading.connection.region_list or [HOME])[0])
            regions = regions_of(reading.connection, known)
        except CannotRead as problem:
            if len(accounts) == 1:
                raise
            refused.append(_("Account {account}: {reason}").format(account=account.number, reason=problem))
            _leave_account_out(reading, account)
            continue
        try:
            _read_account(reading, known, regions)
        except CannotRead as problem:
            # Its credentials ended under way: what came until then counts, and the rest is as it was.
            part = reading.part("accounts", _("Accounts"))
            part.problems.append(_("Account {account}: {reason}").format(account=known.number, reason=problem))
            _leave_account_out(reading, known)
    if refused:
        if len(refused) == len(accounts):
            raise CannotRead(" ".join(refused[:3]))
        reading.part("accounts", _("Accounts")).problems += refused


def _leave_account_out(reading: Reading, account: Account) -> None:
    for question in QUESTIONS:
        reading.collection.leave_out(Kind.INVENTORY, AWS, account.number, "", question.kind)
    reading.collection.leave_out(Kind.METRICS, AWS, account.number, "", "")
    for advice in ADVICE:
        reading.collection.leave_out(Kind.ADVICE, AWS, account.number, "", advice.source)


def _read_account(reading: Reading, account: Account, regions: Sequence[str]) -> None:
    buckets: list[Row] = []
    for question in QUESTIONS:
        if question.is_global:
            buckets += _ask(reading, account, regions[0], question)
    for region in regions:
        things = [row for row in buckets if row["region"] == region]
        closed = False
        for question in QUESTIONS:
            if not question.is_global and not closed:
                rows = _ask(reading, account, region, question)
                closed = rows is CLOSED
                things += rows
        if not closed:
            _read_metrics(reading, account, region, things)
    if reading.connection.with_advice:
        _read_advice(reading, account, regions)


# The answer of a region that is not enabled: nothing is there, and nothing else of it is asked.
CLOSED: list[Row] = []


def _ask(reading: Reading, account: Account, region: str, question: Question) -> list[Row]:
    """The rows of one question, with their account and region; none where it is not answered, which is noted."""
    part, lack = reading.part(f"{question.service}-{question.kind}", str(question.label)), Lack()
    try:
        rows = question.ask(account.client(question.service, region), lack)
    except CannotRead as problem:
        if problem.is_expired:
            raise
        # What is asked once says nothing of a region.
        closed = problem.is_closed and not question.is_global and _is_not_enabled(account, region)
        text = str(problem) if closed or not problem.is_closed else refused_words(question.rights[0])
        part.problems.append(_place(account, "" if question.is_global else region, text))
        if closed:
            return CLOSED
        reading.collection.leave_out(
            Kind.INVENTORY, AWS, account.number, "" if question.is_global else region, question.kind
        )
        return []
    for row in rows:
        # A thing is of the account that was asked: a shared snapshot names another as its owner.
        row["account"] = account.number
        row["region"] = row["region"] or ("" if question.is_global else region)
    part.rows += reading.collection.add(Kind.INVENTORY, rows)
    place = "" if question.is_global else region
    part.problems += [_place(account, place, text) for text in lack.texts()]
    return rows


def _is_not_enabled(account: Account, region: str) -> bool:
    """Whether the account says itself that it has not enabled a region. Raises CannotRead where its credentials ended:
    AWS answers the same to those, and what they do not see is not gone."""
    try:
        client = account.client("ec2", HOME)
        with answers(REGIONS):
            listed = client.describe_regions(RegionNames=[region], AllRegions=True)["Regions"]
    except CannotRead as problem:
        if problem.is_closed:
            raise CannotRead(_("AWS does not know these credentials."), is_expired=True) from None
        if problem.is_expired:
            raise
        return False
    return any(one.get("OptInStatus") == "not-opted-in" for one in listed)


def refused_words(right: str) -> str:
    """What is told where AWS refuses credentials that it took a moment before."""
    return _("{right}: AWS did not take these credentials.").format(right=right)


def _place(account: Account, region: str, text: str) -> str:
    return f"{account.number} {region}".strip() + f": {text}"


def _read_metrics(reading: Reading, account: Account, region: str, things: Sequence[Row]) -> None:
    if not reading.connection.with_metrics:
        return
    measured = [row for row in things if row["kind"] in METRICS]
    part = reading.part(METRICS_LABEL, _("Metrics of CloudWatch"))
    try:
        # All of a region or nothing of it: what was known of the rest stays.
        chunks = list(measurements(account.client("cloudwatch", region), measured, reading.now)) if measured else []
    except CannotRead as problem:
        if problem.is_expired:
            raise
        text = refused_words(RIGHT) if problem.is_closed else str(problem)
        part.problems.append(_place(account, region, text))
        reading.collection.leave_out(Kind.METRICS, AWS, account.number, region, "")
        return
    reading.collection.answered.add(Kind.METRICS)
    for rows in chunks:
        part.rows += reading.collection.add(Kind.METRICS, rows)


def _read_advice(reading: Reading, account: Account, regions: Sequence[str]) -> None:
    for question in ADVICE:
        part = reading.part(question.service, str(question.label))
        for region in [question.region] if question.region else regions:
            try:
                rows = question.ask(account.client(question.service, region))
            except CannotRead as problem:
                if problem.is_expired:
                    raise
                place = "" if question.region else region
                part.problems.append(_place(account, place, advice_words(problem)))
                if not problem.is_closed:
                    reading.collection.leave_out(Kind.ADVICE, AWS, account.number, place, question.source)
                continue
            part.rows += reading.collection.add(Kind.ADVICE, rows)


def advice_words(problem: CannotRead) -> str:
    """Why there is no advice: AWS gives it to accounts that asked for it."""
    return _("It is not switched on in the account.") if problem.is_closed else str(problem)


def policy_document() -> dict[str, Any]:
    """The policy of a role that may do what a reading does, and nothing else."""
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": sorted(RIGHTS), "Resource": "*"}],
    }


def missing_rights(connection: Connection) -> tuple[str, list[str], list[str]]:
    """(account, rights that are denied, other problems) of the first account and region. Raises CannotRead."""
    account = next(accounts_of(connection))
    known = identified(account, (connection.region_list or [HOME])[0])
    region = regions_of(connection, known)[0]
    denied: list[str] = []
    problems: list[str] = []
    lack = Lack()
    for question in QUESTIONS:
        try:
            first_page(known.client(question.service, region), question, lack)
        except CannotRead as problem:
            (denied if problem.right else problems).append(problem.right or str(problem))
    denied += lack.denied
    problems += [_("{right} had no answer.").format(right=right) for right in lack.unanswered]
    if connection.with_metrics:
        try:
            first_measurement(known.client("cloudwatch", region), datetime.now(UTC))
        except CannotRead as problem:
            (denied if problem.right else problems).append(problem.right or str(problem))
    for advice in ADVICE if connection.with_advice else ():
        try:
            first_advice(known.client(advice.service, advice.region or region), advice)
        except CannotRead as problem:
            words = f"{advice.label}: {advice_words(problem)}"
            (denied if problem.right else problems).append(problem.right or words)
    return known.number, denied, problems
