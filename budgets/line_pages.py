"""What hangs on a budget line by line (thresholds, recipients, known charges) is added, changed and acted on alike."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.generic import View

from budgets.models import Budget
from finops_site.lib.person import Person
from finops_site.ui.pages import FormPage, Page


class LineForm(FormPage):
    """A form about one line of a budget: `line` in the address, a new one without it."""

    permission_required = "budgets.view_budget"
    model = Budget
    row_model: type[Model]
    may_edit: Callable[[Person, Budget], bool]
    anchor = ""

    @cached_property
    def line(self) -> Any:
        pk = self.kwargs.get("line")
        return get_object_or_404(self.row_model, pk=pk, budget=self.object) if pk else None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if self.person.is_authenticated and not type(self).may_edit(self.person, self.object):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get_breadcrumbs(self) -> Any:
        return ((_("Budgets"), "budgets:budgets"), (str(self.object), self.object.get_absolute_url()))

    def get_form_kwargs(self) -> dict[str, Any]:
        kwargs = {**super().get_form_kwargs(), "budget": self.object}
        kwargs.pop("instance", None)
        return {**kwargs, "instance": self.line} if self.line else kwargs

    def get_success_url(self) -> str:
        return self.object.part_url(self.anchor)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**{"cancel_url": self.get_success_url(), **kwargs})


class LineButton(Page, View):
    """A button of one line of a budget."""

    permission_required = "budgets.view_budget"
    row_model: type[Model]
    may_edit: Callable[[Person, Budget], bool]
    anchor = ""

    def post(self, request: HttpRequest, pk: int, line: int, verb: str = "") -> HttpResponse:
        budget = get_object_or_404(Budget.objects.visible_to(self.person), pk=pk)
        if not type(self).may_edit(self.person, budget):
            raise PermissionDenied
        self.act(get_object_or_404(self.row_model, pk=line, budget=budget), verb)
        return redirect(budget.part_url(self.anchor))

    def act(self, line: Any, verb: str) -> None:
        raise NotImplementedError
