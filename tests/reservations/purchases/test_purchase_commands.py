"""Every order as a command: held against AWS's own service models, and against what the other CLIs document."""

import json
import re
import shlex
import subprocess
from decimal import Decimal

import botocore.session
import jmespath
import pytest
from botocore import xform_name
from botocore.validate import ParamValidator

from reservations.calc import purchase_files
from reservations.calc.aws_offerings import RESERVATION_APIS, ByHand, aws_calls, cache_product, rds_product
from reservations.calc.console_steps import console_steps
from reservations.calc.purchase_orders import Order, order_objection
from reservations.calc.terms import PAYMENTS, TERMS

SESSION = botocore.session.get_session()
OWN_OPTIONS = ("query", "output", "region")


def order(**changes):
    values = {"number": 7, "kind": "ri_standard", "term_months": 12, "payment": "all", "region": "eu-west-1"}
    values |= {"instance_type": "m5.large", "system": "Linux", "quantity": Decimal(2), "hourly": Decimal("0.06")}
    values |= {"upfront": Decimal(600), "currency": "USD", "token": "0c8b1a3e-53a2-4c07-9d1c-7a1b2c3d4e5f"}
    return Order(**{**values, **changes})


def database(**changes):
    return order(**{"service": "RDS", "instance_type": "db.r5.large", "system": "PostgreSQL Multi-AZ", **changes})


def plan(kind, **changes):
    where = {} if kind == "sp_ec2" else {"region": "", "instance_type": ""}
    values = {"kind": kind, "instance_type": "m5", "system": "", "quantity": Decimal("0.734"), "payment": "none"}
    return order(**{**values, **where, **changes})


ORDERS = {
    "ec2": order(),
    "ec2 zonal": order(zone="eu-west-1b"),
    "ec2 dedicated": order(tenancy="dedicated"),
    "ec2 convertible windows": order(kind="ri_convertible", system="Windows with SQL Server Web", payment="none"),
    "compute plan": plan("sp_compute"),
    "ec2 plan": plan("sp_ec2", term_months=36, payment="partial"),
    "sagemaker plan": plan("sp_sagemaker"),
    "database plan": plan("sp_database"),
    "rds": database(),
    "elasticache": order(service="ElastiCache", instance_type="cache.r6g.large", system="Redis"),
    "memorydb": order(service="MemoryDB", instance_type="db.r6g.large", system=""),
    "opensearch": order(service="OpenSearch", instance_type="r6g.large.search", system="", payment="partial"),
    "redshift": order(service="Redshift", instance_type="ra3.4xlarge", system=""),
}


def aws_commands(script):
    """(service, operation, parameters) of every call of AWS's CLI in a script, as botocore takes them."""
    calls = []
    for line in script.splitlines():
        match = re.match(r"(?:found=\$\()?(aws .*?)\)?\Z", line)
        if match:
            words = shlex.split(match[1].replace('"$1"', "'offering-0123-4567-89ab-cdef-0123456789ab'"))
            service, command = words[1:3]
            model = SESSION.get_service_model(service)
            (name,) = [name for name in model.operation_names if xform_name(name, "-") == command]
            calls.append((model.operation_model(name), *options(words[3:], model.operation_model(name).input_shape)))
    return calls


def options(words, shape):
    """(parameters by the model's names, the CLI's own options)."""
    names = {xform_name(name, "-"): name for name in shape.members}
    parameters, own = {}, {}
    while words:
        option = words.pop(0).removeprefix("--")
        values = []
        while words and not words[0].startswith("--"):
            values.append(words.pop(0))
        if option in OWN_OPTIONS:
            own[option] = values[0]
        elif not values:
            parameters[names[option.removeprefix("no-")]] = not option.startswith("no-")
        else:
            member = shape.members[names[option]]
            parameters[names[option]] = converted(values, member)
    return parameters, own


def converted(values, member):
    if member.type_name == "list" and not values[0].startswith(("[", "{")):
        kinds = {"long": int, "integer": int}
        return [kinds.get(member.member.type_name, str)(value) for value in values]
    (value,) = values
    if member.type_name in ("list", "structure", "map"):
        return json.loads(value)
    return {"integer": int, "long": int, "double": float}.get(member.type_name, str)(value)


def wrong_enums(value, shape, path=""):
    """Texts that are none of the values that the model names; botocore itself does not look."""
    if shape.type_name == "structure":
        return [bad for name in value for bad in wrong_enums(value[name], shape.members[name], f"{path}.{name}")]
    if shape.type_name == "list":
        return [bad for part in value for bad in wrong_enums(part, shape.member, path)]
    allowed = getattr(shape, "enum", None)
    return [f"{path}: {value}"] if allowed and value not in allowed else []


@pytest.mark.parametrize("order_", ORDERS.values(), ids=ORDERS)
def test_aws_would_understand_every_command_of_the_script(order_):
    script = purchase_files.cli_script([order_])
    assert subprocess.run(["sh", "-n"], input=script.encode(), check=False).returncode == 0
    question, shown, bought = aws_commands(script)
    assert question[0].name == shown[0].name == aws_calls(order_).find
    assert bought[0].name == aws_calls(order_).buy
    for operation, parameters, own in (question, shown, bought):
        shape = operation.input_shape
        report = ParamValidator().validate(parameters, shape)
        assert not report.has_errors(), report.generate_report()
        assert set(shape.required_members) <= set(parameters)
        assert wrong_enums(parameters, shape) == []
        assert own.get("region", "") == aws_calls(order_).region
    assert dict(aws_calls(order_).query) == question[1]


@pytest.mark.parametrize("order_", ORDERS.values(), ids=ORDERS)
def test_the_answers_rows_have_what_the_script_compares(order_):
    calls = aws_calls(order_)
    output = SESSION.get_service_model(calls.service).operation_model(calls.find).output_shape
    row = output.members[calls.rows].member
    assert {calls.identity, *calls.wanted} <= set(row.members)
    assert wrong_enums(calls.wanted, row) == []
    right = {calls.identity: "right", **calls.wanted}
    wrong = [{**right, calls.identity: f"wrong {name}", name: "else"} for name in calls.wanted]
    (_, _, own), *_ = aws_commands(purchase_files.cli_script([order_]))
    assert jmespath.search(own["query"], {calls.rows: [*wrong, right]}) == ["right"]


@pytest.mark.parametrize("service", RESERVATION_APIS)
def test_the_api_client_names_what_the_models_name(service):
    api = RESERVATION_APIS[service]
    model = SESSION.get_service_model(api.service)
    owned = model.operation_model(api.owned).output_shape.members[api.owned_rows].member.members
    assert {api.owned_id, api.machine, api.count, "Duration", "State"} <= set(owned)
    assert not api.named or api.named in owned
    shape = model.operation_model(api.buy).output_shape
    for name in api.sold:
        shape = shape.members[name]
    assert shape.type_name == "string"


@pytest.mark.parametrize("months", TERMS)
@pytest.mark.parametrize("payment", PAYMENTS)
def test_each_term_and_payment_is_asked_for(months, payment):
    one = database(term_months=months, payment=payment)
    assert aws_calls(one).query["Duration"] == str(31_536_000 * months // 12)
    assert aws_calls(one).query["OfferingType"] == PAYMENTS[payment].replace("upfront", "Upfront")


@pytest.mark.parametrize(
    ("system", "product", "multi"),
    [
        ("PostgreSQL", "postgresql", False),
        ("PostgreSQL Multi-AZ", "postgresql", True),
        ("MySQL", "mysql", False),
        ("MariaDB Multi-AZ", "mariadb", True),
        ("Aurora PostgreSQL", "aurora-postgresql", False),
        ("Aurora MySQL Multi-AZ", "aurora-mysql", False),
        ("SQL Server Standard", "sqlserver-se(li)", False),
        ("SQL Server Enterprise Multi-AZ", "sqlserver-ee(li)", True),
        ("Oracle Enterprise BYOL", "oracle-ee(byol)", False),
        ("Oracle Standard Two (LI) Multi-AZ", "oracle-se2(li)", True),
    ],
)
def test_a_database_is_asked_for_by_engine_licence_and_zones(system, product, multi):
    calls = aws_calls(database(system=system))
    assert (calls.query["ProductDescription"], calls.query["MultiAZ"]) == (product, multi)


def test_mysql_is_not_taken_for_aurora_mysql_which_rds_finds_too():
    (_, _, own), *_ = aws_commands(purchase_files.cli_script([database(system="MySQL")]))
    row = {"Duration": 31_536_000, "OfferingType": "All Upfront", "DBInstanceClass": "db.r5.large", "MultiAZ": False}
    row |= {"CurrencyCode": "USD"}
    rows = [
        {**row, "ReservedDBInstancesOfferingId": name, "ProductDescription": name} for name in ("aurora-mysql", "mysql")
    ]
    assert jmespath.search(own["query"], {"ReservedDBInstancesOfferings": rows}) == ["mysql"]


@pytest.mark.parametrize(
    "system", ["Oracle Enterprise", "Oracle BYOL", "PostgreSQL Multi-AZ cluster", "SQL Server", "Aurora", "DB2", ""]
)
def test_a_database_whose_engine_or_licence_is_not_known_is_not_guessed(system):
    with pytest.raises(ByHand, match=r"does not say|no reservation whose engine|counts as several"):
        rds_product(system)
    script = purchase_files.cli_script([database(system=system)])
    assert "By hand in the console" in script
    assert aws_commands(script) == []


def test_a_cache_without_an_engine_is_not_guessed():
    assert [cache_product(name) for name in ("Redis", "Valkey", "Memcached")] == ["redis", "valkey", "memcached"]
    with pytest.raises(ByHand, match="which engine this cache runs"):
        cache_product("Linux")


def test_dynamodb_is_bought_in_the_console_by_numbered_steps():
    one = order(service="DynamoDB", instance_type="WriteCapacityUnit-Hrs", system="", quantity=Decimal(5))
    assert purchase_files.why_by_hand(one) == "AWS sells reservations of DynamoDB in its console only."
    steps = console_steps(one)
    assert "DynamoDB > Reserved capacity > Purchase reserved capacity" in steps[0]
    assert "5 lots of 100 units of WriteCapacityUnit-Hrs" in steps[1]
    assert "1 year, all upfront" in steps[2]
    assert "0.06 USD an hour for all of it, of which 600.00 USD are paid on the first day" in steps[3]
    script = purchase_files.cli_script([one])
    assert "# 1. Open AWS" in script
    assert subprocess.run(["sh"], input=script.encode(), check=True, capture_output=True).stdout == b"", "only comments"


def test_a_host_has_no_reservation_of_instances():
    assert "tenancy" in purchase_files.why_by_hand(order(tenancy="host"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"quantity": Decimal("1.5")}, "whole number, and this is for 1.5"),
        ({"quantity": Decimal(0)}, "nothing to buy"),
        ({"region": ""}, "not fully specified"),
        ({"instance_type": ""}, "not fully specified"),
        ({"term_months": 18}, "whole years"),
        ({"kind": "sp_ec2", "instance_type": ""}, "names none"),
        ({"kind": "sp_compute", "quantity": Decimal("0.0004")}, "nothing to buy"),
    ],
)
def test_what_is_not_fully_specified_is_refused(changes, words):
    assert words in order_objection(order(**changes))


def test_azure_reservations_and_plans_are_calculated_shown_and_bought():
    machine = {"provider": "Azure", "service": "Virtual Machines", "instance_type": "Standard_D4s_v5"}
    machine |= {"region": "westeurope", "kind": "azure_reservation", "payment": "none", "term_months": 36}
    script = purchase_files.cli_script([order(**machine)])
    assert subprocess.run(["sh", "-n"], input=script.encode(), check=False).returncode == 0
    assert "AZURE_BILLING_SCOPE:?" in script
    for verb in ("calculate", "purchase"):
        (line,) = [line for line in script.splitlines() if f"reservation-order {verb}" in line]
        # The options of az reservations reservation-order, as its command table names them.
        expected = "--reserved-resource-type VirtualMachines --sku Standard_D4s_v5 --location westeurope --quantity 2"
        assert f"{expected} --term P3Y --billing-plan Monthly --applied-scope-type Shared" in line
        assert '--billing-scope "$AZURE_BILLING_SCOPE"' in line
    savings = plan("azure_plan", provider="Microsoft", quantity=Decimal("1.25"), payment="all", currency="EUR")
    script = purchase_files.cli_script([savings])
    assert "az billing-benefits savings-plan-order-aliases create" in script
    assert "'{amount:1.250,currency-code:EUR,grain:Hourly}'" in script
    assert "--billing-plan" not in script, "what is paid at once has none"
    unknown = order(**{**machine, "instance_type": "D4s v5"})
    assert "Azure's name (SKU) of D4s v5 is not in the bill" in purchase_files.why_by_hand(unknown)
    assert "Reservations > Add" in console_steps(unknown)[0]


def test_google_commits_to_the_cpus_and_memory_of_the_machines():
    machine = {"provider": "Google Cloud", "service": "Compute Engine", "kind": "gcp_cud", "region": "europe-west1"}
    one = order(**machine, instance_type="n2-highmem-4", quantity=Decimal(3), payment="none")
    script = purchase_files.cli_script([one])
    assert "gcloud compute commitments create finops-0c8b1a3e" in script
    assert "--plan 12-month --type general-purpose-n2 --resources vcpu=12,memory=98304MB" in script
    flexible = order(
        **{**machine, "region": "", "kind": "gcp_flexible"}, instance_type="", quantity=Decimal("2.5"), payment="none"
    )
    assert "flexible committed use discounts in its console only" in purchase_files.why_by_hand(flexible)
    assert "Flexible commitment" in console_steps(flexible)[0]
    part = order(**machine, instance_type="n2-RAM", quantity=Decimal(64))
    assert "vCPUs and memory in one commitment" in purchase_files.why_by_hand(part)
    assert "is not known here" in purchase_files.why_by_hand(order(**machine, instance_type="n2-custom-6-3072"))


@pytest.mark.parametrize(
    ("one", "title"),
    [
        (plan("sp_compute", quantity=Decimal("0.730000000000000000")), "Compute SP 0.73/h, 1 year, no upfront"),
        (plan("sp_ec2", currency="EUR"), "EC2 Instance SP 0.734 EUR/h for m5 in eu-west-1, 1 year, no upfront"),
        (database(), "2 × db.r5.large PostgreSQL Multi-AZ in eu-west-1, RDS RI, 1 year, all upfront"),
        (order(zone="eu-west-1b"), "2 × m5.large Linux in eu-west-1b, Standard RI, 1 year, all upfront"),
        (
            order(tenancy="dedicated", term_months=36),
            "2 × dedicated m5.large Linux in eu-west-1, Standard RI, 3 years, all upfront",
        ),
    ],
)
def test_a_title_names_the_thing(one, title):
    assert one.title == title
    assert title in purchase_files.cli_script([one])


def test_the_sheet_has_no_eighteen_zeros():
    text = purchase_files.orders_as_csv([order(quantity=Decimal("2.000000000000000000"), hourly=Decimal("0.0600"))])
    assert ",2,0.06,600,USD," in text
    assert "000000" not in text


def test_the_script_buys_only_where_one_offering_fits(tmp_path):
    aws = tmp_path / "aws"
    aws.write_text('#!/bin/sh\necho "$@" >>"$0.said"\ncat "$0.offers"\n')
    aws.chmod(0o755)

    def run(offers):
        (tmp_path / "aws.offers").write_text(offers)
        (tmp_path / "aws.said").unlink(missing_ok=True)
        environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
        script = purchase_files.cli_script([database()])
        done = subprocess.run(["sh", "-c", script], input=b"yes\n", env=environment, check=False, capture_output=True)
        return done.returncode, done.stderr.decode(), (tmp_path / "aws.said").read_text()

    assert run("offering-1\n")[2].count("purchase-reserved-db-instances-offering") == 1
    for offers, count in (("", 0), ("one\ttwo\n", 2)):
        code, words, log = run(offers)
        assert (code, f"AWS sells {count} such offerings" in words) == (1, True)
        assert "purchase-" not in log
