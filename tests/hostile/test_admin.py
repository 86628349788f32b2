"""Hostile requests at every page of the admin: lists, forms, popups, actions. No answer is an error of ours."""

import pytest
from django.contrib import admin
from django.urls import reverse

from tests.hostile.sending import LONG, TEXTS, Attack, chance, encoded, mutated
from tests.test_access import a_line  # noqa: F401 (a fixture)
from tests.test_forms import Forms

pytestmark = pytest.mark.django_db
MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
OTHERS = ["/admin/", "/admin/login/", "/admin/jsi18n/", "/admin/autocomplete/", "/admin/logout/", "/admin/search/"]
OTHERS += ["/admin/password_change/", "/admin/r/1/1/", "/admin/r/999/x/", "/admin/nowhere/", "/admin/toggle-sidebar/"]
NAMES = ["q", "o", "p", "all", "e", "_popup", "_to_field", "_changelist_filters", "pop", "_source_model", "next", "s"]
NAMES += ["app_label", "model_name", "field_name", "term", "page", "id__in", "pk__isnull", "extended"]
KEYS = ["0", "-1", "x", "_5F", "_00", "9" * 30, "1_2", "%ED%A0%80", "%00", "a/b", "²", "1e3", "add"]


def addresses_of(model):
    """The list of a model, its form, and those of rows that are there or cannot be."""
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    listed = reverse(f"{name}_changelist")
    first = model._default_manager.values_list("pk", flat=True).first()
    keys = [*KEYS, *([str(first)] * 4 if first is not None else [])]
    return listed, [f"{listed}{key}/{part}/" for key in keys for part in ("change", "history", "delete")]


def filters_of(model):
    """The names that filters of its list may have, and some that reach into other tables."""
    fields = [field.name for field in model._meta.get_fields()]
    lookups = [
        "exact",
        "gte",
        "isnull",
        "in",
        "contains",
        "regex",
        "year",
        "date",
        "range",
        "id__exact",
        "pk",
        "nothing",
    ]
    return [*NAMES, *(f"{field}__{lookup}" for field in fields for lookup in lookups), *fields]


def attack_model(attack, model, dice, times):
    listed, rows = addresses_of(model)
    names, shown = filters_of(model), attack.send("GET", listed)
    for _ in range(times):
        query = encoded([(dice.choice(names), dice.choice(TEXTS)) for _ in range(dice.randint(1, 2))])
        attack.send("GET", f"{dice.choice([listed, listed, f'{listed}add/', dice.choice(rows)])}?{query}")
        action = {
            "action": dice.choice(["delete_selected", "", "nothing", "leave"]),
            "_selected_action": dice.choice(KEYS),
        }
        more = {"select_across": dice.choice(["1", "x"]), "index": dice.choice(["0", "x", "-1", "99999999999"])}
        attack.send("POST", listed, encoded([*mutated({**action, **more}, dice)]))
        door = dice.choice([f"{listed}add/", dice.choice(rows)])
        form = attack.send("GET", door)
        fields = Forms(form.content.decode()).forms if form.status_code == 200 else []
        attack.send("POST", door, encoded(mutated(dict(fields[-1][1]) if fields else {"name": "x"}, dice)))
    return shown


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label_lower)
def test_no_page_of_the_admin_is_answered_by_an_error_of_ours(model, a_line, people, client_of):  # noqa: F811
    failed = []
    dice = chance(model._meta.label)
    for who in ("ada", "fay", "lea", "eli") if LONG else [dice.choice(["ada", "ada", "fay", "lea"])]:
        attack = Attack(client_of(people[who]))
        attack_model(attack, model, chance(model._meta.label, who), LONG or 1)
        failed += [f"{who}: {line}" for line in attack.failed]
    assert failed == []


def test_no_other_address_of_the_admin_is(people, client_of):
    attack = Attack(client_of(people["ada"]))
    dice = chance("the admin")
    for door in OTHERS:
        for _ in range(LONG * 5 or 4):
            query = encoded([(dice.choice(NAMES), dice.choice(TEXTS)) for _ in range(3)])
            attack.send("GET", f"{door}?{query}")
            attack.send("POST", door, query)
    labels = [(model._meta.app_label, model._meta.model_name) for model in MODELS]
    for app, model in labels if LONG else dice.sample(labels, 12):
        names = [
            field.name
            for field in admin.site._registry
            and next(m for m in MODELS if m._meta.model_name == model)._meta.get_fields()
        ]
        for name in names if LONG else dice.sample(names, min(2, len(names))):
            query = {"app_label": app, "model_name": model, "field_name": name, "term": dice.choice(TEXTS)}
            attack.send("GET", f"/admin/autocomplete/?{encoded(query.items())}")
    assert attack.failed == []
