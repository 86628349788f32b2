"""Every part of the design system on a few pages with sample data, for eyes and for browser tests.

Not part of the product: run the server with ``ROOT_URLCONF=tests.gallery`` (tests/gallery_settings.py) and sign in.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import django_filters
import django_tables2
from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse, HttpResponseServerError, JsonResponse
from django.template.loader import render_to_string
from django.urls import include, path
from django.utils.safestring import mark_safe
from django.views.generic import TemplateView, View

from finops_site.lib import charts as charting
from finops_site.models import User
from finops_site.ui.pages import Action, Empty, FormPage, ListPage, Page
from finops_site.ui.tables import (
    BaseTable,
    ChangeColumn,
    MoneyColumn,
    MonthColumn,
    PercentColumn,
    StatusColumn,
    TagColumn,
    total_rows,
)

SERVICES = (
    "Amazon Elastic Compute Cloud",
    "Amazon Relational Database Service",
    "Amazon Simple Storage Service",
    "Elastic Block Store",
    "AWS Data Transfer",
    "Amazon Virtual Private Cloud",
    "AWS Support (Business)",
    "Tax",
    "Amazon CloudWatch",
    "AWS Lambda",
    "Amazon Route 53",
)
STATES = {
    "current": ("Current", "good", "circle-check"),
    "loading": ("Loading", "busy", "loader-2"),
    "superseded": ("Superseded", "calm", "history"),
    "failed": ("Failed", "bad", "alert-circle"),
    "received": ("Received", "warn", "clock"),
}
MONTHS = [date(2024 + (9 + n) // 12, (9 + n) % 12 + 1, 1) for n in range(13)]


@dataclass
class Row:
    pk: int
    service: str
    month: date
    tags: dict[str, str]
    status: str
    effective_cost: Decimal | None
    change: Decimal | None
    before: Decimal
    share: Decimal
    currency: str = "USD"


def sample_rows(count: int = 40) -> list[Row]:
    tags = {"Owner": "payments", "Environment": "production", "CostCenter": "CC-1042", "Project": "checkout <b>"}
    return [
        Row(
            pk=n,
            service=SERVICES[n % len(SERVICES)],
            month=MONTHS[-1 - n % 3],
            tags=dict(list(tags.items())[: n % 5]),
            status=list(STATES)[n % len(STATES)],
            effective_cost=None if n == 6 else Decimal("28412.7391846273") / (n + 1) - (9000 if n == 7 else 0),
            change=Decimal("1204.5532") / (n + 1) * (-1) ** n if n != 4 else Decimal(0),
            before=Decimal("26000") / (n + 1),
            share=Decimal("0.4371") / (n + 1),
        )
        for n in range(count)
    ]


class SampleTable(BaseTable):
    service = django_tables2.Column(linkify=lambda record: f"/lines/?service={record.service}")
    month = MonthColumn()
    tags = TagColumn(limit=2)
    status = StatusColumn(states=STATES)
    share = PercentColumn()
    change = ChangeColumn(before="before", verbose_name="Against October")
    effective_cost = MoneyColumn(verbose_name="Effective cost")


def sample_chart(kind: str, ident: str, count: int = 7, **more: Any) -> dict[str, Any]:
    many = [
        charting.series(
            name,
            [
                None
                if (n == 4 and place == 2)
                else Decimal(28000 - 2900 * place + 700 * ((n * 7 + place * 3) % 5 - 2)) / (1 + place)
                for n in range(13)
            ],
        )
        for place, name in enumerate(SERVICES[:count])
    ]
    return {
        "id": ident,
        "kind": kind,
        "title": "Effective cost by service, November 2024 to November 2025",
        "categories": [month.strftime("%b %Y") for month in MONTHS],
        "series": charting.top_series(many, limit=6),
        "currency": "USD",
        "note": "Charge month, UTC. November is not over.",
        "csv_url": "?_export=csv",
        **more,
    }


def sample_treemap() -> dict[str, Any]:
    many = [
        charting.series(name, [Decimal("31000.55") / (place + 1)], url="/lines/") for place, name in enumerate(SERVICES)
    ]
    return {"id": "tree", "kind": "treemap", "title": "Where it goes", "series": many, "currency": "USD"}


def sample_stats() -> list[dict[str, Any]]:
    spark = sample_chart("sparkline", "spark", count=1)
    spark_two = {**spark, "id": "spark2"}
    return [
        {
            "label": "This month so far",
            "amount": Decimal("48210.339201"),
            "currency": "USD",
            "before": Decimal("46120.1"),
            "against": "against 1 to 23 October",
            "icon": "calendar-month",
            "url": "/lines/",
            "sparkline": spark,
        },
        {
            "label": "Last month",
            "amount": Decimal("65012.44"),
            "currency": "USD",
            "before": Decimal("66110.1"),
            "icon": "receipt",
            "sparkline": spark_two,
        },
        {
            "label": "Unowned",
            "amount": Decimal("1204.1"),
            "currency": "USD",
            "note": "1.9% of the bill",
            "icon": "help",
        },
        {"label": "Credits", "amount": Decimal("-512.25"), "currency": "USD", "note": "2 credits", "icon": "discount"},
    ]


def sample_forecast() -> dict[str, Any]:
    """What was spent, where it is going with its band, and the budget as a dashed line."""
    actual = [Decimal(4000 + 310 * n) for n in range(9)]
    forecast = [Decimal(6480 + 300 * n) for n in range(5)]
    gap: list[Decimal | None] = [None] * 8
    low = [value - 180 * n for n, value in enumerate(forecast)]
    high = [value + 240 * n for n, value in enumerate(forecast)]
    return {
        "id": "chart-band",
        "kind": "line",
        "title": "Forecast of the year",
        "categories": [month.strftime("%b %Y") for month in MONTHS],
        "series": [
            charting.series("Actual", [*actual, *[None] * 4]),
            charting.series("Forecast", [*gap, *forecast], dashed=True),
            charting.band("80% interval", [*gap, *low], [*gap, *high], currency="USD"),
            charting.threshold("Budget", Decimal(7000), 13),
        ],
        "currency": "USD",
    }


class SampleHome(Page, TemplateView):
    permission_required = None
    template_name = "home.html"
    title = "Good morning, Lea"
    subtitle = "What your teams spend, and what changed."

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        stats = "".join(render_to_string("includes/stat.html", {"stat": stat}) for stat in sample_stats())
        trend = render_to_string("includes/chart.html", {"chart": sample_chart("stacked-bar", "trend")})
        tree = render_to_string("includes/chart.html", {"chart": sample_treemap()})
        table = SampleTable(sample_rows(6)).as_html(self.request)
        head = '<div class="card-head"><h2>{}</h2><p>{}</p></div>'
        panels = [
            mark_safe(f'<div class="stats">{stats}</div>'),
            _card(head.format("Spending by service", "Effective cost, thirteen months"), trend, "span-2"),
            _card(head.format("Where it goes", "This month"), tree),
            _card(head.format("What changed", "Against October, the largest first"), table, flush=True),
        ]
        return super().get_context_data(panels=panels, **kwargs)


def _card(head: str, body: str, css: str = "", flush: bool = False) -> Any:
    inner = f'<div class="card-flush">{body}</div>' if flush else f'<div class="card-content">{body}</div>'
    return mark_safe(f'<section class="card {css}">{head}{inner}</section>')


class SampleFilters(forms.Form):
    q = forms.CharField(label="Search", widget=forms.TextInput({"placeholder": "Resource or description"}))
    service = forms.MultipleChoiceField(choices=[(name, name) for name in SERVICES])
    team = forms.MultipleChoiceField(choices=[("p", "Payments"), ("d", "Data"), ("none", "Unowned")])
    metric = forms.ChoiceField(choices=[("", "Any"), ("e", "Effective cost"), ("b", "Billed cost")])
    day = django_filters.fields.DateRangeField(
        label="Charge day", widget=django_filters.widgets.DateRangeWidget(), required=False
    )


class SampleFilterSet:
    def __init__(self, data: Any, queryset: Any = None, request: Any = None) -> None:
        self.form = SampleFilters(data)
        for field in self.form.fields.values():
            field.required = False
        wanted = data.getlist("service")
        self.qs = [row for row in queryset if not wanted or row.service in wanted] if data.get("q") != "zzz" else []

    def is_valid(self) -> bool:
        return True


class SampleList(ListPage):
    permission_required = None
    title = "Cost lines"
    subtitle = "Each line sums the charges of one day, account, service, region, resource and tag set."
    breadcrumbs = (("Costs", "/"),)
    actions = (Action("Upload a bill", "/upload/", "upload", primary=True), Action("Share", "/", "link"))
    table_class = SampleTable
    filterset_class = SampleFilterSet
    per_page = 15

    def get_queryset(self) -> Any:
        return sample_rows(64)

    def get_totals(self) -> list[dict[str, Any]]:
        return total_rows(
            {"USD": {"effective_cost": Decimal("118233.31"), "change": Decimal("204.1"), "before": Decimal("118029.2")}}
        )

    def _numbered_table(self) -> Any:
        table = super()._numbered_table()
        table.paginator = Paginator(table.rows, self.per_page)
        return table


class SampleCharts(Page, TemplateView):
    permission_required = None
    template_name = "gallery_charts.html"
    title = "Charts"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        kinds = ("stacked-bar", "bar", "line", "area")
        charts = [sample_chart(kind, f"chart-{kind}", count=1 if kind == "bar" else 5) for kind in kinds]
        budget = sample_chart("stacked-bar", "chart-threshold", count=4)
        budget["series"] = [*budget["series"], charting.threshold("Budget", Decimal(60000), 13)]
        return super().get_context_data(charts=[*charts, sample_forecast(), budget, sample_treemap()], **kwargs)


class SampleEmpties(Page, TemplateView):
    permission_required = None
    template_name = "gallery_empties.html"
    title = "Empty states, notices, progress"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        messages.success(self.request, "November 2025 of aws-main is loaded: 84,000 rows, 65,012.44 USD.")
        messages.error(self.request, "costs.csv is no bill: it has none of the columns of a known format.")
        messages.warning(self.request, "3 of 84,000 rows were not read.")
        messages.info(self.request, "The same file was loaded on 3 November; nothing was added.")
        empties = [
            Empty(
                "No bill has been delivered yet",
                "Spending appears here as soon as a bill from your cloud provider has been loaded.",
                "file-invoice",
                Action("Upload a bill", "/upload/"),
            ),
            Empty("No alerts", "A budget that is about to be exceeded says so here, once.", "bell"),
        ]
        progress = [
            {"url": "/progress/", "percent": 42, "label": "Loading aws-main, November 2025", "detail": "Copying lines"},
            {"url": "/progress/", "percent": None, "label": "Reading the file"},
            {"percent": 100, "label": "Loaded", "done": True, "detail": "84,000 rows in 31 seconds"},
            {"percent": 60, "label": "Stopped", "failed": True, "message": "line 812: 'abc' is no amount (BilledCost)"},
        ]
        return super().get_context_data(
            empties=[one.for_user(self.request.user) for one in empties], progress=progress, **kwargs
        )


class EmptyList(SampleList):
    empty = Empty(
        "No cost lines yet", "They are made when a bill is loaded.", "list-details", Action("Upload", "/upload/")
    )

    def get_queryset(self) -> Any:
        return []


class ManyFiles(forms.ClearableFileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    widget = ManyFiles({"multiple": True})

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        return [super(FilesField, self).clean(one, initial) for one in data or [None]]


class UploadForm(forms.Form):
    files = FilesField()
    source = forms.CharField(help_text="Whose bill it is: each source keeps its own months.")
    month = forms.CharField(required=False)
    replace = forms.BooleanField(required=False, label="Replace the month that is there")

    def clean_source(self) -> str:
        if self.cleaned_data["source"] == "bad":
            raise forms.ValidationError("No source is called bad.")
        return self.cleaned_data["source"]


class SampleUpload(FormPage):
    permission_required = None
    template_name = "gallery_upload.html"
    form_class = UploadForm
    title = "Upload a bill"
    subtitle = "CSV, CSV.gz or Parquet, in FOCUS, AWS CUR or the seed's inventory format."
    submit_label = "Upload"
    cancel_url_name = "/"
    success_url = "/lines/"

    def save(self, form: Any) -> None:
        return None

    def form_invalid(self, form: Any) -> HttpResponse:
        return JsonResponse({"errors": form.errors}, status=400)


class Progress(View):
    def get(self, request: Any) -> HttpResponse:
        context = {"progress": {"percent": 100, "label": "Loaded", "done": True}}
        return HttpResponse(render_to_string("includes/progress.html", context))


def broken(request: Any) -> HttpResponse:
    return HttpResponseServerError(render_to_string("500.html"))


def locked(request: Any) -> HttpResponse:
    return HttpResponse(render_to_string("429.html", request=request), status=429)


urlpatterns = [
    path("", SampleHome.as_view(), name="home"),
    path("lines/", SampleList.as_view(), name="sample-list"),
    path("nothing/", EmptyList.as_view()),
    path("charts/", SampleCharts.as_view()),
    path("empties/", SampleEmpties.as_view()),
    path("upload/", SampleUpload.as_view()),
    path("progress/", Progress.as_view()),
    path("broken/", broken),
    path("locked/", locked),
    path("", include("finops_site.urls")),
]


def make_people() -> None:
    for name in ("ada", "lea"):
        if not User.objects.filter(email=f"{name}@demo.example").exists():
            User.objects.create_user(f"{name}@demo.example", "gallery-only", name=name.title())
