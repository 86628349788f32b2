"""The pages of the programme."""

from django.urls import path

from programme.savings_model import views as savings

app_name = "programme"
urlpatterns = [
    path("programme/savings/", savings.SavingsPage.as_view(), name="savings"),
    path("programme/savings/start/", savings.StartPage.as_view(), name="savings_start"),
    path("programme/savings/history/", savings.ChangesPage.as_view(), name="savings_changes"),
    path("programme/savings/proved/", savings.EvidencePage.as_view(), name="savings_evidence"),
    path("programme/savings/assumptions/<int:pk>/", savings.AssumptionPage.as_view(), name="assumption"),
    path("programme/savings/assumptions/<int:pk>/edit/", savings.AssumptionEditPage.as_view(), name="assumption_edit"),
]
