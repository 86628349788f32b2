"""What pages say about sources: their table, and the form that describes one."""

from collections.abc import Sequence
from typing import Any

import django_tables2
from django import forms
from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from costs.formats import NAMES
from costs.models import Source
from costs.sources.health import SourceHealth, source_health
from costs.sources.places import place_problem
from costs.web.forms import currency_code
from finops_site.lib.periods import moment_text
from finops_site.ui.tables import BaseTable, NumberColumn, status_html

LIGHTS = {
    "good": ("In time", "good", "circle-check"),
    "late": ("Late", "bad", "clock"),
    "failing": ("Failing", "bad", "alert-circle"),
    "new": ("New", "calm", "point"),
}


class SourceTable(BaseTable):
    name = django_tables2.Column("Source", orderable=False)
    place = django_tables2.Column("Fetched from", empty_values=(), orderable=False)
    health = django_tables2.Column("Health", empty_values=(), orderable=False)
    looked = django_tables2.Column("Last look", accessor="synced_at", empty_values=(), orderable=False)
    expected = NumberColumn("Expected every", accessor="expected_every_hours", orderable=False)

    caption = "Sources"

    class Meta(BaseTable.Meta):
        pass

    def render_name(self, record: Source) -> SafeString | str:
        if not self.request or not self.request.user.has_perm("costs.change_source"):
            return record.name
        return format_html('<a href="{}">{}</a>', reverse("costs:source", args=[record.pk]), record.name)

    def value_name(self, record: Source) -> str:
        return record.name

    def render_place(self, record: Source) -> SafeString | str:
        if not record.is_fetched:
            return "delivered by people"
        return format_html('<span class="text-break">{}</span>', record.place)

    def value_place(self, record: Source) -> str:
        return record.place

    def _health(self, record: Source) -> SourceHealth:
        return source_health(record, record.last_delivery, timezone.now())

    def render_health(self, record: Source) -> SafeString:
        found = self._health(record)
        badge = status_html(*LIGHTS[found.state])
        return format_html('{}<span class="second-line breakable">{}</span>', badge, found.words)

    def value_health(self, record: Source) -> str:
        return f"{LIGHTS[self._health(record).state][0]}. {self._health(record).words}"

    def render_looked(self, record: Source) -> SafeString | str:
        if record.sync == Source.Sync.RUNNING:
            return status_html(f"{record.sync_message} {record.sync_progress:.0%}", "busy", "loader-2")
        if not record.synced_at:
            return "—"
        at = moment_text(record.synced_at)
        return format_html('{}<span class="second-line breakable">{}</span>', at, record.sync_message)

    def value_looked(self, record: Source) -> str:
        return record.synced_at.isoformat() if record.synced_at else ""

    def render_expected(self, value: int) -> str:
        return f"{value} h" if value else "—"


_BUCKETS = (Source.Kind.S3, Source.Kind.AZURE, Source.Kind.GCS)
# The fields that only some kinds of source need: a page shows them for those, and else what is in them counts nothing.
NEEDED_FOR: dict[str, Sequence[str]] = {
    "bucket": (Source.Kind.FOLDER, *_BUCKETS),
    "prefix": _BUCKETS,
    "region": (Source.Kind.S3, Source.Kind.AZURE),
    "endpoint": _BUCKETS,
    "credential": _BUCKETS,
    "is_enabled": (Source.Kind.FOLDER, *_BUCKETS),
}
CALLED = {
    "bucket": {"folder": "Folder", "s3": "Bucket", "azure": "Container", "gcs": "Bucket"},
    "region": {"s3": "AWS region", "azure": "Storage account"},
}


class SourceForm(forms.ModelForm):
    """Where bills come from. An address other than the provider's own can only be chosen among those allowed."""

    endpoint = forms.ChoiceField(required=False)
    format = forms.ChoiceField(required=False)

    class Meta:
        model = Source
        fields = [
            *("name", "kind", "bucket", "prefix", "region", "endpoint", "credential", "format", "currency"),
            *("delivery_mode", "is_enabled", "expected_every_hours"),
        ]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance.pk:
            self.initial |= {"kind": Source.Kind.S3, "expected_every_hours": 24}
        own = [("", "the provider's own address")]
        self.fields["endpoint"].choices = [*own, *((url, url) for url in settings.FINOPS_STORAGE_ENDPOINTS)]
        self.fields["format"].choices = [("", "told by the header"), *((name, name) for name in NAMES)]
        self.fields["currency"].validators.append(currency_code)
        self.fields["credential"].empty_label = "the machine's own identity"
        for name, kinds in NEEDED_FOR.items():
            names = {f"data-label-{kind}": called for kind, called in CALLED.get(name, {}).items()}
            said = {"data-needed-by": "kind", "data-needed-for": " ".join(kinds), **names}
            self.fields[name].widget.attrs |= said

    def clean_currency(self) -> str:
        return self.cleaned_data["currency"].upper()

    def clean(self) -> dict[str, Any]:
        said = super().clean()
        for name, kinds in NEEDED_FOR.items():
            if name != "is_enabled" and said.get("kind") not in kinds:
                said[name] = None if name == "credential" else ""
        place = [said.get(name) or "" for name in ("kind", "bucket", "region", "endpoint")]
        if problem := place_problem(*place):
            self.add_error(*problem)
        return said
