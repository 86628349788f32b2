"""What a pillar declares about itself in its `apps.py`; the site puts together what all of them declare.

A pillar is a folder beside manage.py with an `apps.py`, or an app from elsewhere that FINOPS_EXTRA_APPS names. Adding
one changes no file of the site: settings find it, its addresses, permissions and schedule are class attributes of its
PillarConfig, and what it shows is registered in `ready()` (see registry.py).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.apps import AppConfig, apps
from django.utils.module_loading import import_string


@dataclass(frozen=True, slots=True)
class AuditRule:
    """A table whose rows the audit log follows (finops_site/audit).

    `left_out`: columns that machines write and nobody decides, as a progress or a heartbeat. `secret`: columns of which
    the log says that they changed, and never their value; those named like a password, a token, a secret or a key
    are secret anyhow. `name`: the column that names a row to people; found by its usual names where it is empty.
    `identity`: the column that tells rows apart, where the primary key is a secret. `made_by_machines`: that a row is
    new is no entry, what becomes of it is. `summed_up`: a statement about many rows, as a price list, is one entry with
    their number and their sha256.
    """

    left_out: tuple[str, ...] = ()
    secret: tuple[str, ...] = ()
    name: str = ""
    identity: str = ""
    made_by_machines: bool = False
    summed_up: bool = False


@dataclass(frozen=True, slots=True)
class Ability:
    """What a role lets somebody do, as people say it, and the permissions that it is made of.

    Each built-in role holds all of them or none. Where it `stays_built_in`, no role that an administrator makes has it.
    """

    name: str
    label: str
    permissions: tuple[str, ...]
    stays_built_in: bool = False


class PillarConfig(AppConfig):
    # Django takes the one class of an apps.py that is a default: the pillar's own, and never this one.
    default = False

    urls: ClassVar[str] = ""
    """The module of its pages' addresses, such as "budgets.urls"; it gives them their prefix and a namespace."""

    api_urls: ClassVar[str] = ""
    """The module of its addresses below /api/v1/."""

    permissions: ClassVar[Mapping[str, Collection[str]]] = {}
    """Who may do what: a role (or roles.EVERYBODY) to permissions such as "budgets.view_budget"."""

    never_for_administrators: ClassVar[Collection[str]] = ()
    """Permissions that whoever runs the system may not hold: who makes the accounts decides on no money."""

    abilities: ClassVar[Sequence[Ability]] = ()
    """The same permissions in everyday words: what an administrator chooses from when she makes a role of her own."""

    audited: ClassVar[Mapping[str, AuditRule]] = {}
    """Its tables that the audit log follows, by the names of their models (of packages with their label)."""

    not_audited: ClassVar[Mapping[str, str]] = {}
    """The others, each with the reason: a test finds a table that is in neither."""

    schedule: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Entries of Celery's beat, by name: what an empty schedule is filled with. The admin changes them from there."""

    enum_names: ClassVar[Mapping[str, str]] = {}
    """Names for enums in the API's description, where drf-spectacular cannot make one: name to dotted path."""

    begins_with: ClassVar[Collection[str]] = ()
    """Models whose rows an installation makes by itself, such as "tagging.TagRequirement": nobody's content yet.

    A backup comes back into an installation that holds nothing else. Who edits such rows is a person, and is content.
    """

    as_delivered: ClassVar[Collection[str]] = ()
    """Models whose texts are those of bills, or of documents that were made from them, such as "costs.TagSet".

    Nobody rewrites them, not even to erase a person who is named in a tag.
    """

    warm_up: ClassVar[str] = ""
    """A function that a web server calls once before it serves, for what takes long the first time."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.default = True


def installed_pillars() -> list[PillarConfig]:
    """Every installed pillar and the site itself, in the order of INSTALLED_APPS."""
    return [config for config in apps.get_app_configs() if isinstance(config, PillarConfig)]


def beat_schedule() -> dict[str, Mapping[str, Any]]:
    """The entries of all pillars, by name."""
    return {name: entry for pillar in installed_pillars() for name, entry in pillar.schedule.items()}


def own_rows() -> set[str]:
    """The models, like "tagging.tagrequirement", whose rows an installation makes by itself."""
    return {name.lower() for pillar in installed_pillars() for name in pillar.begins_with}


def as_delivered() -> set[str]:
    """The models whose texts nobody rewrites, like "costs.TagSet"."""
    return {name for pillar in installed_pillars() for name in pillar.as_delivered}


def warm_up() -> None:
    """Does what pillars want done before the first request; gunicorn's workers share it (``--preload``)."""
    for pillar in installed_pillars():
        if pillar.warm_up:
            import_string(pillar.warm_up)()


def enum_names() -> dict[str, str]:
    return {name: path for pillar in installed_pillars() for name, path in pillar.enum_names.items()}
