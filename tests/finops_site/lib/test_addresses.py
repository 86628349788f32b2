"""A name in an address that nobody reads is refused, with the name that was probably meant."""

import pytest

from costs.calc import filters
from finops_site.lib.addresses import BadFilter, check_names, check_once, nearest


def test_what_is_known_passes():
    check_names(["month", "by"], ["by", "month"])
    check_names(["tag:Team"], [], lambda name: name.startswith("tag:"))
    filters.check_names(["service", "service__not", "tag:a__b", "from"], ["from"])


@pytest.mark.parametrize(("name", "meant"), [("mnth", "month"), ("Month", "month"), ("months", "month"), ("xyz", "")])
def test_what_is_not_known_is_refused_with_the_nearest(name, meant):
    assert nearest(name, ["month", "by"]) == meant
    with pytest.raises(BadFilter, match="nothing to group or filter by") as refused:
        check_names(["by", name], ["month", "by"])
    assert ("did you mean" in str(refused.value)) == bool(meant)
    assert "month, by" in str(refused.value)


def test_an_operator_that_is_none_is_refused():
    with pytest.raises(BadFilter, match="no operator 'like'"):
        filters.check_names(["service__like"], [])
    with pytest.raises(BadFilter, match="did you mean 'instance_type'"):
        filters.check_names(["instance_typ"], [])


def test_an_empty_value_filters_nothing_but_a_tag():
    address = [("service", ["", "EC2"]), ("region", [""]), ("tag:Team", [""]), ("sort", ["x"])]
    assert filters.filters_in(address) == {"service": ["EC2"], "tag:Team": [""]}


def test_a_name_that_takes_one_value_is_refused_with_two_of_them():
    check_once([("month", ["a", "a"]), ("service", ["a", "b"])], lambda name: name == "service")
    for values in (["a", "b"], ["a", ""]):
        with pytest.raises(BadFilter, match="'month' takes one value and has several: 'a'"):
            check_once([("month", values)], lambda name: False)
