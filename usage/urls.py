"""Addresses of the pages of usage."""

app_name = "usage"

FINDINGS: list = []
IMPORTS: list = []
ESTIMATES: list = []

urlpatterns: list = [*FINDINGS, *IMPORTS, *ESTIMATES]
