from django.urls import path

from programme.api import kpis

urlpatterns = [
    path("kpis/<slug:name>/", kpis.KpiDetail.as_view(), name="kpi"),
    path("kpis/<slug:name>/history/", kpis.KpiHistory.as_view(), name="kpi-history"),
    path("kpis/<slug:name>/comments/", kpis.KpiComments.as_view(), name="kpi-comments"),
]
