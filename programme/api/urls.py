"""The API's addresses of the programme."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from programme.api import kpis, reports, roadmap, savings_model

router = SimpleRouter()
router.register("made-reports", reports.MadeReportViewSet, "made-report")
router.register("report-schedules", reports.ReportScheduleViewSet, "report-schedule")
router.register("programmes", roadmap.ProgrammeViewSet, "programme")
router.register("milestones", roadmap.MilestoneViewSet, "milestone")
router.register("risks", roadmap.RiskViewSet, "risk")
router.register("decision-points", roadmap.DecisionViewSet, "decision-point")
router.register("savings-assumptions", savings_model.AssumptionViewSet, "savings-assumption")
router.register("savings-assumption-changes", savings_model.AssumptionChangeViewSet, "savings-assumption-change")

urlpatterns: list = [
    path("maturity/", roadmap.MaturityOfCapabilities.as_view(), name="maturity"),
    path("savings-model/", savings_model.SavingsModelView.as_view(), name="savings-model"),
    path("savings-evidence/", savings_model.SavingsEvidenceView.as_view(), name="savings-evidence"),
    *router.urls,
    path("kpis/<slug:name>/", kpis.KpiDetail.as_view(), name="kpi"),
    path("kpis/<slug:name>/history/", kpis.KpiHistory.as_view(), name="kpi-history"),
    path("kpis/<slug:name>/comments/", kpis.KpiComments.as_view(), name="kpi-comments"),
]
