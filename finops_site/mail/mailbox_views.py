"""The mailbox of a laptop: there in the embedded mode only."""

from functools import cached_property
from typing import Any

import django_tables2
from csp.constants import NONE, SELF
from csp.decorators import csp_replace
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.generic import TemplateView, View
from django_tables2 import A

from finops_site.mail import mailbox
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import Empty, ListPage, Page
from finops_site.ui.tables import BaseTable, MomentColumn

# A mail brings its styles with it; nothing in it runs, and only our own page may frame it.
AS_IN_A_MAILBOX = {
    "default-src": [NONE],
    "script-src": [NONE],
    "img-src": ["data:"],
    "style-src": ["'unsafe-inline'"],
    "frame-ancestors": [SELF],
    "sandbox": ["allow-popups", "allow-top-navigation-by-user-activation"],
}


class MailTable(BaseTable):
    subject = django_tables2.Column(_lazy("Subject"), linkify=("dev_mail_message", {"name": A("name")}))
    to = django_tables2.Column(_lazy("To"))
    at = MomentColumn(_lazy("Sent"))

    class Meta(BaseTable.Meta):
        orderable = False
        caption = _lazy("Mail")


class Mailbox(ListPage):
    permission_required = None
    table_class = MailTable
    title = _lazy("Mailbox")
    subtitle = _lazy("On this computer mail lands here and goes nowhere.")
    empty = Empty(
        _lazy("No mail yet"),
        _lazy("What the system writes to you appears here: alerts, reminders, statements."),
        "mail",
    )

    def get_queryset(self) -> list[mailbox.Mail]:
        return mailbox.mails(self.person)


class _OneMail(Page):
    kwargs: dict[str, Any]
    permission_required = None

    @cached_property
    def mail(self) -> mailbox.Mail:
        message = mailbox.mail(self.kwargs["name"], self.person)
        if message is None:
            raise Http404
        return message


class MailPage(_OneMail, TemplateView):
    template_name = "dev/mail.html"
    breadcrumbs = ((_lazy("Mailbox"), "dev_mail"),)

    def get_title(self) -> str:
        return self.mail.subject

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(mail=self.mail, **kwargs)


@method_decorator([xframe_options_sameorigin, csp_replace(AS_IN_A_MAILBOX)], name="dispatch")
class MailHtml(_OneMail, View):
    def get(self, request: HttpRequest, name: str) -> HttpResponse:
        return HttpResponse(self.mail.html)
