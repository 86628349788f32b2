"""The site's doors; each pillar's are where its `apps.py` says."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path, register_converter
from drf_spectacular.views import SpectacularAPIView

from finops_site.api.views import Docs
from finops_site.home_views import ApiToken, Home
from finops_site.mail import mailbox_views
from finops_site.ops import health_views
from finops_site.pillars import installed_pillars
from finops_site.reports import views

register_converter(views.MonthConverter, "month")

urlpatterns = [
    path("", Home.as_view(), name="home"),
    path("token/", ApiToken.as_view(), name="token"),
    path("reports/", views.ReportsPage.as_view(), name="reports"),
    path("reports/<month:month>/", views.ReportPage.as_view(), name="report"),
    path("reports/<month:month>/pdf/", views.ReportPdf.as_view(), name="report_pdf"),
    path("health/", health_views.HealthPage.as_view(), name="health"),
    path("healthz", health_views.healthz, name="healthz"),
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("api/v1/", include("finops_site.api.urls")),
    path("api/schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("api/docs/", Docs.as_view(url_name="api-schema"), name="api-docs"),
    *(path("", include(pillar.urls)) for pillar in installed_pillars() if pillar.urls),
]

if settings.EMBEDDED:
    urlpatterns += [
        path("dev/mail/", mailbox_views.Mailbox.as_view(), name="dev_mail"),
        path("dev/mail/<str:name>/", mailbox_views.MailPage.as_view(), name="dev_mail_message"),
        path("dev/mail/<str:name>/html/", mailbox_views.MailHtml.as_view(), name="dev_mail_html"),
    ]
