"""The API's addresses of the programme, mounted under the site's."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from programme.api import kpis, savings_model

router = SimpleRouter()
router.register("savings-assumptions", savings_model.AssumptionViewSet, "savings-assumption")
router.register("savings-assumption-changes", savings_model.AssumptionChangeViewSet, "savings-assumption-change")

urlpatterns = [
    path("kpis/<slug:name>/", kpis.KpiDetail.as_view(), name="kpi"),
    path("kpis/<slug:name>/history/", kpis.KpiHistory.as_view(), name="kpi-history"),
    path("kpis/<slug:name>/comments/", kpis.KpiComments.as_view(), name="kpi-comments"),
    path("savings-model/", savings_model.SavingsModelView.as_view(), name="savings-model"),
    path("savings-evidence/", savings_model.SavingsEvidenceView.as_view(), name="savings-evidence"),
    *router.urls,
]
