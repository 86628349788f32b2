"""The ground floor as a Django app."""

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate


class FinopsSiteConfig(AppConfig):
    name = "finops_site"
    verbose_name = "People"

    def ready(self) -> None:
        # Celery's app is made with Django's, so that tasks handed over by any process go to our broker.
        from finops_site import celery, checks  # noqa: F401
        from finops_site.people import roles

        # Permissions are made app by app; after the last app with models they are all there.
        last = [config for config in apps.get_app_configs() if config.models_module][-1]
        post_migrate.connect(roles.sync_roles, sender=last, dispatch_uid="finops_site.sync_roles")
        self._keep_a_log_of_people()
        self._stand_in_the_sidebar()

    def _keep_a_log_of_people(self) -> None:
        from auditlog.registry import auditlog

        auditlog.register(self.get_model("User"), exclude_fields=["password", "last_login"], m2m_fields={"groups"})
        auditlog.register(self.get_model("Team"))
        auditlog.register(self.get_model("Membership"))

    def _stand_in_the_sidebar(self) -> None:
        from finops_site.registry import NavItem, registry

        registry.add(
            NavItem("Reports", "reports", "report-analytics", "costs.view_costline", 10),
            NavItem("Health", "health", "heart-rate-monitor", "finops_site.view_nightlyrun", 90, "System"),
        )
