"""The API's addresses of the programme."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from programme.api import roadmap

router = SimpleRouter()
router.register("programmes", roadmap.ProgrammeViewSet, "programme")
router.register("milestones", roadmap.MilestoneViewSet, "milestone")
router.register("risks", roadmap.RiskViewSet, "risk")
router.register("decision-points", roadmap.DecisionViewSet, "decision-point")

urlpatterns: list = [
    path("maturity/", roadmap.MaturityOfCapabilities.as_view(), name="maturity"),
    *router.urls,
]
