"""Buying databases, caches, search instances and warehouse nodes through AWS's API, on botocore's own models."""

import boto3
import pytest
from botocore.stub import Stubber

from reservations.calc.aws_offerings import RESERVATION_APIS, aws_calls
from reservations.purchases.purchase_clients import (
    OutcomeUnknown,
    PurchaseRefused,
    ServiceClient,
    api_objection,
)
from tests.reservations.purchases.test_purchase_commands import ORDERS, database, order, plan

NAMES = {"RDS": "rds", "ElastiCache": "elasticache", "MemoryDB": "memorydb", "OpenSearch": "opensearch"}
NAMES |= {"Redshift": "redshift"}
SOLD = "abcdef01-89ab-cdef-0123-456789abcdef"
FOUND = "01234567-89ab-cdef-0123-456789abcdef"


@pytest.fixture(params=sorted(NAMES))
def service(request):
    """(order, client, stub, api) of a service; every call and answer is held against its model."""
    api = RESERVATION_APIS[request.param]
    boto = boto3.client(api.service, "eu-west-1", aws_access_key_id="testing", aws_secret_access_key="testing")
    with Stubber(boto) as stub:
        yield ORDERS[NAMES[request.param]], ServiceClient(boto, api), stub, api
        stub.assert_no_pending_responses()


def snake(operation):
    from botocore import xform_name

    return xform_name(operation)


def offers(one, api, *rows):
    """An answer with the offering that is wanted and others."""
    calls = aws_calls(one)
    right = {**calls.wanted, api.identity: FOUND, "FixedPrice": 876.0, "RecurringCharges": []}
    return {calls.rows: [right, *({**right, **row} for row in rows)]}


def answer(api, identity):
    values = identity
    for name in reversed(api.sold):
        values = {name: values}
    return values


def test_the_offering_is_found_among_others_with_its_price(service):
    one, client, stub, api = service
    charge = {"RecurringChargeAmount": 0.02, "RecurringChargeFrequency": "Hourly"}
    other = {api.identity: FOUND.replace("0", "f"), api.machine: ORDERS[NAMES[one.service]].instance_type[:-1]}
    priced = offers(one, api, {**other, "Duration": 94_608_000})
    for row in priced[api.rows]:
        row["RecurringCharges"] = [charge]
    stub.add_response(snake(api.find), priced, dict(aws_calls(one).query))
    offering = client.find_offering(one, [])
    assert offering.identity == FOUND
    assert {name: str(price) for name, price in offering.prices.items()} == {str(one.pool): "0.12"}


def test_two_offerings_that_fit_are_not_chosen_between(service):
    one, client, stub, api = service
    stub.add_response(snake(api.find), offers(one, api, {api.identity: FOUND.replace("0", "f")}))
    with pytest.raises(PurchaseRefused, match="sells 2 such offerings: buy it by hand"):
        client.find_offering(one, [])


def test_it_is_bought_under_its_own_name_and_found_by_it(service):
    one, client, stub, api = service
    calls = aws_calls(one)
    stub.add_response(snake(api.buy), answer(api, SOLD), {**calls.purchase, calls.offering: FOUND})
    assert client.buy(one, FOUND) == SOLD
    own = {api.machine: one.instance_type, api.count: 2, "Duration": one.seconds, "State": "active"}
    own |= {api.owned_id: one.name if api.owned_id == api.named else SOLD}
    own |= {api.named: one.name} if api.named else {}
    others = [{**own, api.count: 3}, {**own, "State": "payment-failed"}]
    if api.named:
        others.append({**own, api.named: "somebody-elses"})
    stub.add_response(snake(api.owned), {api.owned_rows: [own, *others]})
    assert client.bought_ids(one, []) == [own[api.owned_id]]
    stub.add_response(snake(api.owned), {api.owned_rows: [own]})
    assert client.bought_ids(one, [own[api.owned_id]]) == [], "it was there before"


def test_a_refusal_sold_nothing_and_a_500_may_have(service):
    one, client, stub, api = service
    stub.add_client_error(snake(api.buy), "QuotaExceeded", http_status_code=400)
    with pytest.raises(PurchaseRefused, match="AWS answered QuotaExceeded"):
        client.buy(one, FOUND)
    stub.add_client_error(snake(api.buy), "InternalFailure", http_status_code=500)
    with pytest.raises(OutcomeUnknown, match="InternalFailure"):
        client.buy(one, FOUND)


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (order(), ""),
        (plan("sp_compute"), ""),
        (database(), ""),
        (plan("sp_database"), "does not tell what this plan costs"),
        (database(system="Oracle BYOL"), "which edition of Oracle"),
        (order(service="DynamoDB", instance_type="write capacity units"), "in its console only"),
        (order(provider="Azure", kind="azure_reservation", service="Virtual Machines"), "this is Azure's"),
    ],
)
def test_the_api_buys_only_what_it_can_compare(one, words):
    assert (words in api_objection(one)) if words else api_objection(one) == ""
