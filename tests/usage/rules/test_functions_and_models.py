"""Functions, clusters, licences and models: the savings worked out by hand."""

from decimal import Decimal

import duckdb

from tests.usage.rules.rule_cases import find, measured, price, rule_named, saving, thing, use
from usage.calc.facts import FINDING, make_tables
from usage.calc.rules import RULES

LAMBDA = {"service": "AWS Lambda", "usage_type": "Lambda-GB-Second", "instance_type": None, "unit": "Lambda-GB-Second"}


def test_a_function_gets_the_memory_that_it_used_and_a_fifth():
    """300 MB at most, with a fifth 360, in steps of 64: 384 of 1024. 62.5 % of 100.00."""
    row, known = use("fn", "100", **LAMBDA), thing("fn", "function", attributes='{"memory_mb": 1024}')
    most = [measured("fn", "memory_used", 300 * 2**20)]
    assert saving(find("function_memory", row, metrics=most, inventory=[known])) == Decimal("62.50")
    small = [known | {"attributes": '{"memory_mb": 384}'}]
    assert find("function_memory", row, metrics=most, inventory=small) == []
    gaps = [most[0] | {"share": 0.4}]
    assert find("function_memory", row, metrics=gaps, inventory=[known]) == []


def test_capacity_that_is_kept_ready_for_nobody_is_given_up():
    ready = use("fn", "11", **LAMBDA | {"usage_type": "Lambda-Provisioned-Concurrency"})
    metrics = [measured("fn", "provisioned_invocations", 0)]
    assert saving(find("function_provisioned", use("fn", "100", **LAMBDA), ready, metrics=metrics)) == Decimal("11.00")


def test_arm_is_a_fifth_cheaper_for_functions_and_needs_a_look():
    findings = find("function_arm", use("fn", "100", **LAMBDA))
    assert (saving(findings), findings[0]["confidence"]) == (Decimal("20.00"), "needs a look")
    on_arm = use("fn", "100", **LAMBDA | {"usage_type": "Lambda-GB-Second-ARM"})
    assert find("function_arm", on_arm) == []


EKS = {"service": "Amazon EKS", "instance_type": None}


def test_the_extended_support_of_a_cluster_is_certain_however_the_bill_writes_it():
    """Beside 73.00 of standard hours, 365.00 extra are all saved; in their stead 438.00 less 73.00 are, and without
    the price of standard hours nobody knows."""
    extended = EKS | {"usage_type": "USE1-AmazonEKS-Hours:extendedSupport"}
    standard = use("eks", "73", **EKS | {"usage_type": "USE1-AmazonEKS-Hours:perCluster"})
    beside = find("cluster_extended_support", standard, use("eks", "365", **extended))
    assert (saving(beside), beside[0]["confidence"]) == (Decimal("365.00"), "certain")
    listed = [price("USE1-AmazonEKS-Hours:perCluster", "0.10", "")]
    instead = use("eks", "438", **extended)
    assert saving(find("cluster_extended_support", instead, prices=listed)) == Decimal("365.00")
    assert saving(find("cluster_extended_support", instead)) is None


def workload(cores_used, memory_used):
    return [
        measured("pod", "cpu_cores_requested", 4),
        measured("pod", "cpu_cores_used", cores_used),
        measured("pod", "memory_bytes_requested", 8 * 2**30),
        measured("pod", "memory_bytes_used", memory_used * 2**30),
    ]


def test_a_workload_is_judged_by_the_fuller_of_its_requests():
    """1 of 4 cores and 4 of 8 GiB: with a fifth of room memory takes 60 %, so 40 % of 50.00 is saved."""
    paid = {"pod": {"monthly_open_cost": "50"}}
    row = use("pod", "50", service="Amazon EKS", usage_type="EKS-EC2-vCPU-Hours", instance_type=None)
    assert saving(find("workload_requests", row, resources=paid, metrics=workload(1, 4))) == Decimal("20.00")
    assert find("workload_requests", row, resources=paid, metrics=workload(1, 6)) == []


def test_a_workload_that_no_bill_has_saves_an_unknown_amount():
    findings = find("workload_requests", metrics=workload(1, 4))
    assert saving(findings) is None
    assert findings[0]["confidence"] == "needs a look"


SQL_SERVER = {"description": "On Demand Windows with SQL Server Standard m5.large Instance Hour", "operation": None}
DEV = {"i-1": {"environment": "dev", "is_production": False}}


def test_a_licence_that_is_not_for_production_costs_the_difference_to_windows():
    """0.668 with SQL Server Standard, 0.188 with Windows: 350.40 of 487.64. Without the list nobody knows."""
    prices = [price("m5.large", "0.668", "Windows with SQL Server Standard"), price("m5.large", "0.188", "Windows")]
    row = use("i-1", "487.64", **SQL_SERVER)
    assert saving(find("licence_developer", row, resources=DEV, prices=prices)) == Decimal("350.40")
    assert saving(find("licence_developer", row, resources=DEV)) is None
    assert find("licence_developer", row, prices=prices) == []


def test_windows_that_is_owned_costs_what_linux_does():
    """0.376 with Windows, 0.192 without: 134.32 of 274.48."""
    place = {"provider": "Azure", "account": "sub", "region": "westeurope"}
    row = use(
        "/vm",
        "274.48",
        **place,
        service="Virtual Machines",
        usage_type=None,
        operation=None,
        instance_type="Standard_D4s_v5",
        description="D4s v5 Windows",
        unit="1 Hour",
    )
    azure = {"provider": "Azure", "region": "westeurope", "service": "Virtual Machines"}
    prices = [
        price("Standard_D4s_v5", "0.376", "Windows", **azure),
        price("Standard_D4s_v5", "0.192", "Linux", **azure),
    ]
    assert saving(find("licence_owned", row, prices=prices)) == Decimal("134.32")


def test_seats_that_nobody_uses_are_given_back():
    """50 seats at 20.00; 35 at most were used: 15 x 20.00."""
    row = use("plan", "1000", service="Chat", usage_type="seats", unit="Seats", monthly_quantity=50, instance_type=None)
    assert saving(find("licence_seats", row, metrics=[measured("plan", "seats_used", 35)])) == Decimal("300.00")
    assert find("licence_seats", row, metrics=[measured("plan", "seats_used", 50)]) == []


MODEL = {"service": "Amazon Bedrock", "unit": "1K tokens", "instance_type": None, "monthly_quantity": 100_000}
SONNET = MODEL | {"usage_type": "USE1-Claude3.5Sonnet-input-tokens"}


def tokens(item, amount):
    return price(item, amount, "", unit="1K tokens")


def test_a_smaller_model_is_priced_by_lists_and_needs_a_look():
    """100,000 thousand input tokens at 0.003 are 300.00; Haiku at 0.0008 is 220.00 less. Output does not count."""
    prices = [
        tokens("USE1-Claude3.5Haiku-input-tokens", "0.0008"),
        tokens("USE1-Claude3.5Haiku-output-tokens", "0.004"),
    ]
    findings = find("ai_model", use("app", "300", **SONNET), prices=prices)
    assert (saving(findings), findings[0]["confidence"]) == (Decimal("220.00"), "needs a look")
    assert saving(find("ai_model", use("app", "300", **SONNET))) is None
    smallest = MODEL | {"usage_type": "USE1-Claude3.5Haiku-input-tokens"}
    assert find("ai_model", use("app", "80", **smallest), prices=prices) == []


def test_what_may_wait_costs_half_in_a_batch():
    """40 % of 300.00 may wait: half of 120.00. How much may wait only people know."""
    row = use("app", "300", **SONNET)
    assert saving(find("ai_batch", row, metrics=[measured("app", "tokens_not_urgent", 40)])) == Decimal("60.00")
    assert saving(find("ai_batch", row)) is None
    assert find("ai_batch", row | {"usage_type": "USE1-Claude3.5Sonnet-input-tokens-batch"}) == []


def test_text_that_is_sent_again_is_priced_by_the_list_of_the_cache():
    """70 % of 300.00 is the same; from the cache it costs 0.0003 instead of 0.003: 189.00. No price, no figure."""
    row, share = use("app", "300", **SONNET), [measured("app", "tokens_repeated", 70)]
    cached = [tokens("USE1-Claude3.5Sonnet-cache-read-input-token-count", "0.0003")]
    assert saving(find("ai_cache", row, metrics=share, prices=cached)) == Decimal("189.00")
    assert saving(find("ai_cache", row, metrics=share)) is None
    already = use("app", "5", **MODEL | {"usage_type": cached[0]["item"]})
    assert find("ai_cache", row, already, metrics=share, prices=cached) == []


def test_an_endpoint_that_nobody_asks_saves_its_hours():
    row = use("ep", "167.9", service="Amazon SageMaker", usage_type="Host:ml.m5.xlarge", instance_type="ml.m5.xlarge")
    assert saving(find("ai_endpoint_idle", row, metrics=[measured("ep", "requests", 0)])) == Decimal("167.90")


def test_every_rule_is_named_once_and_finds_nothing_in_empty_tables():
    db = duckdb.connect()
    make_tables(db)
    assert len({rule.name for rule in RULES}) == len(RULES)
    rows = {rule.name: db.execute(f"SELECT {', '.join(FINDING)} FROM ({rule.sql})").fetchall() for rule in RULES}
    assert set(map(len, rows.values())) == {0}
    assert {other for rule in RULES for other in rule.excludes} <= set(rows)


def test_what_the_provider_alone_says_is_told_in_its_words():
    finding = {"resource": "i-1", "evidence": {"provider_says": "Stop: i-1", "provider_saving": "5"}, "target": {}}
    rule = rule_named("machine_idle")
    assert rule.explain(finding) == "The provider says: Stop: i-1"
    assert rule.fixes(finding) == ()
