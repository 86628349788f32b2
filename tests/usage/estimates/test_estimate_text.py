"""What people type, upload and plan is read as it stands; what cannot be read names its place and the right way."""

import json
from decimal import Decimal

import pytest

from usage.calc.estimate_text import BadLine, read_csv, read_line, read_lines
from usage.calc.terraform_plans import read_plan


@pytest.mark.parametrize(
    ("line", "count", "item", "region", "quantity", "unit", "term"),
    [
        ("10 x m7g.large in eu-west-1, 24x7, 1 year no upfront", 10, "m7g.large", "eu-west-1", "730", "Hrs", 12),
        ("3 db.r6g.xlarge in us-east-1, 12x5", 3, "db.r6g.xlarge", "us-east-1", "260.7143", "Hrs", 0),
        ("m5.large", 1, "m5.large", "", "730", "Hrs", 0),
        ("1,000 x t3.nano, 8 hours a day", 1000, "t3.nano", "", "243.3333", "Hrs", 0),
        ("2 TB gp3 in eu-west-1", 1, "gp3", "eu-west-1", "2000", "GB-Mo", 0),
        ("4 x 500 GB gp3", 4, "gp3", "", "500", "GB-Mo", 0),
        ("2 c5.large, windows, 200 hours, 3 years all upfront", 2, "c5.large", "", "200", "Hrs", 36),
    ],
)
def test_a_typed_line_is_read(line, count, item, region, quantity, unit, term):
    read = read_line(line)
    assert (read.count, read.item, read.region, read.unit, read.term_months) == (count, item, region, unit, term)
    assert read.monthly_quantity == Decimal(quantity)


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("10 m5.large in eu-west-1 24x7", "no region"),
        ("0 x m5.large", "none of it"),
        ("-3 x m5.large", "less than none"),
        ("1.000 x m5.large", "reads in two ways"),
        ("m5.large, 25x7", "longer than a day"),
        ("m5.large, 800 hours", "longer than a day"),
        ("2 TB gp3, 12x5", "by the month"),
        ("m5.large, for ever", "neither hours"),
        ("m5.large in", "no region"),
        ("5", "names no machine"),
        ("9" * 501, "more than 500"),
        ("99999999999999999999 PB gp3", "more than a provider has"),
        ("0 GB gp3", "none of it"),
        ("0 x 500 GB gp3", "none of it"),
        ("m5.large, 0x5", "no time at all"),
        ("m5.large, 24x7, 8x5", "contradicts"),
        ("m5.large, 1 year, 3 years", "contradicts"),
    ],
)
def test_a_line_that_cannot_be_read_names_its_number_and_the_reason(line, word):
    with pytest.raises(BadLine, match=f"(?s)Line 2: .*{word}"):
        read_lines(f"m5.large\n{line}")


def test_a_csv_says_the_row_and_the_column_that_is_wrong():
    items = read_csv("item,count,region,hours,size\nm5.large,2,eu-west-1,12x5,\ngp3,4,eu-west-1,,500 GB\n", "plan.csv")
    assert [(one.item, one.count, one.unit) for one in items] == [("m5.large", 2, "Hrs"), ("gp3", 4, "GB-Mo")]
    with pytest.raises(BadLine, match=r"plan\.csv, row 3: .*neither hours"):
        read_csv("item,hours\nm5.large,24x7\nm5.large,always\n", "plan.csv")
    with pytest.raises(BadLine, match="nobody reads the columns price"):
        read_csv("item,price\nm5.large,3\n", "plan.csv")


def test_a_csv_of_excel_has_semicolons_and_quotes():
    items = read_csv('"count";"item"\n"2";"m5.large"\n', "plan.csv")
    assert [(one.item, one.count) for one in items] == [("m5.large", 2)]
    with pytest.raises(BadLine, match="two columns are called item"):
        read_csv("item,item\na,b\n", "plan.csv")


def plan(changes, region="eu-west-1"):
    provider = {"aws": {"name": "aws", "expressions": {"region": {"constant_value": region}}}}
    return json.dumps({"resource_changes": changes, "configuration": {"provider_config": provider}})


def change(kind, actions, before=None, after=None):
    return {"address": f"{kind}.x", "type": kind, "change": {"actions": actions, "before": before, "after": after}}


def test_a_plan_counts_what_comes_against_what_goes_and_lists_what_is_paid_by_use():
    disk = {"root_block_device": [{"volume_type": "gp3", "volume_size": 100}]}
    text = plan(
        [
            change("aws_instance", ["create"], after={"instance_type": "m7g.large", **disk}),
            change("aws_instance", ["update"], {"instance_type": "m5.large"}, {"instance_type": "m5.xlarge"}),
            change("aws_db_instance", ["delete"], {"instance_class": "db.r5.large", "multi_az": True}),
            change("aws_instance", ["no-op"], {"instance_type": "c5.large"}, {"instance_type": "c5.large"}),
            change("aws_lambda_function", ["create"], after={"memory_size": 512}),
            change("aws_iam_role", ["create"], after={}),
            change("aws_instance", ["create"], after={"instance_type": None}),
        ]
    )
    items = read_plan(text, "plan.json")
    assert [(one.item, one.count, one.region) for one in items] == [
        ("m7g.large", 1, "eu-west-1"),
        ("gp3", 1, "eu-west-1"),
        ("m5.large", -1, "eu-west-1"),
        ("m5.xlarge", 1, "eu-west-1"),
        ("db.r5.large", -2, "eu-west-1"),
        ("aws_lambda_function", 1, "eu-west-1"),
        ("aws_instance", 1, "eu-west-1"),
    ]
    assert [one.problem for one in items if one.quantity is None] == [
        "paid by use: the plan does not say how much",
        "its type is known only after apply",
    ]


@pytest.mark.parametrize(
    "text",
    [
        '{"planned_values": null}',
        '{"planned_values": []}',
        '{"planned_values": {"root_module": {"resources": ["x"]}}}',
        '{"resource_changes": [{"change": "x"}]}',
        '{"resource_changes": [{"type": "aws_instance", "change": {"actions": ["forget"], "before": {}}}]}',
        plan([change("aws_instance", ["create"], after={"instance_type": "m5.large\0"})]),
        plan([change("aws_instance", ["no-op"], after={"instance_type": "m5.large"})]),
    ],
)
def test_an_odd_plan_is_refused_in_words(text):
    with pytest.raises(BadLine, match=r"^plan\.json: "):
        read_plan(text, "plan.json")


def test_sizes_that_cannot_be_are_not_priced():
    volumes = [change("aws_ebs_volume", ["create"], after={"type": "gp3", "size": size}) for size in (-500, 10**40)]
    assert [one.monthly_quantity for one in read_plan(plan(volumes), "plan.json")] == [None, None]


@pytest.mark.parametrize("text", ["{", "{}", "[" * 100_000, '{"resource_changes": [], '])
def test_what_is_no_plan_says_how_to_make_one(text):
    with pytest.raises(BadLine, match=r"plan\.json: .*(no whole JSON|terraform show -json)"):
        read_plan(text, "plan.json")


def test_what_notepad_and_capitals_add_changes_no_line():
    (item,) = read_lines("\ufeff10 x m7g.large IN EU-WEST-1")
    assert (item.item, item.region, item.count) == ("m7g.large", "eu-west-1", 10)


def test_a_csv_without_a_row_is_no_estimate_of_nothing():
    with pytest.raises(BadLine, match="there is no row below the header"):
        read_csv("item;count\n;\n", "plan.csv")


def test_a_resource_of_a_provider_with_an_alias_is_priced_in_its_region():
    machine = {"type": "aws_instance", "change": {"actions": ["create"], "after": {"instance_type": "m7g.large"}}}
    places = ("aws_instance.here", 'aws_instance.there["a"]', "module.web[0].aws_instance.there[1]")

    def provider(region, **more):
        return {"name": "aws", "expressions": {"region": {"constant_value": region}}, **more}

    there = {"address": "aws_instance.there", "provider_config_key": "aws.us"}
    text = json.dumps(
        {
            "resource_changes": [{"address": place, **machine} for place in places],
            "configuration": {
                "provider_config": {"aws.us": provider("us-east-1", alias="us"), "aws": provider("eu-west-1")},
                "root_module": {"resources": [there], "module_calls": {"web": {"module": {"resources": [there]}}}},
            },
        }
    )
    assert [item.region for item in read_plan(text, "plan.json")] == ["eu-west-1", "us-east-1", "us-east-1"]
