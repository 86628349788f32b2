"""The page where administrators make the token that an identity provider sends people and groups by."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.generic import TemplateView, View

from finops_site.mail.emails import absolute_url
from finops_site.models import ScimGroup, ScimToken
from finops_site.scim.tokens import make_scim_token
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import Page


class ScimTokenForm(forms.Form):
    name = forms.CharField(label=_lazy("Name"), max_length=100, help_text=_lazy("Of the identity provider."))


@method_decorator(never_cache, "dispatch")
class ScimPage(Page, TemplateView):
    template_name = "scim.html"
    permission_required = "finops_site.add_scimtoken"
    title = _lazy("People from your identity provider")
    subtitle = _lazy("It makes, changes and switches off people here by SCIM, and says in which groups they are.")
    breadcrumbs = ((_lazy("People"), "people"),)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        shown = {
            "tokens": ScimToken.objects.select_related("created_by"),
            "address": absolute_url(reverse("scim:users")).removesuffix("/Users"),
            "groups": ScimGroup.objects.order_by("display_name")[:200],
            "form": ScimTokenForm(),
            "fresh": "",
        }
        return super().get_context_data(**{**shown, **kwargs})

    def post(self, request: HttpRequest) -> HttpResponse:
        form = ScimTokenForm(request.POST)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form))
        _token, key = make_scim_token(form.cleaned_data["name"], self.person)
        return self.render_to_response(self.get_context_data(fresh=key))


class EndScimToken(Page, View):
    permission_required = "finops_site.delete_scimtoken"

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        token = get_object_or_404(ScimToken, pk=pk)
        token.delete()
        messages.success(request, _("The token {name} no longer works.").format(name=token.name))
        return redirect("scim_tokens")
