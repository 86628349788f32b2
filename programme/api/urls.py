"""The API's addresses of the programme, mounted under the site's."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from programme.api import kpis, reports

router = SimpleRouter()
router.register("made-reports", reports.MadeReportViewSet, "made-report")
router.register("report-schedules", reports.ReportScheduleViewSet, "report-schedule")

urlpatterns = [
    *router.urls,
    path("kpis/<slug:name>/", kpis.KpiDetail.as_view(), name="kpi"),
    path("kpis/<slug:name>/history/", kpis.KpiHistory.as_view(), name="kpi-history"),
    path("kpis/<slug:name>/comments/", kpis.KpiComments.as_view(), name="kpi-comments"),
]
