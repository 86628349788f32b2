from typing import Any

from django.apps import AppConfig

from finops_site.registry import DemoStep, registry


class TaggingConfig(AppConfig):
    name = "tagging"

    def ready(self) -> None:
        from auditlog.registry import auditlog

        from tagging import receivers  # noqa: F401

        for name in ("OwnershipRule", "ChargebackPeriod"):
            auditlog.register(self.get_model(name))

        # Before the bills: owners are named while a bill is loaded.
        registry.add(DemoStep("ownership rules", _make_demo_rules, 40))


def _make_demo_rules(say: Any, *, as_of: Any) -> None:
    from tagging import demo

    demo.make_ownership_rules(say, as_of=as_of)
