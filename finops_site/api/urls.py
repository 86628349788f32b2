"""The API's addresses; each pillar's are where its `apps.py` says."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from finops_site.api import exports, group_mappings, notification_views, own_roles, programme_views, saved_views
from finops_site.api.tokens import MyToken, MyTokens, OneOfMyTokens
from finops_site.api.views import Me
from finops_site.pillars import installed_pillars

app_name = "api"

router = SimpleRouter()
router.register("audit", programme_views.AuditViewSet, "audit")
router.register("saved-views", saved_views.SavedViewViewSet, "saved-view")
router.register("dashboards", saved_views.DashboardViewSet, "dashboard")
router.register("exports", exports.ExportViewSet, "export")
router.register("group-mappings", group_mappings.GroupMappingViewSet, "group-mapping")
router.register("roles", own_roles.OwnRoleViewSet, "role")
router.register("notifications", notification_views.NotificationViewSet, "notification")

urlpatterns = [
    path("me/", Me.as_view(), name="me"),
    path("me/token/", MyToken.as_view(), name="me-token"),
    path("me/tokens/", MyTokens.as_view(), name="me-tokens"),
    path("me/tokens/<int:pk>/", OneOfMyTokens.as_view(), name="me-token-detail"),
    path(
        "notification-preferences/",
        notification_views.NotificationPreferences.as_view(),
        name="notification-preferences",
    ),
    path("reports/", programme_views.ReportMonths.as_view(), name="reports"),
    path("reports/<str:month>/", programme_views.ReportOfMonth.as_view(), name="report"),
    path("kpis/", programme_views.Kpis.as_view(), name="kpis"),
    path("decisions/", programme_views.PendingDecisions.as_view(), name="decisions"),
    path("to-do/", programme_views.ToDoView.as_view(), name="to-do"),
    path("health/", programme_views.HealthOfSystem.as_view(), name="health"),
    *router.urls,
    *(path("", include(pillar.api_urls)) for pillar in installed_pillars() if pillar.api_urls),
]
