from django.apps import AppConfig


class FinopsSiteConfig(AppConfig):
    name = "finops_site"
    verbose_name = "People"
