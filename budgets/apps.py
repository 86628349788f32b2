from django.apps import AppConfig


class BudgetsConfig(AppConfig):
    name = "budgets"

    def ready(self) -> None:
        from auditlog.registry import auditlog

        from budgets import receivers  # noqa: F401

        for name in ("Budget", "BudgetPeriod", "Threshold", "Recipient"):
            auditlog.register(self.get_model(name), exclude_fields=["judged_as_of"] if name == "Budget" else [])
