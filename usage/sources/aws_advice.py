"""What AWS itself advises: Compute Optimizer in each region, the Cost Optimization Hub once.

Rows have the columns of their exports as files, so that both are read by the same layouts.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finops_site.translation import gettext_lazy as _lazy
from usage.sources.aws_questions import Client, answers
from usage.sources.readings import Row

OPTIMIZER_RIGHT = "compute-optimizer:GetEC2InstanceRecommendations"
HUB_RIGHT = "cost-optimization-hub:ListRecommendations"


@dataclass(frozen=True, slots=True)
class AdviceQuestion:
    """`ask(client)` answers with rows of one layout; `region` where there is one address for all regions."""

    label: str
    service: str
    right: str
    ask: Callable[[Client], list[Row]]
    source: str
    # What is asked to see whether the right is there.
    operation: str
    region: str = ""


def _paged(operation: Callable[..., Mapping[str, Any]], right: str, name: str, **query: Any) -> Iterator[Any]:
    token: dict[str, Any] = {}
    while True:
        with answers(right):
            page = operation(**query, **token)
        yield from page.get(name, ())
        if not page.get("nextToken"):
            return
        token = {"nextToken": page["nextToken"]}


def _optimizer(client: Client) -> list[Row]:
    rows = []
    recommendations = _paged(
        client.get_ec2_instance_recommendations, OPTIMIZER_RIGHT, "instanceRecommendations", maxResults=1000
    )
    for one in recommendations:
        options = one.get("recommendationOptions") or [{}]
        best = min(options, key=lambda option: option.get("rank", 99))
        saving = (best.get("savingsOpportunity") or {}).get("estimatedMonthlySavings") or {}
        rows.append(
            {
                "accountId": one["accountId"],
                "instanceArn": one["instanceArn"],
                "finding": one["finding"],
                "currentInstanceType": one["currentInstanceType"],
                "recommendationOptions_1_instanceType": best.get("instanceType", ""),
                "recommendationOptions_1_estimatedMonthlySavings_value": saving.get("value"),
                "recommendationOptions_1_estimatedMonthlySavings_currency": saving.get("currency"),
            }
        )
    return rows


def _hub(client: Client) -> list[Row]:
    return [
        {
            "account_id": one["accountId"],
            "action_type": one.get("actionType", ""),
            "resource_arn": one.get("resourceArn") or one.get("resourceId", ""),
            "estimated_monthly_savings_after_discount": one.get("estimatedMonthlySavings"),
            "currency_code": one.get("currencyCode", "USD"),
            "region": one.get("region", ""),
            "current_resource_type": one.get("currentResourceType", ""),
            "recommended_resource_summary": one.get("recommendedResourceSummary", ""),
            "current_resource_summary": one.get("currentResourceSummary", ""),
            "implementation_effort": one.get("implementationEffort", ""),
        }
        for one in _paged(client.list_recommendations, HUB_RIGHT, "items", maxResults=100)
    ]


def first_advice(client: Client, question: AdviceQuestion) -> None:
    """Asks the least that shows whether the right is there. Raises CannotRead."""
    with answers(question.right):
        getattr(client, question.operation)(maxResults=1)


ADVICE: Sequence[AdviceQuestion] = (
    AdviceQuestion(
        _lazy("Recommendations of Compute Optimizer"),
        "compute-optimizer",
        OPTIMIZER_RIGHT,
        _optimizer,
        "AWS Compute Optimizer",
        "get_ec2_instance_recommendations",
    ),
    AdviceQuestion(
        _lazy("Recommendations of the Cost Optimization Hub"),
        "cost-optimization-hub",
        HUB_RIGHT,
        _hub,
        "AWS Cost Optimization Hub",
        "list_recommendations",
        region="us-east-1",
    ),
)
