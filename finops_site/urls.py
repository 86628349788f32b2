"""The site's doors; apps are named as strings only."""

from django.contrib import admin
from django.urls import include, path

from finops_site.views import Home

urlpatterns = [
    path("", Home.as_view(), name="home"),
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
]
