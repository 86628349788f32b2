"""The pages of the programme."""

from django.urls import path

from programme.kpis import views as kpis
from programme.savings_model import views as savings

app_name = "programme"
urlpatterns = [
    path("programme/kpis/", kpis.KpiList.as_view(), name="kpis"),
    path("programme/kpis/<slug:name>/", kpis.KpiPage.as_view(), name="kpi"),
    path("programme/kpis/<slug:name>/edit/", kpis.EditKpi.as_view(), name="kpi_edit"),
    path("programme/savings/", savings.SavingsPage.as_view(), name="savings"),
    path("programme/savings/start/", savings.StartPage.as_view(), name="savings_start"),
    path("programme/savings/history/", savings.ChangesPage.as_view(), name="savings_changes"),
    path("programme/savings/proved/", savings.EvidencePage.as_view(), name="savings_evidence"),
    path("programme/savings/assumptions/<int:pk>/", savings.AssumptionPage.as_view(), name="assumption"),
    path("programme/savings/assumptions/<int:pk>/edit/", savings.AssumptionEditPage.as_view(), name="assumption_edit"),
]
