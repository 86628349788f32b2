"""Numbers that people type: one parser for every form, import and filter, and what reads in two ways is asked about."""

from decimal import Decimal

import pytest
from django import forms
from django.contrib import admin
from django.db import models
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from finops_site.lib.money import BadAmount, decimal_mark_of, parse_amount, typed_text
from finops_site.ui.forms import AmountField


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("9.300,00", "9300"),
        ("12.400,5", "12400.5"),
        ("12,400", "12400"),
        ("1,234,567", "1234567"),
        ("1.234.567", "1234567"),
        ("12,34,567.89", "1234567.89"),
        ("12 400,5", "12400.5"),
        ("1'000.50", "1000.5"),
        ("1234.567", "1234.567"),
        ("0,500", "0.5"),
        ("0.500", "0.5"),
        ("(500)", "-500"),
        ("- 5", "-5"),
    ],
)
def test_fays_amounts_are_read_as_she_writes_them(text, amount):
    assert parse_amount(text) == Decimal(amount)


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("12.400", "Did you mean 12,400 or 12.4? Write 12400 or 12.40."),
        ("13.300", "Did you mean 13,300 or 13.3? Write 13300 or 13.30."),
        ("1.234", "Did you mean 1,234 or 1.234? Write 1234 or 1.2340."),
        ("-1.234", "Did you mean 1,234 or 1.234?"),
    ],
)
def test_what_reads_in_two_ways_is_asked_about(text, question):
    with pytest.raises(BadAmount) as refused:
        parse_amount(text)
    assert question in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "1,2,3.4",
            "1 2 3",
            "1.23.456",
            "12.345.67",
            "12,34,56",
            "1,23,45",
            "1e5",
            "1E400",
            "NaN",
            "-Infinity",
            "inf",
        ),
        *("٣٠٠", "１２３", "$12,400", "12,400 USD", "EUR 5", "12.", ".5", "", "=1+1", "0x10", "1_2", "9" * 61),
    ],
)
def test_what_is_no_number_is_refused_with_what_helps(text):
    with pytest.raises(BadAmount, match="is not an amount: write it "):
        parse_amount(text)


def test_the_reason_says_what_to_leave_out():
    with pytest.raises(BadAmount, match="without its currency"):
        parse_amount("€12,400")
    with pytest.raises(BadAmount, match="digits 0 to 9"):
        parse_amount("٣٠٠")


def test_a_known_mark_or_a_bound_decides():
    assert parse_amount("12.400", decimal_mark=",") == 12400
    assert parse_amount("12.400", decimal_mark=".") == Decimal("12.4")
    assert parse_amount("12,400", decimal_mark=",") == Decimal("12.4")
    assert parse_amount("12.500", most=Decimal(100)) == Decimal("12.5")
    assert parse_amount("12,500", most=Decimal(100)) == Decimal("12.5")


def test_a_file_shows_its_mark_or_contradicts_itself():
    assert decimal_mark_of(["12.400", "9.300,00", "7"]) == ","
    assert decimal_mark_of(["12.400", "9,300.00"]) == "."
    assert decimal_mark_of(["12.400", "7"]) == ""
    with pytest.raises(BadAmount, match="another decimal mark"):
        decimal_mark_of(["1.5", "2,5"])


@given(st.decimals(-(10**12), 10**12, places=6))
def test_what_a_form_shows_is_read_again_as_the_same(amount):
    assert parse_amount(typed_text(amount)) == amount


def test_a_field_asks_and_keeps_its_own_bounds():
    field = AmountField(max_digits=38, decimal_places=18)
    assert field.clean("9.300,00") == 9300
    assert field.prepare_value(Decimal("12.345")) == "12.3450"
    with pytest.raises(forms.ValidationError, match=r"Did you mean 12,400 or 12\.4"):
        field.clean("12.400")
    assert AmountField(max_value=100).clean("12.400") == Decimal("12.4")
    with pytest.raises(forms.ValidationError, match="less than or equal to 100"):
        AmountField(max_value=100).clean("250")


def forms_below(form):
    for below in form.__subclasses__():
        yield below
        yield from forms_below(below)


def test_every_form_that_takes_decimals_reads_them_so(db):
    import finops_site.urls  # noqa: F401

    own = ("finops_site", "costs", "tagging", "budgets", "reservations")
    plain = {
        (form.__qualname__, name)
        for form in forms_below(forms.BaseForm)
        if form.__module__.split(".")[0] in own
        for name, field in form.base_fields.items()
        if isinstance(field, forms.DecimalField | forms.FloatField) and not isinstance(field, AmountField)
    }
    assert plain == set()


def test_adas_and_fays_admin_reads_them_so_too(people):
    request = RequestFactory().get("/")
    request.user = people["ada"]
    plain = set()
    for model, page in admin.site._registry.items():
        if not (page.has_change_permission(request) or model._meta.label == "costs.Stream"):
            continue
        for field in model._meta.fields:
            if isinstance(field, models.DecimalField) and field.editable:
                shown = page.formfield_for_dbfield(field, request)
                if not isinstance(shown, AmountField):
                    plain.add((model._meta.label, field.name))
    assert plain == set()


def test_a_program_writes_a_point_and_nothing_without_an_end(people, client_of):
    client, url = client_of(people["fay"]), "/api/v1/invoices/"
    invoice = {"billing_account": "1", "billing_month": "2026-03", "currency": "USD", "issuer": "AWS"}
    answer = client.post(url, {**invoice, "total": "12.400"}, content_type="application/json")
    assert (answer.status_code, answer.json().get("total")) == (201, "12.4"), answer.json()
    for text in ("12,400", "NaN", "Infinity", "1e400", "٣٠٠x"):
        answer = client.post(url, {**invoice, "total": text}, content_type="application/json")
        assert answer.status_code == 400, text
    for text in ("NaN", "Infinity"):
        answer = client.post("/api/v1/recommendations/", {"max_upfront": text}, content_type="application/json")
        assert (answer.status_code, list(answer.json())) == (400, ["max_upfront"])
