"""The page of one's tokens: making one, which is shown once, and ending them."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.generic import TemplateView, View

from finops_site.people.tokens import CannotMakeToken, end_token, make_token, pillar_names
from finops_site.sign_in.token_forms import TokenForm
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.limits import HasLimit
from finops_site.ui.pages import Page


@method_decorator(never_cache, "dispatch")
class TokensPage(HasLimit, Page, TemplateView):
    """The tokens of one's own programs."""

    template_name = "token.html"
    limit_name, limited_methods = "FINOPS_TOKEN_LIMIT", ("POST",)
    permission_required = None
    title = _lazy("API tokens")
    subtitle = _lazy("What your scripts and spreadsheets sign in with. They see what you see, and nothing more.")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        now = timezone.now()
        names = pillar_names()
        tokens = [
            {
                "token": token,
                "has_ended": token.has_ended(now),
                "pillars": [_(names.get(label, label)) for label in token.pillars],
            }
            for token in self.person.api_tokens.all()
        ]
        return super().get_context_data(**{"tokens": tokens, "form": TokenForm(), "fresh": "", **kwargs})

    def post(self, request: HttpRequest) -> HttpResponse:
        form = TokenForm(request.POST)
        if form.is_valid():
            try:
                _token, key = make_token(self.person, form.wish(), timezone.now())
                return self.render_to_response(self.get_context_data(fresh=key))
            except CannotMakeToken as refused:
                form.add_error(None, str(refused))
        return self.render_to_response(self.get_context_data(form=form))


class EndToken(Page, View):
    permission_required = None

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        token = get_object_or_404(self.person.api_tokens, pk=pk)
        end_token(token)
        messages.success(request, _("The token {name} no longer works.").format(name=token.name))
        return redirect("token")
