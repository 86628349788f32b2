"""The parameters that several addresses of costs share, as the description of the API shows them."""

from drf_spectacular.utils import OpenApiParameter

from costs.calc.dimensions import FILTERABLE

PERIOD = [
    OpenApiParameter("from", str, description="first month (2025-09) or day, by charge day; 12 months ago by default"),
    OpenApiParameter("to", str, description="last month or day, inclusive; this month by default"),
]
FILTERS = [
    OpenApiParameter(
        "team", str, many=True, description="name or id, with the teams below; `shared`: in a pool, `none`: unowned"
    ),
    OpenApiParameter("pool", str, many=True, description="name or id of a pool of shared cost; `none`: in none"),
    *(OpenApiParameter(name, str, many=True) for name in FILTERABLE if name not in ("team", "pool")),
]
