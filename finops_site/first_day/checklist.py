"""The checklist of the first day: what the pillars registered, each ticked by what is in the database."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from finops_site.lib.person import Person
from finops_site.registry import SetupStep, registry
from finops_site.ui.pages import address


@dataclass(frozen=True, slots=True)
class ChecklistLine:
    """A step and whether it is done; None is not known, which is not done."""

    step: SetupStep
    is_done: bool | None
    url: str

    @property
    def state(self) -> str:
        return {True: "good", False: "calm", None: "warn"}[self.is_done]

    @property
    def words(self) -> str:
        return {True: _("Done"), False: pgettext("state", "Open"), None: _("Not known yet")}[self.is_done]

    @property
    def icon(self) -> str:
        return {True: "circle-check", False: "circle-dashed", None: "help"}[self.is_done]


def checklist(user: Person) -> Iterator[ChecklistLine]:
    """Every line in its order, asked as it is read; a line leads to its page for who may open it."""
    for step in registry.of(SetupStep):
        may_open = not step.permission or user.has_perm(step.permission)
        yield ChecklistLine(step, step.is_done(), address(step.url_name) if may_open else "")


def next_line(user: Person) -> ChecklistLine | None:
    """The first line that is not done; None where everything is."""
    return next((line for line in checklist(user) if not line.is_done), None)
