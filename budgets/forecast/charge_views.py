"""Charges that are known before their bill: entered on the budget's page, changed and removed."""

from typing import Any

from django.contrib import messages
from django.utils.translation import gettext as _

from budgets.forecast.charge_forms import KnownChargeForm
from budgets.line_pages import LineButton, LineForm
from budgets.models import KnownCharge
from budgets.permissions import may_edit_budget


class EditKnownCharge(LineForm):
    row_model, form_class, may_edit = KnownCharge, KnownChargeForm, staticmethod(may_edit_budget)
    anchor = "known-charges"

    def get_title(self) -> str:
        return (
            _("Change {line}").format(line=self.line)
            if self.line
            else _("A known charge of {object}").format(object=self.object)
        )

    def get_subtitle(self) -> str:
        return _("An invoice, a renewal or a credit that no bill shows yet. The next night counts it in the forecast.")

    def save(self, form: KnownChargeForm) -> KnownCharge:
        if self.line is None:
            form.instance.created_by = self.request.user
        charge: KnownCharge = form.save()
        return charge


class RemoveKnownCharge(LineButton):
    """Takes a charge out of the forecast; it stays in the audit log."""

    row_model, may_edit, anchor = KnownCharge, staticmethod(may_edit_budget), "known-charges"
    http_method_names = ["post"]

    def act(self, line: Any, verb: str) -> None:
        line.delete()
        messages.success(
            self.request, _("{line} is no longer in the forecast of {budget}.").format(line=line, budget=line.budget)
        )
