"""What an export leaves out is named or unknown: never read as another provider's bill, and never as zero."""

import csv
import io
import re
from decimal import Decimal
from itertools import combinations

import pytest

from costs import reconciliation
from costs.formats import FORMATS, detect
from costs.formats.base import BadBill, Format, Sheet, squeezed
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import Delivery
from tests import bills


class AnyHeader(Sheet):
    """A header that has whatever a format asks for; `names_of_it` holds the names."""

    @property
    def names_of_it(self) -> list[str]:
        return self.__dict__.setdefault("names", [])

    def _column(self, name: str) -> str:
        self.names_of_it.append(name)
        return f'"{name}"'


def full_header(known: Format) -> list[str]:
    """Every column that a format reads, each once."""
    header = AnyHeader({})
    for rule in (*known.aside.values(), *known.columns.values(), *filter(None, [known.period_end])):
        rule(header)
    names = [*(name.split("|")[0] for name in known.required), *header.names_of_it]
    return list({squeezed(name): name for name in reversed(names)}.values())


def without(header, columns):
    """The header without the columns, in whatever spelling (``a|b``)."""
    gone = {squeezed(name) for spellings in columns for name in spellings.split("|")}
    return Sheet({name: f'"{name}"' for name in header if squeezed(name) not in gone})


CSV_FORMATS = [known for known in FORMATS if known.name != "seed-inventory"]


@pytest.mark.parametrize("known", CSV_FORMATS, ids=lambda known: known.title)
def test_a_bill_that_lacks_a_needed_column_is_refused_by_its_own_name(known):
    header = full_header(known)
    for columns in (columns for number in (1, 2) for columns in combinations(known.required, number)):
        with pytest.raises(BadBill) as refusal:
            detect(without(header, columns), shows=lambda candidate: True)
        nearest = re.search(r"nearest is (.*), which also needs (.*)\.$", str(refusal.value))
        if not nearest:
            # Names that any bill may have are left, and show none.
            assert "none of the formats we read has this header" in str(refusal.value)
            assert known.name == "anthropic"
            continue
        # Azure's two views have one header.
        assert nearest[1].partition(" (")[0] == known.title.partition(" (")[0]
        assert set(nearest[2].split(", ")) == {name.replace("|", " or ") for name in columns}


def strip(content, *columns):
    """A CSV without the columns that have these names, or start with them where they end in a slash."""
    rows = list(csv.DictReader(io.StringIO(content.decode())))
    names = [
        name
        for name in rows[0]
        if not any(name == column or (column.endswith("/") and name.startswith(column)) for column in columns)
    ]
    return bills.csv_text(names, [{name: row[name] for name in names} for row in rows]).encode()


@pytest.fixture
def load(tmp_path, db):
    """Loads contents as the files of one delivery and returns it, its books proved."""

    def load(*contents, source="aws", name="bill.csv", **options):
        paths = [bills.write(tmp_path, f"{number}-{name}", content) for number, content in enumerate(contents)]
        (received,) = receive_bill(source, paths, **options)
        delivery = load_bill(received.delivery)
        assert [check for check in reconciliation.reconcile() if not check.holds] == []
        return delivery

    return load


@pytest.mark.parametrize(
    "columns",
    [
        ("EffectiveCost",),
        ("BillingPeriodStart",),
        ("ChargeCategory",),
        ("BilledCost",),
        ("ChargePeriodStart",),
        ("BillingPeriodStart", "BillingPeriodEnd"),
        ("EffectiveCost", "ProviderName"),
    ],
)
def test_focus_without_a_column_changes_nothing_and_names_it(load, columns):
    focus = bills.focus_csv([{"BilledCost": "10", "EffectiveCost": "9"}])
    good = load(focus)
    delivery = load(strip(focus, *columns))
    good.refresh_from_db()
    assert (delivery.status, good.status) == (Delivery.Status.FAILED, Delivery.Status.CURRENT)
    assert "nearest is FOCUS" in delivery.message
    assert columns[0] in delivery.message


def test_custom_costs_that_a_person_calls_so_may_be_no_bill_of_focus(load):
    delivery = load(strip(bills.focus_csv([{}]), "EffectiveCost"), format="datadog-custom")
    assert delivery.status == Delivery.Status.FAILED
    assert "Datadog custom costs has no column ListCost" in delivery.message


PLAN = {"savingsPlan/SavingsPlanARN": "arn:sp"}
RESERVED = {"reservation/ReservationARN": "arn:ri"}
UPFRONT, RECURRING = "reservation/UnusedAmortizedUpfrontFeeForBillingPeriod", "reservation/UnusedRecurringFee"
COVERED = PLAN | {
    "lineItem/LineItemType": "SavingsPlanCoveredUsage",
    "lineItem/UnblendedCost": "10",
    "savingsPlan/SavingsPlanEffectiveCost": "7",
    "pricing/publicOnDemandCost": "10",
}
NEGATION = PLAN | {"lineItem/LineItemType": "SavingsPlanNegation", "lineItem/UnblendedCost": "-10"}
PLAN_FEE = PLAN | {
    "lineItem/LineItemType": "SavingsPlanRecurringFee",
    "lineItem/UnblendedCost": "10",
    "savingsPlan/TotalCommitmentToDate": "10",
    "savingsPlan/UsedCommitment": "7",
    "pricing/publicOnDemandCost": "",
}
DISCOUNTED = RESERVED | {
    "lineItem/LineItemType": "DiscountedUsage",
    "lineItem/UnblendedCost": "0",
    "reservation/EffectiveCost": "5",
    "pricing/publicOnDemandCost": "6",
}
RESERVATION_FEE = RESERVED | {
    "lineItem/LineItemType": "RIFee",
    "lineItem/UnblendedCost": "6",
    UPFRONT: "1",
    RECURRING: "0",
    "pricing/publicOnDemandCost": "",
}
ROWS = (COVERED, NEGATION, PLAN_FEE, DISCOUNTED, RESERVATION_FEE)
NEEDED = (
    "savingsPlan/SavingsPlanEffectiveCost",
    "savingsPlan/TotalCommitmentToDate",
    "savingsPlan/UsedCommitment",
    "reservation/EffectiveCost",
    UPFRONT,
    RECURRING,
)
# What the column is in an Athena table and in 2.0.
PREFIXES = {"savingsPlan": "savings_plan", "lineItem": "line_item"}


def underscored(name: str) -> str:
    first, _, rest = name.partition("/")
    words = re.sub("(?<=[a-z])(?=[A-Z])", "_", rest).lower()
    return f"{PREFIXES.get(first, first)}_{words}" if rest else name


def cur(*rows, layout, leave_out=()):
    content = strip(bills.cur_csv(rows), *leave_out)
    if layout == "legacy":
        return content
    header, _, body = content.decode().partition("\n")
    names = [underscored(name.replace("user:", "user_").replace("aws:", "aws_")) for name in header.split(",")]
    more = ",bill_payer_account_name" if layout == "2.0" else ""
    return "\n".join(
        [",".join(names) + more, *(f"{line}," * bool(more) or line for line in body.splitlines())]
    ).encode()


def totals(delivery):
    sums = delivery.totals["USD"]
    return tuple(None if sums[name] is None else Decimal(sums[name]) for name in ("billed_cost", "effective_cost"))


@pytest.mark.parametrize("layout", ["legacy", "athena", "2.0"])
class TestCommitmentsOfAws:
    def test_with_all_its_columns_the_bill_is_carried_to_the_last_cent(self, load, layout):
        delivery = load(cur(*ROWS, layout=layout))
        assert delivery.format == ("aws-cur 2.0" if layout == "2.0" else "aws-cur")
        assert totals(delivery) == (16, 16), "billed 10 - 10 + 10 + 0 + 6; effective 7 + 3 + 5 + 1"
        assert "unknown" not in delivery.message

    @pytest.mark.parametrize("column", NEEDED)
    def test_a_missing_column_makes_effective_cost_unknown_and_is_named(self, load, layout, column):
        delivery = load(cur(*ROWS, layout=layout, leave_out=(column,)))
        assert delivery.status == Delivery.Status.CURRENT, delivery.message
        assert totals(delivery) == (16, None)
        assert f"The export lacks {column}" in delivery.message
        assert "the effective cost of this bill is unknown" in delivery.message

    def test_without_any_column_of_commitments_effective_cost_is_unknown(self, load, layout):
        delivery = load(cur(*ROWS, layout=layout, leave_out=("savingsPlan/", "reservation/")))
        assert totals(delivery) == (16, None)

    def test_an_account_without_commitments_misses_none_of_these_columns(self, load, layout):
        delivery = load(cur({"lineItem/UnblendedCost": "4"}, layout=layout, leave_out=("savingsPlan/", "reservation/")))
        assert totals(delivery) == (4, 4)
        assert delivery.message == ""


class TestEmptyCellsOfAws:
    @pytest.mark.parametrize("row", [COVERED, PLAN_FEE, DISCOUNTED, RESERVATION_FEE])
    def test_where_no_row_of_a_kind_has_a_value_effective_cost_is_unknown(self, load, row):
        empty = dict.fromkeys(NEEDED, "")
        delivery = load(bills.cur_csv([{"lineItem/UnblendedCost": "4"}, row | empty]))
        assert totals(delivery) == (4 + Decimal(row["lineItem/UnblendedCost"]), None)
        assert "the effective cost of this bill is unknown" in delivery.message

    @pytest.mark.parametrize("row", [COVERED, PLAN_FEE, DISCOUNTED, RESERVATION_FEE])
    def test_a_single_row_without_a_value_is_unknown_and_counted(self, load, row):
        empty = dict.fromkeys(NEEDED, "")
        one = totals(load(bills.cur_csv([row])))
        delivery = load(bills.cur_csv([row, row | empty]), source="other")
        assert totals(delivery) == (2 * one[0], one[1])
        assert re.search(r"Of [23] rows \(.*\) 1 have nothing in", delivery.message)
        assert "unknown and in no total" in delivery.message

    def test_half_a_statement_of_what_is_used_is_none(self, load):
        """10 committed and nothing said about what was used is not 10 unused."""
        assert totals(load(bills.cur_csv([PLAN_FEE | {"savingsPlan/UsedCommitment": ""}]))) == (10, None)

    def test_a_reservation_without_an_upfront_fee_has_no_part_of_one_unused(self, load):
        assert totals(load(bills.cur_csv([RESERVATION_FEE | {UPFRONT: "", RECURRING: "2"}]))) == (6, 2)

    def test_a_cell_that_is_no_number_is_a_reject_and_no_unknown(self, load):
        delivery = load(bills.cur_csv([COVERED | {"savingsPlan/SavingsPlanEffectiveCost": "n/a"}, COVERED]))
        assert (delivery.rows_rejected, totals(delivery)) == (1, (10, 7))

    def test_the_upfront_fee_of_a_reservation_is_none_of_the_month_without_its_columns(self, load):
        fee = {
            "lineItem/LineItemType": "Fee",
            "lineItem/UnblendedCost": "1000",
            "lineItem/LineItemDescription": "Sign up charge for subscription: 363836886, planId: 1026576382",
        }
        content = strip(bills.cur_csv([fee, {"lineItem/UnblendedCost": "4"}]), "reservation/", "savingsPlan/")
        assert totals(load(content)) == (1004, 4)

    def test_one_file_of_several_that_lacks_a_column_leaves_the_sum_unknown(self, load):
        lacking = strip(bills.cur_csv([COVERED]), "savingsPlan/SavingsPlanEffectiveCost")
        assert totals(load(bills.cur_csv([COVERED]), lacking)) == (20, None)


def test_an_export_without_on_demand_cost_has_no_list_cost_at_all(load):
    content = strip(bills.cur_csv([COVERED, NEGATION]), "pricing/publicOnDemandCost")
    delivery = load(content)
    assert delivery.totals["USD"]["list_cost"] is None
    assert "The export lacks pricing/publicOnDemandCost" in delivery.message
