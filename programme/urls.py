from django.urls import path

from programme.kpis import views as kpis

app_name = "programme"
urlpatterns = [
    path("programme/kpis/", kpis.KpiList.as_view(), name="kpis"),
    path("programme/kpis/<slug:name>/", kpis.KpiPage.as_view(), name="kpi"),
    path("programme/kpis/<slug:name>/edit/", kpis.EditKpi.as_view(), name="kpi_edit"),
]
