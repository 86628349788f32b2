"""Addresses of the pages of the programme."""

from django.urls import path, register_converter

from programme.kpis import views as kpis
from programme.reports import report_pages, schedule_pages

app_name = "programme"

register_converter(report_pages.DayConverter, "day")

urlpatterns = [
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
    path("programme/reports/<str:kind>/<day:day>/", report_pages.LiveReport.as_view(), name="report"),
    path("programme/reports/<str:kind>/<day:day>/pdf/", report_pages.LivePdf.as_view(), name="report_pdf"),
    path("programme/kpis/", kpis.KpiList.as_view(), name="kpis"),
    path("programme/kpis/<slug:name>/", kpis.KpiPage.as_view(), name="kpi"),
    path("programme/kpis/<slug:name>/edit/", kpis.EditKpi.as_view(), name="kpi_edit"),
]
