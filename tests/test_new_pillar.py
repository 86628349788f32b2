"""Adding a pillar changes no file of the site: a tiny one, made here and found outside the checkout, is part of it all.

It runs in a process of its own, on a copy of the test database, with nothing but FINOPS_EXTRA_APPS and PYTHONPATH set.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from psycopg import sql

ROOT = Path(__file__).resolve().parents[1]
PILLAR = {
    "apps.py": """
from celery.schedules import crontab

from finops_site.people.roles import ADMINISTRATOR, FINANCE
from finops_site.pillars import PillarConfig
from finops_site.registry import Kpi, NavItem, NavSection, NavTab, NightlyCheck, Panel, ToDoSource, registry


class CarbonConfig(PillarConfig):
    name = "carbon"
    urls = "carbon.urls"
    api_urls = "carbon.api_urls"
    permissions = {FINANCE: {"carbon.view_footprint"}}
    schedule = {"weigh-every-hour": {"task": "carbon.tasks.weigh", "schedule": crontab(minute=3)}}

    def ready(self):
        from carbon import panels

        may_see = "carbon.view_footprint"
        registry.add(
            NavSection("Sustainability", 45),
            NavItem("Footprint", "carbon:footprint", "gauge", may_see, 70, "Sustainability", tab="By month", key="f"),
            NavTab("Sources", "carbon:sources", "carbon:footprint", may_see),
            Panel("footprint", "carbon/panel.html", panels.footprint, may_see, 1, {ADMINISTRATOR: None}),
            ToDoSource("footprint", "Footprint", "gauge", panels.heavy_months, panels.list_months, may_see),
            Kpi("footprint", "Footprint of the company", panels.measure, may_see),
            NightlyCheck("footprint", panels.weigh_nightly, 70),
        )
""",
    "models.py": """
from django.db import models


class Footprint(models.Model):
    month = models.DateField(unique=True)
    tons = models.DecimalField(max_digits=18, decimal_places=3)
""",
    "panels.py": """
from decimal import Decimal

from carbon.models import Footprint
from finops_site.registry import Better, Measure, ToDo, Unit


def heavy_months(user):
    return Footprint.objects.filter(tons__gt=10)


def list_months(user, rows, most):
    return [ToDo(f"Carbon of {row.month}: {row.tons} t", "/carbon/") for row in rows[:most]]


def footprint(request):
    return {"tons": Footprint.objects.count()}


def measure(user, as_of):
    return Measure(Decimal(3), Unit.PERCENT, Decimal(5), Better.LOWER, "of last year's footprint more")


def weigh_nightly(as_of):
    Footprint.objects.update_or_create(month=as_of.replace(day=1), defaults={"tons": Decimal("12.5")})
    return "1 month weighed"
""",
    "tasks.py": """
from celery import shared_task


@shared_task
def weigh():
    pass
""",
    "views.py": """
from django.views.generic import TemplateView

from carbon.models import Footprint
from finops_site.ui.pages import Page


class FootprintPage(Page, TemplateView):
    permission_required = "carbon.view_footprint"
    template_name = "carbon/footprint.html"
    title = "Footprint"

    def get_context_data(self, **kwargs):
        return super().get_context_data(rows=Footprint.objects.all(), **kwargs)
""",
    "urls.py": """
from django.urls import path

from carbon.views import FootprintPage

app_name = "carbon"
urlpatterns = [
    path("carbon/", FootprintPage.as_view(), name="footprint"),
    path("carbon/sources/", FootprintPage.as_view(title="Sources"), name="sources"),
]
""",
    "api_urls.py": """
from django.urls import path
from rest_framework.generics import ListAPIView
from rest_framework.serializers import ModelSerializer

from carbon.models import Footprint
from finops_site.api.base import HoldsPermission


class FootprintSerializer(ModelSerializer):
    class Meta:
        model = Footprint
        fields = ["month", "tons"]


class Footprints(ListAPIView):
    permission_classes = [HoldsPermission]
    permission_required = "carbon.view_footprint"
    queryset = Footprint.objects.order_by("month")
    serializer_class = FootprintSerializer


urlpatterns = [path("footprints/", Footprints.as_view(), name="footprint-list")]
""",
    "templates/carbon/footprint.html": (
        '{% extends "base.html" %}{% block content %}{% for row in rows %}<p>{{ row.tons }} t</p>{% endfor %}'
        "{% endblock %}"
    ),
    "templates/carbon/panel.html": '<section class="card">{{ tons }} month weighed</section>',
    "__init__.py": "",
}
USE = """
import json
import re
from datetime import date

import django

django.setup()

from django.core.checks import run_checks
from django.core.management import call_command
from django.utils import timezone

call_command("makemigrations", "carbon", verbosity=0)
call_command("migrate", verbosity=0)

from finops_site.celery import app, task_exists
from finops_site.ops import health, nightly
from finops_site.registry import NightlyCheck, registry
from tests.people import person, signed_in

fay, eli = signed_in(person("fay")), signed_in(person("eli"))
(check,) = [check for check in registry.of(NightlyCheck) if check.name == "footprint"]
(night,) = nightly.run_checks(date(2026, 3, 15), checks=[check])
home = {"fay": fay.get("/").content.decode(), "eli": eli.get("/").content.decode()}
sections = {name: re.findall('class="nav-label"[^>]*>([^<]+)<', html) for name, html in home.items()}
health_lines = [status for group in health.groups(timezone.now()) for status in group.statuses]
print(json.dumps({
    "checks": [str(message) for message in run_checks()],
    "page": [fay.get("/carbon/").status_code, eli.get("/carbon/").status_code],
    "text": "12.500 t" in fay.get("/carbon/").content.decode(),
    "api": [fay.get("/api/v1/footprints/").status_code, eli.get("/api/v1/footprints/").status_code],
    "rows": fay.get("/api/v1/footprints/").json()["results"],
    "night": [night.outcome, night.summary],
    "health": [status.message for status in health_lines if status.label.startswith("footprint")],
    "schedule": task_exists(app.conf.beat_schedule["weigh-every-hour"]["task"]),
    "sections": {name: labels.count("Sustainability") for name, labels in sections.items()},
    "tabs": re.findall('<a href="/carbon/[^>]*>(By month|Sources)<', fay.get("/carbon/sources/").content.decode()),
    "panel": {name: "1 month weighed" in html for name, html in home.items()},
    "kpi": ["Footprint of the company" in fay.get("/programme/").content.decode(), eli.get("/programme/").status_code],
    "to_do": {name: "Carbon of 2026-03-01: 12.500 t" in html for name, html in home.items()},
}))
"""


@pytest.fixture
def database_copy(transactional_db):
    """The address of a copy of the test database, thrown away after the test."""
    original, name = connection.settings_dict["NAME"], f"{connection.settings_dict['NAME']}_pillar"
    address = urlsplit(os.environ["DATABASE_URL"])
    connection.close()
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as server:
        # What a killed process of an earlier test left open would forbid the copy.
        server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [original])
        copy, drop = "CREATE DATABASE {} TEMPLATE {}", "DROP DATABASE IF EXISTS {}"
        server.execute(sql.SQL(copy).format(sql.Identifier(name), sql.Identifier(original)))
        yield address._replace(path=f"/{name}").geturl()
        server.execute(sql.SQL(drop).format(sql.Identifier(name)))


def test_a_pillar_from_elsewhere_is_part_of_the_site(tmp_path, database_copy):
    for name, text in PILLAR.items():
        path = tmp_path / "carbon" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    environment = {
        **os.environ,
        "DATABASE_URL": database_copy,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "FINOPS_EXTRA_APPS": "carbon",
        "FINOPS_VAR": str(tmp_path / "var"),
        "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}",
        "SECRET_KEY": settings.SECRET_KEY,
    }
    process = subprocess.run([sys.executable, "-c", USE], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr[-4000:]
    assert json.loads(process.stdout.splitlines()[-1]) == {
        "checks": [],
        "page": [200, 403],
        "text": True,
        "api": [200, 403],
        "rows": [{"month": "2026-03-01", "tons": "12.500"}],
        "night": ["done", "1 month weighed"],
        "health": ["1 month weighed"],
        "schedule": True,
        "sections": {"fay": 1, "eli": 0},
        "tabs": ["By month", "Sources"],
        "panel": {"fay": True, "eli": False},
        "kpi": [True, 403],
        "to_do": {"fay": True, "eli": False},
    }
