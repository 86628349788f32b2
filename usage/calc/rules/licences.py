"""Licences: SQL Server where nothing is production, Windows that is owned already, seats that nobody sits on. Pure."""

from collections.abc import Sequence

from costs.calc.providers import AWS, AZURE
from costs.formats.sql import literal
from finops_site.lib.language import gettext as _
from finops_site.lib.language import gettext_noop as _noop
from finops_site.lib.words import number_text
from usage.calc.rules.base import Confidence, Effort, Fix, Lever, Risk, Rule
from usage.calc.rules.finding_sql import KEY, finding_sql, metrics_sql, saved, use_sql
from usage.calc.rules.fix_commands import FindingRow, command_fix
from usage.calc.rules.machine_sql import MACHINES, PRICE_LIST, price_join, price_of
from usage.calc.rules.type_sql import OWN


def _licence_sql(target_system: str, condition: str) -> str:
    """Machines whose system includes a licence, against the price of the same type with `target_system`."""
    price = price_of("target_price")
    return finding_sql(
        f"""
        SELECT m.*, 'compute' AS part, m.cost AS monthly_cost,
            {saved("m.open_cost", f"1 - {price} / {OWN}")} AS saving, '{Confidence.LOOK}' AS confidence,
            json_object('system', m.system, 'type', m.type, 'environment', r.environment, 'price', {OWN}) AS evidence,
            json_object('system', {literal(target_system)}, 'price', {price}) AS target
        FROM machines AS m JOIN resources AS r USING ({KEY})
        {price_join("target_price", "m.type", "m", literal(target_system))}
        {price_join("own_price", "m.type", "m")}
        WHERE {condition}
        """,
        MACHINES,
        PRICE_LIST,
    )


def _prices(finding: FindingRow) -> str:
    evidence, target = finding["evidence"], finding["target"]
    if target["price"] is None or evidence["price"] is None:
        return _("What {type} costs with {system} is on no list that is loaded.").format(
            type=evidence["type"], system=target["system"]
        )
    return _("With {system} {type} costs {price} instead of {own} {currency} an hour.").format(
        type=evidence["type"],
        system=target["system"],
        price=number_text(target["price"], 4),
        own=number_text(evidence["price"], 4),
        currency=finding["currency"],
    )


def _explain_developer(finding: FindingRow) -> str:
    evidence = finding["evidence"]
    return _(
        "It is {environment} and pays for {system}; Developer edition does the same there and costs nothing. {prices}"
    ).format(environment=evidence["environment"], system=evidence["system"], prices=_prices(finding))


def _fix_developer(finding: FindingRow) -> Sequence[Fix]:
    launch = {
        AWS: "aws ec2 run-instances --region {region} --instance-type {type} --image-id WINDOWS_IMAGE"
        "\n# Install SQL Server Developer, restore the databases, then stop the old machine:"
        "\naws ec2 stop-instances --region {region} --instance-ids {name}"
    }
    back = {AWS: "aws ec2 start-instances --region {region} --instance-ids {name}"}
    type_ = finding["evidence"]["type"]
    return command_fix(_("Move it to a machine with SQL Server Developer"), finding, launch, back, type=type_)


def _explain_hybrid(finding: FindingRow) -> str:
    return _(
        "It pays for Windows by the hour; with licences that you own (Azure Hybrid Benefit) it need not. {prices}"
    ).format(prices=_prices(finding))


def _fix_hybrid(finding: FindingRow) -> Sequence[Fix]:
    use = {AZURE: "az vm update --ids {id} --license-type Windows_Server"}
    return command_fix(
        _("Use a licence that you own"), finding, use, {AZURE: "az vm update --ids {id} --license-type None"}
    )


_seats = finding_sql(
    f"""
    SELECT s.*, '' AS part, s.cost AS monthly_cost,
        {saved("s.open_cost", "1 - seats_used_maximum / s.quantity")} AS saving, '{Confidence.LIKELY}' AS confidence,
        json_object('seats', s.quantity, 'used', seats_used_maximum, 'days', measured_days) AS evidence,
        json_object('seats', ceil(seats_used_maximum)) AS target
    FROM seats AS s JOIN measured USING ({KEY})
    WHERE s.quantity > 0
    """,
    use_sql("seats", "regexp_matches(lower(unit), 'seat|user|licen[cs]e')"),
    metrics_sql("measured", "seats_used"),
)


def _explain_seats(finding: FindingRow) -> str:
    evidence = finding["evidence"]
    return _("{seats} seats are paid; in {days} days never more than {used} were used.").format(
        seats=number_text(evidence["seats"]), days=evidence["days"], used=number_text(evidence["used"])
    )


def _no_command(finding: FindingRow) -> Sequence[Fix]:
    """Seats are given back where they were bought."""
    return ()


RULES = (
    Rule(
        name="licence_developer",
        title=_noop("SQL Server licence that is not for production"),
        lever=Lever.MODERNISE,
        effort=Effort.HIGH,
        risk=Risk.LOW,
        sql=_licence_sql(
            "Windows",
            "r.is_production = false AND m.system IN ('Windows with SQL Server Standard',"
            " 'Windows with SQL Server Enterprise', 'Windows with SQL Server Web')",
        ),
        explain=_explain_developer,
        fixes=_fix_developer,
        makes_certain=_noop("Whoever owns it confirms that no production data is served from it."),
        docs="https://learn.microsoft.com/sql/sql-server/editions-and-components-of-sql-server-2022",
    ),
    Rule(
        name="licence_owned",
        title=_noop("Windows licence that may be owned already"),
        lever=Lever.MODERNISE,
        effort=Effort.LOW,
        risk=Risk.LOW,
        sql=_licence_sql("Linux", f"m.provider = {literal(AZURE)} AND m.system = 'Windows'"),
        explain=_explain_hybrid,
        fixes=_fix_hybrid,
        makes_certain=_noop("Count the licences with Software Assurance that you own and nothing uses."),
        docs="https://learn.microsoft.com/azure/virtual-machines/windows/hybrid-use-benefit-licensing",
    ),
    Rule(
        name="licence_seats",
        title=_noop("Seats that nobody uses"),
        lever=Lever.RIGHTSIZE,
        effort=Effort.LOW,
        risk=Risk.LOW,
        sql=_seats,
        explain=_explain_seats,
        fixes=_no_command,
        makes_certain=_noop("The contract lets you give seats back before it ends."),
        needs=("metrics",),
    ),
)
