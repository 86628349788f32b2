"""The API's addresses of the programme, mounted under the site's."""

from rest_framework.routers import SimpleRouter

from programme.api import reports

router = SimpleRouter()
router.register("made-reports", reports.MadeReportViewSet, "made-report")
router.register("report-schedules", reports.ReportScheduleViewSet, "report-schedule")

urlpatterns = [*router.urls]
