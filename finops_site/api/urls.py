"""The API's addresses; each pillar's are where its `apps.py` says."""

from django.urls import include, path

from finops_site.api.views import Me, MyToken
from finops_site.pillars import installed_pillars

app_name = "api"

urlpatterns = [
    path("me/", Me.as_view(), name="me"),
    path("me/token/", MyToken.as_view(), name="me-token"),
    *(path("", include(pillar.api_urls)) for pillar in installed_pillars() if pillar.api_urls),
]
