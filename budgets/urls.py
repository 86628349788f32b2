"""Addresses of the pages of budgets."""

from django.urls.resolvers import URLPattern

app_name = "budgets"

urlpatterns: list[URLPattern] = []
