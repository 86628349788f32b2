"""Which tables are audited: what the apps declare in their `apps.py` (pillars.py), put together."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from django.apps import apps
from django.db.models import Field, Model

from finops_site.pillars import AuditRule, installed_pillars

# Columns whose name says that nobody should read them.
SECRET = re.compile(r"(^|_)(password|passphrase|token|secret|private_key|api_key|salt)s?($|_)")
# What a row is called, the first that it has.
NAMES = ("name", "title", "email", "key", "label", "words", "subject", "code")


def audited_models() -> dict[type[Model], AuditRule]:
    """Every audited model with what is told of its columns; raises LookupError for a name that no model has."""
    return {model: _with_columns(model, audited) for model, audited in _of_pillars("audited")}


def models_without_audit() -> dict[type[Model], str]:
    """Every model that is not audited, with the reason."""
    return dict(_of_pillars("not_audited"))


def undeclared_models() -> list[str]:
    """Models with a table that nobody declared, the tables between two models too."""
    declared = {*audited_models(), *models_without_audit()}
    models = apps.get_models(include_auto_created=True)
    tables = (model for model in models if model._meta.managed and not model._meta.proxy)
    return sorted(model._meta.label for model in tables if model not in declared)


def _of_pillars(attribute: str) -> Iterator[tuple[type[Model], Any]]:
    for pillar in installed_pillars():
        declared: Mapping[str, Any] = getattr(pillar, attribute)
        for name, value in declared.items():
            yield _model(pillar.label, name), value


def _model(label: str, name: str) -> type[Model]:
    app, _dot, model = name.rpartition(".")
    # Tables between two models are not found unless they are asked for.
    config = apps.get_app_config(app or label)
    for candidate in config.get_models(include_auto_created=True):
        if candidate.__name__.lower() == model.lower():
            return candidate
    raise LookupError(f"no model {app or label}.{model}, which {label} declares for the audit log")


def _with_columns(model: type[Model], audited: AuditRule) -> AuditRule:
    """The same with columns of the database in the place of fields, the secret ones and the name found."""
    columns = {field.name: _column(field) for field in model._meta.concrete_fields}
    plain = (field for field in model._meta.concrete_fields if not field.is_relation)
    by_name = {_column(field) for field in plain if SECRET.search(_column(field))}
    secret = {columns[name] for name in audited.secret} | by_name
    names = [columns[audited.name]] if audited.name else [name for name in NAMES if name in columns.values()]
    # A secret may be no name either.
    name = next((name for name in names if name not in secret), "")
    left_out = tuple(sorted(columns[name] for name in audited.left_out))
    assert model._meta.pk is not None
    identity = columns[audited.identity or model._meta.pk.name]
    return replace(audited, left_out=left_out, secret=tuple(sorted(secret)), name=name, identity=identity)


def _column(field: Field) -> str:
    """The column of a field that has one."""
    assert field.column is not None
    return field.column
