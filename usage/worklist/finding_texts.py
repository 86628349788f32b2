"""What people read of a finding: its evidence in a sentence, how sure it is, and why its saving counts as it does."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from finops_site.lib.money import Money
from finops_site.translation import gettext_lazy as _lazy
from usage.calc.proof import GAP_WORDS, Gap
from usage.calc.rules.base import Confidence, Effort, Fix, Risk
from usage.models import Finding
from usage.worklist.rule_names import rule_of, title_of

logger = logging.getLogger(__name__)

# Text, tone and icon of each state, as badges draw them.
STATES = {
    "new": (_lazy("new"), "warn", "bell"),
    "accepted": (_lazy("accepted"), "busy", "user"),
    "snoozed": (_lazy("snoozed"), "calm", "clock"),
    "dismissed": (_lazy("dismissed"), "calm", "x"),
    "mended": (_lazy("mended, awaiting proof"), "busy", "hourglass"),
    "proved": (_lazy("proved by the bill"), "good", "circle-check"),
    "back": (_lazy("back again"), "bad", "refresh"),
    "quiet": (_lazy("kept quiet"), "calm", "filter-off"),
    "gone": (_lazy("gone by itself"), "calm", "archive"),
}
CONFIDENCES = {
    str(Confidence.CERTAIN): (_lazy("certain"), "good", "shield-check"),
    str(Confidence.LIKELY): (_lazy("likely"), "busy", "circle-dashed"),
    str(Confidence.LOOK): (_lazy("needs a look"), "warn", "search"),
}
LEVELS = {str(Effort.LOW): _lazy("low"), str(Effort.MEDIUM): _lazy("medium"), str(Effort.HIGH): _lazy("high")}
RISKS = {
    str(Risk.LOW): (_lazy("low"), "good", "check"),
    str(Risk.MEDIUM): (_lazy("medium"), "warn", "alert-triangle"),
    str(Risk.HIGH): (_lazy("high"), "bad", "alert-triangle"),
}
# What findings stand on; a provider's own advice has its own words.
SOURCES = {
    "bill": _lazy("the bill"),
    "metrics": _lazy("metrics"),
    "inventory": _lazy("the inventory"),
    "prices": _lazy("price lists"),
}


def name_of(finding: Finding) -> str:
    """What people call the resource: its name, or the last part of its id."""
    return finding.resource_name or finding.resource.rstrip("/").rsplit("/", 1)[-1]


def headline(finding: Finding) -> str:
    """``Unattached disk: vol-1``"""
    return _("{what}: {resource}").format(what=title_of(finding.rule), resource=name_of(finding))


def as_mapping(finding: Finding) -> dict[str, Any]:
    """A finding as rules take it: the columns of usage.calc.facts.FINDING, and its name."""
    names = ("provider", "account", "region", "resource", "part", "monthly_cost", "saving", "currency", "confidence")
    row = {name: getattr(finding, name) for name in names}
    evidence = finding.evidence if isinstance(finding.evidence, dict) else {}
    target = finding.target if isinstance(finding.target, dict) else {}
    return {**row, "name": finding.resource_name, "service": finding.service, "evidence": evidence, "target": target}


def explanation(finding: Finding) -> str:
    """The evidence in one sentence. A rule of this version may miss what an earlier one stored: that is said."""
    try:
        return rule_of(finding.rule).explain(as_mapping(finding))
    except (KeyError, TypeError, ValueError, ArithmeticError):
        logger.warning("usage: %s cannot explain finding %s", finding.rule, finding.pk, exc_info=True)
        return _("Its evidence is of an earlier version of the rule: the next evaluation renews it.")


def fixes(finding: Finding) -> Sequence[Fix]:
    """The ways to mend it; none where the stored evidence does not suffice for commands."""
    try:
        return rule_of(finding.rule).fixes(as_mapping(finding))
    except (KeyError, TypeError, ValueError, ArithmeticError):
        logger.warning("usage: %s has no fix of finding %s", finding.rule, finding.pk, exc_info=True)
        return ()


def makes_certain(finding: Finding) -> str:
    """What would prove it; empty where it is certain, or where the rule names nothing."""
    text = rule_of(finding.rule).makes_certain
    return _(text) if text and finding.confidence != Confidence.CERTAIN else ""


def counting(finding: Finding) -> str:
    """Why the saving counts as it does beside the others on the same resource."""
    alone, counted, code = finding.saving, finding.counted_saving, finding.currency
    if alone is None:
        return _("The price of what would replace it is not loaded: its saving is not known, and no sum has it.")
    if counted is None:
        return _("It is not counted yet: the next evaluation puts it beside the others on this resource.")
    before = finding.counted_after
    if counted == alone:
        return _("It counts in full: nothing that comes before it on this resource takes part of it.")
    what = title_of(before.rule) if before else ""
    if counted == 0 and what:
        text = _("It counts nothing while “{what}” comes first on this resource: both cannot save the same money.")
        return text.format(what=what)
    texts = {"alone": Money(alone, code), "counted": Money(counted, code)}
    if what:
        return _(
            "Alone it saves {alone}. “{what}” comes first on this resource, and {counted} is its share of what that "
            "leaves."
        ).format(what=what, **texts)
    return _("Alone it saves {alone}; {counted} counts: no more than what the resource costs.").format(**texts)


def source_texts(finding: Finding) -> list[str]:
    """Who says so; what a provider advises in its own words."""
    sources = finding.sources if isinstance(finding.sources, list) else []
    texts = []
    for source in sources:
        if isinstance(source, Mapping):
            name, title = str(source.get("source") or source.get("name") or ""), str(source.get("title") or "")
            texts.append(_("{source}: {title}").format(source=name, title=title) if title else name)
        else:
            texts.append(str(SOURCES.get(str(source), source)))
    return [text for text in texts if text]


def gap_text(code: str) -> str:
    """Why a saving differs from its promise, in words; what is no such code stays as it is."""
    return _(GAP_WORDS[Gap(code)]) if code in set(Gap) else code


def facts_of(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Evidence or target as (name, text), in the order of the rule; what is not known is left out."""
    return [
        (name.replace("_", " "), ", ".join(map(str, value)) if isinstance(value, list) else str(value))
        for name, value in values.items()
        if value is not None and value != "" and not isinstance(value, dict)
    ]
