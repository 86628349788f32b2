"""Fay puts accounts together; cost is grouped and filtered by the groups wherever it is asked."""

from decimal import Decimal

import pytest

from costs.account_groups import BadGroup, read_accounts, save_group
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import AccountGroup, GroupedAccount
from costs.query.question import Question
from costs.query.spend import find_spend
from finops_site.lib.periods import Month
from tests import bills

MARCH = Month(2026, 3)
DAYS = {"from": "2026-03", "to": "2026-03"}


@pytest.fixture
def bill(people, tmp_path):
    rows = [
        {"BilledCost": "1", "SubAccountId": "111", "SubAccountName": "Shop", "ResourceId": "a"},
        {"BilledCost": "2", "SubAccountId": "222", "SubAccountName": "Data", "ResourceId": "b"},
        {"BilledCost": "4", "SubAccountId": "333", "SubAccountName": "Data", "ResourceId": "c"},
    ]
    (received,) = receive_bill("northwind", [bills.write(tmp_path, "march.csv", bills.focus_csv(rows))])
    load_bill(received.delivery)


def by_group(user):
    rows = find_spend(user, Question(MARCH.period, ("account_group",)))
    return {row.group[0]: row.amount for row in rows}


def test_the_groups_and_the_rest_sum_to_the_bill(bill, fay, client_of):
    client = client_of(fay)
    answer = client.post("/costs/account-groups/add/", {"name": "Customer A", "accounts": "Shop\n222"})
    assert answer.status_code == 302
    group = AccountGroup.objects.get()
    assert by_group(fay) == {str(group.pk): Decimal(3), "none": Decimal(4)}
    page = client.get("/costs/", {"account_group": "Customer A", **DAYS})
    assert [one["total"] for one in page.context["answers"]] == [3]
    rest = client.get(
        "/api/v1/spend/", {"account_group__not": "Customer A", "group_by": "account_group", **DAYS}
    ).json()
    assert [(row["account_group"], row["billed_cost"]) for row in rest["results"]] == [(None, "4")]
    begins = client.get("/api/v1/spend/", {"account_group__prefix": "cust", **DAYS}).json()
    assert begins["totals"] == {"USD": "3"}
    assert "Customer A" in client.get("/costs/", {"group_by": "account_group", **DAYS}).content.decode()
    assert "111; 222" in client.get("/costs/account-groups/?_export=csv").getvalue().decode("utf-8-sig")


def test_a_changed_group_changes_the_answer_at_once(bill, fay, client_of):
    save_group(AccountGroup(name="Customer A"), ["111"])
    group = AccountGroup.objects.get()
    client, url = client_of(fay), f"/costs/account-groups/{group.pk}/"
    assert client.get("/api/v1/spend/", {"account_group": "Customer A", **DAYS}).json()["totals"] == {"USD": "1"}
    client.post(url, {"name": "Customer A", "accounts": "333"})
    assert client.get("/api/v1/spend/", {"account_group": "Customer A", **DAYS}).json()["totals"] == {"USD": "4"}
    assert list(GroupedAccount.objects.values_list("account", flat=True)) == ["333"]
    client.post(url, {"name": "Customer A", "accounts": "333", "remove": "on"})
    assert by_group(type(fay).objects.get(pk=fay.pk)) == {"none": Decimal(7)}


def test_an_account_is_in_one_group(bill, fay, client_of):
    save_group(AccountGroup(name="Customer A"), ["111"])
    page = client_of(fay).post("/costs/account-groups/add/", {"name": "Customer B", "accounts": "111"})
    assert "111 is in the group Customer A already" in page.content.decode()
    assert AccountGroup.objects.count() == 1, "nothing of the other is saved"
    with pytest.raises(BadGroup, match="several accounts"):
        read_accounts("Data")


def test_the_api_reads_and_writes_groups_as_the_page_does(people, client_of):
    client, url = client_of(people["fay"]), "/api/v1/account-groups/"

    def send(verb, path, body):
        return getattr(client, verb)(path, body, content_type="application/json")

    made = send("post", url, {"name": "Customer A", "accounts": ["222", "111"]})
    assert (made.status_code, made.json()["accounts"]) == (201, ["111", "222"])
    one = f"{url}{made.json()['id']}/"
    assert send("patch", one, {"description": "Shops"}).json()["accounts"] == ["111", "222"], "left out stays"
    taken = send("post", url, {"name": "Customer B", "accounts": ["111"]})
    assert taken.json() == {"accounts": ["111 is in the group Customer A already: take it out there first."]}
    assert send("post", url, {"name": "Customer A", "accounts": ["9"]}).json()["name"]
    assert send("patch", one, {"remove": True}).json() == {"remove": ["There is no such field."]}
    assert AccountGroup.objects.count() == 1
    assert client.get(url, {"format": "csv"}).content.decode().splitlines()[1].startswith(str(made.json()["id"]))
    max_ = client_of(people["max"])
    assert [row["name"] for row in max_.get(url).json()["results"]] == ["Customer A"]
    assert max_.delete(one).status_code == 403
    assert client_of(people["eli"]).get(one).status_code == 403
    assert client.delete(one).status_code == 204
    assert not GroupedAccount.objects.exists()
