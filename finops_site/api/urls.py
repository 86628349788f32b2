"""The API's addresses; a pillar adds a line that names its own by a string."""

from django.urls import include, path

from finops_site.api.views import Me, MyToken

app_name = "api"

urlpatterns = [
    path("me/", Me.as_view(), name="me"),
    path("me/token/", MyToken.as_view(), name="me-token"),
    path("", include("costs.api.urls")),
    path("", include("tagging.api_urls")),
    path("", include("budgets.api.urls")),
    path("", include("reservations.api.urls")),
]
