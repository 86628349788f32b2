"""The commands by hand: figures to the last digit, plain errors, exit codes."""

import json

import pytest
from django.core.management import CommandError, call_command

from costs.models import Delivery, DeliveryMonth
from tests import bills

pytestmark = pytest.mark.django_db


def run(capsys, *args):
    call_command(*args)
    return json.loads(capsys.readouterr().out)


def test_load_bill_prints_what_was_read(tmp_path, capsys):
    path = bills.write(tmp_path, "march.csv", bills.focus_csv([{"BilledCost": "20.52022672899"}]))
    (figures,) = run(capsys, "load_bill", str(path), "--source", "sample", "--json")
    assert figures["totals"]["USD"]["billed_cost"] == "20.52022672899"
    assert list(figures["totals"]["USD"]) == ["billed_cost", "effective_cost", "list_cost", "contracted_cost"]
    assert figures["billing_months"] == ["2026-03"]
    assert (figures["source"], figures["format"], figures["provider"]) == ("sample", "focus 1.0", "AWS")
    assert (figures["rows_read"], figures["rows_loaded"], figures["rows_rejected"]) == (1, 1, 0)
    assert figures["status"] == "current"
    (again,) = run(capsys, "load_bill", str(path), "--source", "sample", "--json")
    assert (again["id"], again["already_delivered"]) == (figures["id"], True)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["nowhere.csv"], "nowhere.csv: no such file or folder."),
        (["{people}"], "its header has none of the columns we look for"),
        (["{good}", "--month", "2026-13"], "is not a month"),
        (["{good}", "--format", "aws-cur"], "which also needs"),
    ],
)
def test_load_bill_with_bad_input_exits_2_in_one_line(tmp_path, args, says):
    paths = {
        "people": bills.write(tmp_path, "people.csv", b"name,age\nada,36\n"),
        "good": bills.write(tmp_path, "good.csv", bills.focus_csv([{}])),
    }
    with pytest.raises(CommandError) as caught:
        call_command("load_bill", *(arg.format(**paths) for arg in args), "--source", "s")
    assert caught.value.returncode == 2
    assert says in str(caught.value) or "none of the columns" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not Delivery.objects.filter(status=Delivery.Status.CURRENT).exists()


def test_check_books_is_green_and_then_it_is_not(tmp_path, capsys):
    path = bills.write(tmp_path, "march.csv", bills.focus_csv([{"BilledCost": "1.5"}]))
    run(capsys, "load_bill", str(path), "--source", "sample", "--json")
    figures = run(capsys, "check_books", "--json")
    assert figures["green"]
    assert figures["totals"] == [
        {
            "source": "sample",
            "month": "2026-03",
            "currency": "USD",
            "billed_cost": "1.5",
            "effective_cost": "1",
            "list_cost": "1",
            "contracted_cost": "1",
        }
    ]
    DeliveryMonth.objects.update(charges=7)
    with pytest.raises(CommandError) as caught:
        call_command("check_books", "--month", "2026-03")
    assert caught.value.returncode == 1
    assert "rows of the bill" in capsys.readouterr().out


def test_rebuild_rollups_makes_lines_and_sums_anew(tmp_path, capsys):
    path = bills.write(tmp_path, "march.csv", bills.focus_csv([{"BilledCost": "1.5"}]))
    run(capsys, "load_bill", str(path), "--source", "sample", "--json")
    assert len(run(capsys, "rebuild_rollups", "--lines", "--json")["rebuilt"]) == 1
    assert run(capsys, "check_books", "--json")["green"]
