"""Tables of ownership."""

import django_tables2
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from costs.models import Pool
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.tables import BaseTable


class PoolTable(BaseTable):
    name = django_tables2.Column(_lazy("Pool"))
    description = django_tables2.Column(_lazy("What is in it"))
    rules = django_tables2.Column(_lazy("Rules"), empty_values=(), orderable=False)

    caption = _lazy("Pools")

    class Meta(BaseTable.Meta):
        model = Pool
        fields = ["name", "description", "rules"]

    def render_name(self, value: str, record: Pool) -> SafeString | str:
        if not self.request.user.has_perm("costs.change_pool"):
            return value
        return format_html('<a href="{}">{}</a>', reverse("tagging:pool", args=[record.pk]), value)

    def render_rules(self, record: Pool) -> str:
        return ", ".join(rule.name for rule in record.ownership_rules.all()) or _("no rule fills it")

    def value_rules(self, record: Pool) -> str:
        return self.render_rules(record)
