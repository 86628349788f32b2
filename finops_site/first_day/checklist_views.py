"""The checklist of the first day, and the pages of the site where its lines are done."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.forms.forms import BaseForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.generic import TemplateView
from django_htmx.http import HttpResponseClientRefresh

from finops_site.first_day.checklist import checklist
from finops_site.first_day.remove_demo import CannotRemove, queue_removal, what_goes, why_not
from finops_site.first_day.site_steps import LETTER, mail_server
from finops_site.mail.emails import make_message
from finops_site.mail.outbox import queue_email
from finops_site.models import Company, OutgoingEmail, User
from finops_site.people.company import load_company
from finops_site.people.demo_rows import demo_company
from finops_site.people.reader_language import language_of_page
from finops_site.people.signed_in import signed_in_user
from finops_site.registry import DemoPart, registry
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.forms import time_zone_field
from finops_site.ui.pages import FormPage, Page

SET_UP = ((_lazy("Set up"), "set_up"),)


class ChecklistPage(Page, TemplateView):
    permission_required = "finops_site.follow_setup"
    template_name = "first_day/checklist.html"
    title = _lazy("Set up")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        lines = list(checklist(self.person))
        done = sum(line.is_done is True for line in lines)
        subtitle = (
            _("Everything is set up.")
            if done == len(lines)
            else _("{done} of {count} are done.").format(done=done, count=len(lines))
        )
        return super().get_context_data(lines=lines, subtitle=subtitle, is_hidden=self.person.hides_setup, **kwargs)

    def post(self, request: HttpRequest) -> HttpResponse:
        user = signed_in_user(request)
        user.hides_setup = "hide" in request.POST
        user.save(update_fields=["hides_setup"])
        if user.hides_setup:
            messages.success(request, _("Home shows it no more. It stays here, under System."))
        return redirect("home" if user.hides_setup else "set_up")


# The settings of the environment that stand before what is entered.
SETTINGS_BEFORE = {
    "name": "FINOPS_COMPANY",
    "currency": "FINOPS_REPORTING_CURRENCY",
    "language": "FINOPS_LANGUAGE",
}


class CompanyForm(forms.ModelForm):
    class Meta:
        model = Company
        fields = ["name", "currency", "language", "time_zone"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["time_zone"] = time_zone_field(_("UTC"), str(self.fields["time_zone"].help_text))
        for field, setting in SETTINGS_BEFORE.items():
            if value := getattr(settings, setting):
                self.fields[field].help_text = _(
                    "The setting {setting} says {value}, and stands before what is here."
                ).format(setting=setting, value=value)


class CompanyPage(FormPage):
    permission_required = "finops_site.change_company"
    form_class = CompanyForm
    title = _lazy("Company and currency")
    subtitle = _lazy("Costs stay in the currency they were billed in; this is the one they are shown in.")
    breadcrumbs = SET_UP
    cancel_url_name = "set_up"
    success_url = reverse_lazy("set_up")

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "instance": load_company()}

    def save(self, form: BaseForm) -> Company:
        company: Company = super().save(form)
        # It is read in the language that was chosen just now; the person of the request knows the company as it was.
        reader = User.objects.get(pk=self.person.pk)
        with translation.override(language_of_page(self.request, reader)):
            messages.success(self.request, _("Saved."))
        return company


class RemoveDemoPage(Page, TemplateView):
    """What of the demo goes and what stays, its removal by one button, and how far that is."""

    permission_required = "finops_site.delete_democompany"
    template_name = "first_day/remove_demo.html"
    title = _lazy("Remove the demo")
    breadcrumbs = SET_UP
    parameters = ("progress",)

    def _progress(self) -> dict[str, Any] | None:
        company = demo_company()
        if company is None or company.removal_asked_at is None:
            return None
        return {
            "url": f"{self.request.path}?progress=1",
            "percent": company.removal_percent,
            "label": _("Removing the demo"),
            "detail": next((p.label for p in registry.of(DemoPart) if p.name == company.removal_step), ""),
            "failed": bool(company.problem),
            "message": company.problem,
        }

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        progress = self._progress()
        if request.GET.get("progress"):
            if progress is None:
                return HttpResponseClientRefresh()
            return render(request, "includes/progress.html", {"progress": progress})
        reason = why_not()
        context = {"progress": progress, "reason": reason, "rows": [] if reason or progress else what_goes()}
        return self.render_to_response(self.get_context_data(**context))

    def post(self, request: HttpRequest) -> HttpResponse:
        try:
            queue_removal(signed_in_user(request), timezone.now())
        except CannotRemove as error:
            messages.error(request, str(error))
        return redirect("remove_demo")


class TestLetterPage(Page, TemplateView):
    """Where mail goes, and a letter to oneself that shows whether it arrives."""

    permission_required = "finops_site.follow_setup"
    template_name = "first_day/test_letter.html"
    title = _lazy("Mail server")
    breadcrumbs = SET_UP

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        letters = OutgoingEmail.objects.filter(key__startswith=f"{LETTER} by ", to=self.person.email).defer("content")
        return super().get_context_data(
            server=mail_server(), port=settings.EMAIL_PORT, sender=settings.DEFAULT_FROM_EMAIL, letters=letters[:5]
        )

    def post(self, request: HttpRequest) -> HttpResponse:
        user, now = signed_in_user(request), timezone.now()
        key = f"{LETTER} by {mail_server() or 'this computer'} at {now:%Y-%m-%d %H:%M:%S} to {user.email}"
        queue_email(key, make_message("test-letter", user.email, {"server": mail_server(), "at": now}), now=now)
        messages.success(
            request, _("A letter to {email} is on its way; its outcome is shown here.").format(email=user.email)
        )
        return redirect("test_letter")
