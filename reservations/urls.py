"""Addresses of the pages of reservations."""

from django.urls.resolvers import URLPattern

app_name = "reservations"

urlpatterns: list[URLPattern] = []
