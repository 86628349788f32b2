"""Models: a smaller one, batches, what is sent again and again, and endpoints that nobody asks. Pure.

Whether a smaller model is good enough no bill can prove, so these need a look. Prices are those of lists and of the
company's own bill; of several prices of a family the highest counts.
"""

from collections.abc import Sequence

from costs.calc.providers import AWS
from costs.formats.sql import literal
from finops_site.lib.language import gettext as _
from finops_site.lib.language import gettext_noop as _noop
from finops_site.lib.words import number_text, share_text
from usage.calc.rules.base import Confidence, Effort, Fix, Lever, Risk, Rule
from usage.calc.rules.finding_sql import KEY, finding_sql, metrics_sql, saved, use_sql
from usage.calc.rules.fix_commands import FindingRow, command_fix

# Families of models as bills write them (all but letters and figures left out), each with the next smaller one.
# The first pattern that a text matches is its family.
FAMILIES = (
    ("Claude Opus", "claude.*opus", "Claude Sonnet"),
    ("Claude Sonnet", "claude.*sonnet", "Claude Haiku"),
    ("Claude Haiku", "claude.*haiku", ""),
    ("GPT-4o mini", "gpt4omini", ""),
    ("GPT-4o", "gpt4o", "GPT-4o mini"),
    ("GPT-4.1 nano", "gpt41nano", ""),
    ("GPT-4.1 mini", "gpt41mini", "GPT-4.1 nano"),
    ("GPT-4.1", "gpt41", "GPT-4.1 mini"),
    ("GPT-5 nano", "gpt5nano", ""),
    ("GPT-5 mini", "gpt5mini", "GPT-5 nano"),
    ("GPT-5", "gpt5", "GPT-5 mini"),
    ("Gemini Flash-Lite", "gemini.*flashlite", ""),
    ("Gemini Flash", "gemini.*flash", "Gemini Flash-Lite"),
    ("Gemini Pro", "gemini.*pro", "Gemini Flash"),
    ("Nova Premier", "novapremier", "Nova Pro"),
    ("Nova Pro", "novapro", "Nova Lite"),
    ("Nova Lite", "novalite", "Nova Micro"),
    ("Nova Micro", "novamicro", ""),
)


def _plain(sql: str) -> str:
    return f"regexp_replace(lower({sql}), '[^a-z0-9]', '', 'g')"


def _family(text: str) -> str:
    cases = " ".join(f"WHEN regexp_matches({text}, {literal(p)}) THEN {literal(name)}" for name, p, _next in FAMILIES)
    return f"CASE {cases} END"


def _direction(text: str) -> str:
    return f"CASE WHEN regexp_matches({text}, 'output|completion') THEN 'output' ELSE 'input' END"


def _mode(text: str) -> str:
    return f"CASE WHEN contains({text}, 'batch') THEN 'batch' WHEN contains({text}, 'cache') THEN 'cache' ELSE '' END"


_text = _plain("coalesce(usage_type, '') || coalesce(description, '') || coalesce(sku, '')")
# Not by a pattern: every charge there is comes by here.
_is_tokens = " OR ".join(f"contains(lower({name}), 'token')" for name in ("unit", "usage_type", "description"))
# A row for each resource, family, direction and mode; `unit_of_price` is what prices must be of. Materialized, or each
# charge of the bill is matched with every family.
TOKENS = f"""token_use AS MATERIALIZED (
    SELECT *, {_text} AS text FROM use WHERE {_is_tokens}
),
tokens AS (
    SELECT {KEY}, currency, {_family("text")} AS family, {_direction("text")} AS direction, {_mode("text")} AS mode,
        lower(coalesce(max(unit), '')) AS unit_of_price, sum(monthly_cost) AS cost,
        sum(monthly_cost) FILTER (pricing IS DISTINCT FROM 'Committed') AS open_cost,
        sum(monthly_list_cost) FILTER (monthly_quantity > 0)
            / nullif(sum(monthly_quantity) FILTER (monthly_list_cost > 0), 0) AS list_rate,
        sum(monthly_quantity) AS quantity
    FROM token_use SEMI JOIN resources USING ({KEY})
    GROUP BY ALL
)"""
_item = _plain("item")
MODEL_PRICES = f"""model_prices AS (
    SELECT provider, region, currency, {_family(_item)} AS family, {_direction(_item)} AS direction,
        {_mode(_item)} AS mode, lower(coalesce(unit, '')) AS unit_of_price, max(price) AS price
    FROM prices WHERE price > 0 AND {_family(_item)} IS NOT NULL GROUP BY ALL
)"""
_pairs = ", ".join(f"({literal(name)}, {literal(smaller)})" for name, _pattern, smaller in FAMILIES if smaller)
SMALLER = f"smaller AS (SELECT * FROM (VALUES {_pairs}) AS t(family, successor))"


def _price_join(alias: str, family: str, mode: str) -> str:
    return (
        f"LEFT JOIN model_prices AS {alias} ON {alias}.provider = t.provider AND {alias}.region = t.region"
        f" AND {alias}.currency = t.currency AND {alias}.direction = t.direction"
        f" AND {alias}.unit_of_price = t.unit_of_price AND {alias}.family = {family} AND {alias}.mode = {literal(mode)}"
    )


def _tokens_sql(joins: str, saving: str, condition: str, *ctes: str, evidence: str = "", target: str = "") -> str:
    """One finding for each resource, over its families and directions; unknown where one of them is not known."""
    more, aims = (f", {text}" if text else "" for text in (evidence, target))
    return finding_sql(
        f"""
        SELECT provider, account, region, resource, currency, 'tokens' AS part, sum(cost) AS monthly_cost,
            CASE WHEN bool_or(own_saving IS NULL) THEN NULL ELSE sum(greatest(0, own_saving)) END AS saving,
            '{Confidence.LOOK}' AS confidence,
            json_object('families', string_agg(DISTINCT family, ', ' ORDER BY family){more}) AS evidence,
            json_object('families', string_agg(DISTINCT aim, ', ' ORDER BY aim){aims}) AS target
        FROM (
            SELECT t.*, {saving} AS own_saving, {joins}
            WHERE t.open_cost > 0 AND t.family IS NOT NULL AND {condition}
        )
        GROUP BY provider, account, region, resource, currency
        """,
        TOKENS,
        MODEL_PRICES,
        *ctes,
    )


_own = "coalesce(own.price, t.list_rate)"
_model = _tokens_sql(
    f"s.successor AS aim FROM tokens AS t JOIN smaller AS s ON s.family = t.family"
    f" {_price_join('own', 't.family', '')} {_price_join('next', 's.successor', '')}",
    saved("t.open_cost", f"1 - next.price / {_own}"),
    "t.mode = ''",
    SMALLER,
)


def _explain_model(finding: FindingRow) -> str:
    return _("It asks {families}; {smaller} answers easier questions for less.").format(
        families=finding["evidence"]["families"], smaller=finding["target"]["families"]
    )


def _no_command(finding: FindingRow) -> Sequence[Fix]:
    """The model is named in the caller's own code or settings."""
    return ()


# Bedrock, OpenAI, Anthropic and Vertex AI each price batches at half of what is answered at once (their pricing pages,
# 2025); it counts where no list has the price. How much may wait only people know: `tokens_not_urgent`.
BATCH_RATIO = 0.5
_share = "CASE WHEN m.resource IS NOT NULL THEN least(1, m.{0}_average / 100) END"
_measured = (
    "LEFT JOIN measured AS m ON m.provider = t.provider AND m.account = t.account AND m.region = t.region"
    " AND m.resource = t.resource"
)
_batch = _tokens_sql(
    f"m.tokens_not_urgent_average AS share, 'batch' AS aim FROM tokens AS t {_price_join('own', 't.family', '')}"
    f" {_price_join('next', 't.family', 'batch')} {_measured}",
    saved("t.open_cost", f"(1 - coalesce(next.price / {_own}, {BATCH_RATIO})) * {_share.format('tokens_not_urgent')}"),
    "t.mode = ''",
    metrics_sql("measured", "tokens_not_urgent"),
    evidence="'share', max(share)",
)


def _explain_batch(finding: FindingRow) -> str:
    evidence = finding["evidence"]
    if evidence["share"] is None:
        return _(
            "All it asks of {families} is answered at once; what may wait for hours costs half in a batch."
        ).format(families=evidence["families"])
    return _("{share} of what it asks of {families} may wait for hours, and costs half in a batch.").format(
        share=share_text(evidence["share"] / 100), families=evidence["families"]
    )


# What a model reads again from its cache has a price of its own on the list; without it the saving is not known.
_cache = _tokens_sql(
    f"m.tokens_repeated_average AS share, 'cache' AS aim FROM tokens AS t {_price_join('own', 't.family', '')}"
    f" {_price_join('next', 't.family', 'cache')} {_measured}",
    saved("t.open_cost", f"(1 - next.price / {_own}) * {_share.format('tokens_repeated')}"),
    "t.mode = '' AND t.direction = 'input' AND NOT EXISTS (FROM tokens AS c WHERE c.mode = 'cache'"
    " AND c.provider = t.provider AND c.account = t.account AND c.resource = t.resource)",
    metrics_sql("measured", "tokens_repeated"),
    evidence="'share', max(share)",
)


def _explain_cache(finding: FindingRow) -> str:
    evidence = finding["evidence"]
    if evidence["share"] is None:
        return _(
            "Nothing that it sends to {families} is read from a cache; how much is the same each time is not known."
        ).format(families=evidence["families"])
    return _("{share} of what it sends to {families} is the same as before, and nothing is read from a cache.").format(
        share=share_text(evidence["share"] / 100), families=evidence["families"]
    )


_endpoint = finding_sql(
    f"""
    SELECT e.*, 'endpoint' AS part, e.cost AS monthly_cost, e.open_cost AS saving, '{Confidence.LIKELY}' AS confidence,
        json_object('days', measured_days, 'hours', e.quantity) AS evidence, json_object() AS target
    FROM endpoints AS e JOIN measured USING ({KEY})
    WHERE requests_maximum = 0
    """,
    use_sql(
        "endpoints",
        """(category = 'AI and Machine Learning' OR regexp_matches(lower(service), 'sagemaker|bedrock|vertex|openai'))
        AND regexp_matches(lower(unit), '^h|hour|hrs')""",
    ),
    metrics_sql("measured", "requests"),
)


def _explain_endpoint(finding: FindingRow) -> str:
    evidence = finding["evidence"]
    return _("In {days} days nobody asked it anything, and {hours} hours of an average month are paid.").format(
        days=evidence["days"], hours=number_text(evidence["hours"] or 0)
    )


def _fix_endpoint(finding: FindingRow) -> Sequence[Fix]:
    delete = {AWS: "aws sagemaker delete-endpoint --region {region} --endpoint-name {name}"}
    back = {AWS: "aws sagemaker create-endpoint --region {region} --endpoint-name {name} --endpoint-config-name CONFIG"}
    return command_fix(_("Delete the endpoint; its configuration stays"), finding, delete, back)


RULES = (
    Rule(
        name="ai_model",
        title=_noop("Model larger than its questions may need"),
        lever=Lever.MODERNISE,
        effort=Effort.MEDIUM,
        risk=Risk.MEDIUM,
        sql=_model,
        explain=_explain_model,
        fixes=_no_command,
        makes_certain=_noop("Compare the answers of both models on questions of your own."),
        docs="https://docs.aws.amazon.com/bedrock/latest/userguide/model-evaluation.html",
    ),
    Rule(
        name="ai_batch",
        title=_noop("Answers at once that could wait"),
        lever=Lever.TIER,
        effort=Effort.MEDIUM,
        risk=Risk.LOW,
        sql=_batch,
        explain=_explain_batch,
        fixes=_no_command,
        makes_certain=_noop("Load how much of it nobody waits for (tokens_not_urgent)."),
        docs="https://docs.aws.amazon.com/bedrock/latest/userguide/batch-inference.html",
    ),
    Rule(
        name="ai_cache",
        title=_noop("The same text sent again and again"),
        lever=Lever.RIGHTSIZE,
        effort=Effort.LOW,
        risk=Risk.LOW,
        sql=_cache,
        explain=_explain_cache,
        fixes=_no_command,
        makes_certain=_noop("Load how much of it is the same each time (tokens_repeated), and the price of its cache."),
        docs="https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html",
    ),
    Rule(
        name="ai_endpoint_idle",
        title=_noop("Endpoint of a model that nobody asks"),
        lever=Lever.DELETE,
        effort=Effort.LOW,
        risk=Risk.LOW,
        sql=_endpoint,
        explain=_explain_endpoint,
        fixes=_fix_endpoint,
        makes_certain=_noop("Whoever owns it confirms that nobody needs it."),
        docs="https://docs.aws.amazon.com/sagemaker/latest/dg/realtime-endpoints.html",
        needs=("metrics",),
    ),
)
