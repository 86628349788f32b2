"""Charges by the API: the rows of the bill behind a cost line, as delivered and as the provider wrote them."""

from typing import Any, cast
from urllib.parse import urlencode

from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers, viewsets
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from costs.models import CostLine
from costs.query import drilldown
from costs.query.line_addresses import MOST_DIGITS, FoundLine, LineAddress, NoSuchLine, addresses_of, find_line
from finops_site.api.base import BadRequest, HoldsPermission, page_size_of
from finops_site.lib.money import exact_text
from finops_site.lib.person import Person

PAGE, LARGEST_PAGE, DEEPEST = 100, 1000, 10_000_000
# Between the key of a line and that of a charge in it.
SEPARATOR = "_"
OF_DELIVERY = "names the bill, where several that stand beside one another have the line"


class ChargeSerializer(serializers.Serializer):
    """A row of the bill: the columns of FOCUS, null where the bill does not say; amounts as text with every digit."""

    id = serializers.CharField(help_text="names the charge for as long as bills have it with the same cost")
    line = serializers.CharField(help_text="the key of its cost line")
    columns = serializers.DictField(
        child=serializers.CharField(allow_null=True), help_text="{column of FOCUS, or x_ and a name of ours: text}"
    )


class ProviderRowSerializer(serializers.Serializer):
    file = serializers.CharField()
    number = serializers.IntegerField(help_text="the line of the file where `is_line`, else the row of its table")
    is_line = serializers.BooleanField()
    cells = serializers.DictField(child=serializers.CharField(allow_blank=True), help_text="{column of the file: text}")
    columns = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField()),
        help_text="{column of FOCUS: the columns of the file it was read from}",
    )


class ChargeDetailSerializer(ChargeSerializer):
    delivery = serializers.IntegerField()
    invoice = serializers.CharField(allow_null=True)
    owner = serializers.CharField(allow_null=True)
    pool = serializers.CharField(allow_null=True)
    owner_rule = serializers.CharField(allow_blank=True, help_text="which rule made it whose")
    alike = serializers.IntegerField(help_text="charges of the line that are the same in every column")
    provider_rows = ProviderRowSerializer(many=True, help_text="the rows of the file that it was read from")
    problem = serializers.CharField(allow_blank=True, help_text="why no row of the file is here")


class ChargePageSerializer(serializers.Serializer):
    count = serializers.IntegerField(help_text="charges of the line")
    next = serializers.CharField(allow_null=True)
    totals = serializers.DictField(
        child=serializers.CharField(allow_null=True), help_text="the sums of all of them: currency, billed, effective"
    )
    results = ChargeSerializer(many=True)


class ChargeViewSet(viewsets.ViewSet):
    """The charges behind the cost lines that you may see."""

    permission_classes = [HoldsPermission]
    permission_required = "costs.view_costline"
    lookup_value_regex = r"[0-9a-f_-]+"

    @extend_schema(
        summary="The charges of a cost line, in time",
        parameters=[
            OpenApiParameter("line", str, required=True, description="the `key` of a cost line"),
            OpenApiParameter("delivery", int, description=OF_DELIVERY),
            OpenApiParameter("skip", int, description="so many of the first are left out"),
            OpenApiParameter("page_size", int, description=f"at most {LARGEST_PAGE}; {PAGE} by default"),
        ],
        responses={200: ChargePageSerializer, 400: BadRequest, 404: OpenApiResponse(BadRequest, "No such line.")},
    )
    def list(self, request: Request) -> Response:
        if unknown := set(request.query_params) - {"line", "delivery", "skip", "page_size", "format"}:
            raise ValidationError({"detail": f"{', '.join(sorted(unknown))}: there is no such parameter here."})
        skip = _digits(request.query_params.get("skip") or "0")
        if skip is None or skip > DEEPEST:
            raise ValidationError({"detail": f"skip: a whole number up to {DEEPEST}."})
        size = page_size_of(request, PAGE, LARGEST_PAGE)
        if not request.query_params.get("line"):
            raise ValidationError({"detail": "line: name the cost line by its `key`."})
        line, address = line_of(request, request.query_params["line"], delivery_in(request))
        charges = drilldown.charges_of(line, skip, size)
        following = {"line": address.key, "skip": skip + size, "page_size": size}
        if address.delivery:
            following["delivery"] = address.delivery
        amounts = {"billed_cost": charges.billed_cost, "effective_cost": charges.effective_cost}
        answer = {
            "count": charges.count,
            "next": _address(request, following) if skip + size < charges.count else None,
            "totals": {"currency": line.currency, **{name: exact_text(amount) for name, amount in amounts.items()}},
            "results": [as_json(charge, address) for charge in charges.rows],
        }
        return Response(answer)

    @extend_schema(
        summary="One charge, with the row of the file as the provider wrote it",
        parameters=[
            OpenApiParameter("id", str, OpenApiParameter.PATH),
            OpenApiParameter("delivery", int, description=f"{OF_DELIVERY}; where it is needed, the id has it"),
        ],
        responses={200: ChargeDetailSerializer, 404: OpenApiResponse(BadRequest, "No such charge.")},
    )
    def retrieve(self, request: Request, pk: str) -> Response:
        of_line, _, rest = pk.partition(SEPARATOR)
        of_charge, _, of_bill = rest.partition(SEPARATOR)
        line, address = line_of(request, of_line, _digits(of_bill) or delivery_in(request))
        charge = drilldown.charge_of(line, of_charge)
        if charge is None:
            raise NotFound("The bill that counts now has no such charge: it may have another cost there.")
        rows = drilldown.provider_rows(cast(Person, request.user), line, charge)
        answer = {
            **as_json(charge, address),
            "delivery": line.delivery_month.delivery_id,
            "invoice": charge["InvoiceId"],
            "owner": line.owner.name if line.owner else None,
            "pool": line.pool.name if line.pool else None,
            "owner_rule": line.owner_rule,
            "alike": charge["alike"],
            "provider_rows": ProviderRowSerializer(rows.rows, many=True).data,
            "problem": rows.problem,
        }
        return Response(answer)


def line_of(request: Request, key: str, delivery: int | None = None) -> tuple[CostLine, LineAddress]:
    """The line of a key (or of its number, as long as it has it), and its address; raises NotFound, saying why."""
    try:
        leads_to: FoundLine = find_line(cast(Person, request.user), key, delivery)
    except NoSuchLine:
        raise NotFound("No cost line ever had this key.") from None
    if leads_to.is_beside:
        bills = ", ".join(str(line.delivery_month.delivery_id) for line in leads_to.successors)
        raise NotFound(f"{leads_to.reason} Name the one that is meant by `delivery`: {bills}.")
    if leads_to.line is None:
        others = ", ".join(f"{one.key}{one.query}" for one in addresses_of(leads_to.successors).values())
        raise NotFound(f"{leads_to.reason}{f' In its place: {others}.' if others else ''}")
    return leads_to.line, addresses_of([leads_to.line])[leads_to.line.pk]


def delivery_in(request: Request) -> int | None:
    """The delivery that an address names; raises ValidationError for what is no number of one."""
    text = request.query_params.get("delivery", "")
    if text and not _digits(text):
        raise ValidationError({"detail": f"delivery: {text[:80]!r} is no number of a delivery."})
    return _digits(text)


def as_json(charge: dict[str, Any], line: LineAddress) -> dict[str, Any]:
    parts = [line.key, charge["key"], *([str(line.delivery)] if line.delivery else [])]
    return {"id": SEPARATOR.join(parts), "line": line.key, "columns": drilldown.as_texts(charge)}


def _digits(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < MOST_DIGITS else None


def _address(request: Request, query: dict[str, Any]) -> str:
    return request.build_absolute_uri(f"{reverse('api:charge-list')}?{urlencode(query)}")
