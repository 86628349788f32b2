"""What a provider advises and no rule of ours is like: shown in its words, with its figure. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from finops_site.lib.language import gettext as _
from finops_site.lib.language import gettext_noop as _noop
from usage.calc.facts import FINDING
from usage.calc.rules.base import Effort, Fix, Lever, Risk, Rule

# `usage.calc.candidates` merges what providers say into what our rules say, and adds the rest under this name.
NAME = "provider-advice"


def explain(finding: Mapping[str, Any]) -> str:
    return _("The provider says: {words}").format(words=finding["evidence"].get("provider_says") or finding["resource"])


def no_fixes(finding: Mapping[str, Any]) -> Sequence[Fix]:
    return ()


PROVIDER_ADVICE = Rule(
    name=NAME,
    title=_noop("Advice of the provider"),
    lever=Lever.RIGHTSIZE,
    effort=Effort.MEDIUM,
    risk=Risk.MEDIUM,
    sql=f"SELECT {', '.join(f'NULL AS {name}' for name in FINDING)} WHERE false",
    explain=explain,
    fixes=no_fixes,
    makes_certain=_noop("Metrics of the resource over the same days."),
    needs=("provider_advice",),
)
RULES = (PROVIDER_ADVICE,)
