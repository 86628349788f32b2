"""Addresses of the pages of the programme."""

from django.urls import path, register_converter

from programme.kpis import views as kpis
from programme.reports import leave_page, report_pages, schedule_pages
from programme.roadmap import decision_views, item_views, programme_views
from programme.savings_model import views as savings

app_name = "programme"

register_converter(report_pages.DayConverter, "day")

REPORTS = [
    path("programme/reports/", report_pages.ReportsPage.as_view(), name="reports"),
    path("programme/reports/make/", report_pages.MakeReport.as_view(), name="make_report"),
    path("programme/reports/runs/<int:pk>/", report_pages.RunPage.as_view(), name="report_run"),
    path("programme/reports/made/<int:pk>/", report_pages.MadeReportPage.as_view(), name="made_report"),
    path("programme/reports/made/<int:pk>/pdf/", report_pages.MadeReportPdf.as_view(), name="made_report_pdf"),
    path("programme/reports/schedules/", schedule_pages.SchedulesPage.as_view(), name="report_schedules"),
    path("programme/reports/schedules/add/", schedule_pages.EditSchedule.as_view(), name="report_schedule_add"),
    path("programme/reports/schedules/<int:pk>/", schedule_pages.SchedulePage.as_view(), name="report_schedule"),
    path(
        "programme/reports/schedules/<int:pk>/edit/", schedule_pages.EditSchedule.as_view(), name="report_schedule_edit"
    ),
    path(
        "programme/reports/schedules/<int:pk>/<str:verb>/",
        schedule_pages.ActOnSchedule.as_view(),
        name="report_schedule_act",
    ),
    path("programme/reports/deliveries/<int:pk>/again/", schedule_pages.SendAgain.as_view(), name="report_send_again"),
    path("programme/reports/leave/<str:token>/", leave_page.LeavePage.as_view(), name="leave_report"),
    path("programme/reports/<str:kind>/<day:day>/", report_pages.LiveReport.as_view(), name="report"),
    path("programme/reports/<str:kind>/<day:day>/pdf/", report_pages.LivePdf.as_view(), name="report_pdf"),
]

ROADMAP = [
    path("programme/", programme_views.OverviewPage.as_view(), name="overview"),
    path("programme/roadmap/", programme_views.RoadmapPage.as_view(), name="roadmap"),
    path("programme/roadmap/start/", programme_views.StartPage.as_view(), name="programme_start"),
    path("programme/maturity/", programme_views.MaturityPage.as_view(), name="maturity"),
    path("programme/roadmap/<int:pk>/", programme_views.ProgrammePage.as_view(), name="programme"),
    path("programme/roadmap/<int:pk>/milestones/", programme_views.MilestonesPage.as_view(), name="milestones"),
    path("programme/roadmap/<int:pk>/<slug:part>/add/", item_views.PartPage.as_view(), name="part_add"),
    path("programme/roadmap/<int:pk>/<slug:part>/<int:item>/", item_views.PartPage.as_view(), name="part_edit"),
    path("programme/roadmap/<int:pk>/<slug:part>/<int:item>/move/", item_views.MovePage.as_view(), name="move"),
    path(
        "programme/roadmap/<int:pk>/<slug:part>/<int:item>/remove/", item_views.RemovePart.as_view(), name="part_remove"
    ),
    path("programme/roadmap/<int:pk>/act/<slug:verb>/", programme_views.ActOnProgramme.as_view(), name="programme_act"),
    path("programme/milestones/<int:pk>/", item_views.MilestonePage.as_view(), name="milestone"),
    path("programme/milestones/<int:pk>/<slug:verb>/", item_views.ActOnMilestone.as_view(), name="milestone_act"),
    path("programme/risks/<int:pk>/", item_views.RiskPage.as_view(), name="risk"),
    path("programme/risks/<int:pk>/<slug:verb>/", item_views.ActOnRisk.as_view(), name="risk_act"),
    path("programme/decisions/<int:pk>/", decision_views.DecisionPage.as_view(), name="decision"),
    path("programme/decisions/<int:pk>/<slug:verb>/", decision_views.ActOnDecision.as_view(), name="decision_act"),
]
KPIS = [
    path("programme/kpis/", kpis.KpiList.as_view(), name="kpis"),
    path("programme/kpis/<slug:name>/", kpis.KpiPage.as_view(), name="kpi"),
    path("programme/kpis/<slug:name>/edit/", kpis.EditKpi.as_view(), name="kpi_edit"),
]
SAVINGS = [
    path("programme/savings/", savings.SavingsPage.as_view(), name="savings"),
    path("programme/savings/start/", savings.StartPage.as_view(), name="savings_start"),
    path("programme/savings/history/", savings.ChangesPage.as_view(), name="savings_changes"),
    path("programme/savings/proved/", savings.EvidencePage.as_view(), name="savings_evidence"),
    path("programme/savings/assumptions/<int:pk>/", savings.AssumptionPage.as_view(), name="assumption"),
    path("programme/savings/assumptions/<int:pk>/edit/", savings.AssumptionEditPage.as_view(), name="assumption_edit"),
]
urlpatterns = [*KPIS, *ROADMAP, *SAVINGS, *REPORTS]
