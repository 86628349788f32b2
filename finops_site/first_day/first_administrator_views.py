"""The first page of an empty site, and the sign-in page that leads to it."""

from typing import Any

from allauth.account.views import LoginView
from django import forms
from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME, login
from django.contrib.auth.password_validation import password_validators_help_texts, validate_password
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import FormView

from finops_site.first_day.first_administrator import SomebodyIsHere, make_first_administrator, nobody_is_here
from finops_site.models import User
from finops_site.sign_in.providers import identity_providers
from finops_site.translation import gettext_lazy as _lazy

NEW = {"autocomplete": "new-password"}


class FirstAdministratorForm(forms.Form):
    email = forms.EmailField(label="E-mail", max_length=254, widget=forms.EmailInput({"autocomplete": "username"}))
    name = forms.CharField(max_length=150, required=False, widget=forms.TextInput({"autocomplete": "name"}))
    password1 = forms.CharField(label=_lazy("Password"), strip=False, widget=forms.PasswordInput(NEW))
    password2 = forms.CharField(label=_lazy("Password again"), strip=False, widget=forms.PasswordInput(NEW))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password1"].help_text = " ".join(password_validators_help_texts())

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        password = cleaned.get("password1")
        if password and cleaned.get("password2") and password != cleaned["password2"]:
            self.add_error("password2", _("The two passwords differ."))
        if password:
            try:
                validate_password(password, User(email=cleaned.get("email", ""), name=cleaned.get("name", "")))
            except ValidationError as error:
                self.add_error("password1", error)
        return cleaned


@method_decorator([never_cache, sensitive_post_parameters()], "dispatch")
class FirstAdministrator(FormView):
    """There while nobody may sign in; not found for ever after."""

    template_name = "first_day/first_administrator.html"
    form_class = FirstAdministratorForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not nobody_is_here():
            raise Http404
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: FirstAdministratorForm) -> HttpResponse:
        values = form.cleaned_data
        try:
            user = make_first_administrator(values["email"], values["name"], values["password1"])
        except SomebodyIsHere:
            raise Http404 from None
        except ValidationError as error:
            form.add_error(None, error)
            return self.form_invalid(form)
        login(self.request, user, backend="finops_site.people.backends.RoleBackend")
        return redirect("set_up")


class SignIn(LoginView):
    """Where there is nobody to sign in, the first administrator is made instead."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "GET" and not request.user.is_authenticated and nobody_is_here():
            return redirect("first_administrator")
        return super().dispatch(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The providers to sign in by, and whether a password opens only in need."""
        wanted = self.request.GET.get(REDIRECT_FIELD_NAME, "")
        query = f"?{urlencode({REDIRECT_FIELD_NAME: wanted})}" if wanted else ""
        providers = [{"name": one.name, "url": one.login_url + query} for one in identity_providers().values()]
        return super().get_context_data(
            providers=providers, passwords_are_off=not settings.FINOPS_PASSWORD_SIGN_IN, **kwargs
        )
