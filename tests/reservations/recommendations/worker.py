"""Works out a recommendation whose demand never ends to be collected: a test kills it meanwhile."""

import sys
import time

import django

django.setup()

from reservations.models import Plan  # noqa: E402
from reservations.recommendations import demand_sources, recommend  # noqa: E402


def hang(*_, **options):
    print("working", flush=True)
    time.sleep(60)


demand_sources.collect_demand = hang
recommend.compute_recommendation(Plan.objects.get(pk=sys.argv[1]))
