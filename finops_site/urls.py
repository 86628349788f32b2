"""The site's doors; each pillar's are where its `apps.py` says."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path, register_converter
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView

from finops_site.api.views import Docs
from finops_site.exports import pages as export_pages
from finops_site.first_day import checklist_views
from finops_site.first_day.first_administrator_views import FirstAdministrator, SignIn
from finops_site.home_views import DiscardTypedText, Home, Programme, ToDoPage
from finops_site.mail import mailbox_views, notification_views, people_views, unsent_views
from finops_site.my_settings_views import MySettingsPage
from finops_site.ops import audit_views, health_views
from finops_site.own_roles import pages as own_roles_pages
from finops_site.pillars import installed_pillars
from finops_site.reports import views
from finops_site.saved_views import dashboard_pages, view_pages
from finops_site.scim import token_pages as token_pages_of_scim
from finops_site.search_views import SearchPage
from finops_site.sign_in import group_pages, session_pages, token_pages

register_converter(views.MonthConverter, "month")

urlpatterns = [
    path("", Home.as_view(), name="home"),
    path("to-do/", ToDoPage.as_view(), name="to_do"),
    path("home/programme/", Programme.as_view(), name="programme"),
    path("search/", SearchPage.as_view(), name="search"),
    path("views/", view_pages.SavedViewsPage.as_view(), name="saved_views"),
    path("views/add/", view_pages.KeepViewPage.as_view(), name="saved_view_add"),
    path("views/<int:pk>/", view_pages.ViewSettingsPage.as_view(), name="saved_view"),
    path("views/<int:pk>/<slug:verb>/", view_pages.ActOnView.as_view(), name="saved_view_act"),
    path("dashboards/", dashboard_pages.DashboardsPage.as_view(), name="dashboards"),
    path("dashboards/add/", dashboard_pages.DashboardFormPage.as_view(), name="dashboard_add"),
    path("dashboards/<int:pk>/", dashboard_pages.DashboardPage.as_view(), name="dashboard"),
    path("dashboards/<int:pk>/edit/", dashboard_pages.DashboardFormPage.as_view(), name="dashboard_edit"),
    path("dashboards/<int:pk>/act/<slug:verb>/", dashboard_pages.ActOnDashboard.as_view(), name="dashboard_act"),
    path("typed-text/", DiscardTypedText.as_view(), name="typed_text"),
    path("settings/", MySettingsPage.as_view(), name="my_settings"),
    path("settings/sessions/", session_pages.SessionsPage.as_view(), name="my_sessions"),
    path("settings/sessions/<int:pk>/end/", session_pages.EndSession.as_view(), name="my_session_end"),
    path("exports/", export_pages.ExportsPage.as_view(), name="my_exports"),
    path("exports/<int:pk>/", export_pages.ExportPage.as_view(), name="my_export"),
    path("exports/<int:pk>/file/", export_pages.ExportFile.as_view(), name="my_export_file"),
    path("exports/<int:pk>/<slug:verb>/", export_pages.ActOnExport.as_view(), name="my_export_act"),
    path("token/", token_pages.TokensPage.as_view(), name="token"),
    path("token/<int:pk>/end/", token_pages.EndToken.as_view(), name="token_end"),
    path("reports/", views.ReportsPage.as_view(), name="reports"),
    path("reports/<month:month>/", views.ReportPage.as_view(), name="report"),
    path("reports/<month:month>/pdf/", views.ReportPdf.as_view(), name="report_pdf"),
    path("health/", health_views.HealthPage.as_view(), name="health"),
    path("audit/", audit_views.AuditPage.as_view(), name="audit"),
    path("audit/<int:pk>/", audit_views.AuditEntryPage.as_view(), name="audit_entry"),
    path("messages/not-sent/", unsent_views.UnsentPage.as_view(), name="unsent_messages"),
    path("notifications/", notification_views.NotificationsPage.as_view(), name="notifications"),
    path("notifications/<int:pk>/", notification_views.OpenNotification.as_view(), name="notification"),
    path("notifications/where/", notification_views.PreferencesPage.as_view(), name="notification_preferences"),
    path("healthz", health_views.healthz, name="healthz"),
    path("readyz", health_views.readyz, name="readyz"),
    path("metrics", health_views.metrics_for_prometheus, name="metrics"),
    path("admin/", admin.site.urls),
    path("welcome/", FirstAdministrator.as_view(), name="first_administrator"),
    path("set-up/", checklist_views.ChecklistPage.as_view(), name="set_up"),
    path("set-up/company/", checklist_views.CompanyPage.as_view(), name="company"),
    path("set-up/demo/", checklist_views.RemoveDemoPage.as_view(), name="remove_demo"),
    path("set-up/mail/", checklist_views.TestLetterPage.as_view(), name="test_letter"),
    path("people/", people_views.PeoplePage.as_view(), name="people"),
    path("people/invite/", people_views.InvitePage.as_view(), name="person_invite"),
    path("people/paste/", people_views.PastePage.as_view(), name="people_paste"),
    path("people/<int:pk>/", people_views.PersonPage.as_view(), name="person"),
    path("people/<int:pk>/sessions/end/", session_pages.EndSessionsOfPerson.as_view(), name="person_sessions_end"),
    path("people/teams/", people_views.TeamsPage.as_view(), name="people_teams"),
    path("people/teams/add/", people_views.TeamPage.as_view(), name="people_team_add"),
    path("people/teams/<int:pk>/", people_views.TeamPage.as_view(), name="people_team"),
    path("people/teams/<int:pk>/delete/", people_views.DeleteTeam.as_view(), name="people_team_delete"),
    path("people/roles/", own_roles_pages.RolesPage.as_view(), name="roles"),
    path("people/roles/add/", own_roles_pages.RolePage.as_view(), name="role_add"),
    path("people/roles/<int:pk>/", own_roles_pages.RolePage.as_view(), name="role"),
    path("people/roles/<int:pk>/delete/", own_roles_pages.DeleteRole.as_view(), name="role_delete"),
    path("people/groups/", group_pages.GroupMappingsPage.as_view(), name="group_mappings"),
    path("people/groups/add/", group_pages.GroupMappingPage.as_view(), name="group_mapping_add"),
    path("people/groups/<int:pk>/", group_pages.GroupMappingPage.as_view(), name="group_mapping"),
    path("people/scim/", token_pages_of_scim.ScimPage.as_view(), name="scim_tokens"),
    path("people/scim/<int:pk>/end/", token_pages_of_scim.EndScimToken.as_view(), name="scim_token_end"),
    path("scim/v2/", include("finops_site.scim.urls")),
    path("accounts/login/", SignIn.as_view(), name="account_login"),
    # An administrator changes the address that somebody signs in with.
    path("accounts/email/", RedirectView.as_view(pattern_name="my_settings"), name="account_email"),
    # Whom a provider brings in is tied to her account by its address; nobody ties another.
    path("accounts/3rdparty/", RedirectView.as_view(pattern_name="my_settings"), name="socialaccount_connections"),
    path("accounts/sessions/", RedirectView.as_view(pattern_name="my_sessions"), name="usersessions_list"),
    path("accounts/", include("allauth.urls")),
    path("api/v1/", include("finops_site.api.urls")),
    path("api/schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("api/docs/", Docs.as_view(url_name="api-schema"), name="api-docs"),
    *(path("", include(pillar.urls)) for pillar in installed_pillars() if pillar.urls),
]

handler403 = "finops_site.error_views.not_allowed"
handler404 = "finops_site.error_views.not_found"
handler500 = "finops_site.error_views.server_error"

if settings.EMBEDDED:
    urlpatterns += [
        path("dev/mail/", mailbox_views.Mailbox.as_view(), name="dev_mail"),
        path("dev/mail/<str:name>/", mailbox_views.MailPage.as_view(), name="dev_mail_message"),
        path("dev/mail/<str:name>/html/", mailbox_views.MailHtml.as_view(), name="dev_mail_html"),
    ]
