"""Addresses of the pages of tagging."""

from django.urls.resolvers import URLPattern

app_name = "tagging"

urlpatterns: list[URLPattern] = []
