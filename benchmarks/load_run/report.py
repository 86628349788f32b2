"""What the run showed, beside its limits."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.load_run.browser import Answer
from benchmarks.load_run.processes import Memory

P95_LIMIT = 1.0
# So many times what web and worker held in the middle they may hold at the end, for flat is what grows no more; and so
# many times what they held after a minute, when each still reads what it needs for the first time.
GROWTH_LIMIT, WARM_UP_LIMIT = 1.1, 1.5
# A 95th percentile of fewer answers says little: those routes are held to the limit together with all others only.
ENOUGH = 20


@dataclass
class SiteFigures:
    """Of the site while the people were there: memory by part at moments (in minutes), seconds of the processors."""

    minutes: float = 0
    memory: list[tuple[float, Mapping[str, Memory]]] = field(default_factory=list)
    busy: Mapping[str, float] = field(default_factory=dict)
    # What went wrong beside the answers: lines of logs, checks of the night, a bill that does not count.
    troubles: list[str] = field(default_factory=list)


def percentile(times: Sequence[float], share: float) -> float:
    """The smallest of the sorted times that so large a share does not exceed."""
    return times[min(len(times) - 1, int(len(times) * share))]


def print_routes(answers: Sequence[Answer]) -> list[str]:
    """A line for each route, the slowest first, and one for all; returns which limits are broken."""
    routes: dict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        routes[answer.route].append(answer)
    broken = []
    print(
        f"\n| {'route':38} | answers | errors | p50, ms | p95, ms | max, ms | of 1 s |\n|---|---|---|---|---|---|---|"
    )
    for name, some in [*sorted(routes.items(), key=lambda item: -_p95(item[1])), ("all", list(answers))]:
        times = sorted(answer.seconds for answer in some)
        errors = sum(bool(answer.problem) for answer in some)
        late = percentile(times, 0.95)
        figures = " | ".join(f"{seconds * 1000:7.0f}" for seconds in (percentile(times, 0.5), late, times[-1]))
        print(f"| {name:38} | {len(some):7} | {errors:6} | {figures} | {late / P95_LIMIT:6.2f} |")
        if late > P95_LIMIT and (len(some) >= ENOUGH or name == "all"):
            broken.append(f"{name}: 95 of 100 within {late:.2f} s, and the limit is {P95_LIMIT:.0f} s")
    problems = [answer.problem for answer in answers if answer.problem]
    if problems:
        broken.append(f"{len(problems)} errors, the first: {'; '.join(dict.fromkeys(problems[:5]))}")
    return broken


def _p95(answers: Sequence[Answer]) -> float:
    return percentile(sorted(answer.seconds for answer in answers), 0.95)


def print_site(observed: SiteFigures, client_seconds: float, *, is_whole: bool) -> list[str]:
    """Memory and processors of each part of the site; returns which limits are broken, memory's for a whole run."""
    broken = list(observed.troubles)
    (first, early), (middle, half), (last, late) = observed.memory
    minutes = f"{first:g}, MB | at minute {middle:g} | at minute {last:g}"
    print(f"\n| part | PSS (RSS) at minute {minutes} | processors, s | of two |")
    print("|---|---|---|---|---|---|")
    for part in late:
        share = observed.busy[part] / (observed.minutes * 60 * 2)
        figures = " | ".join(f"{memory[part].pss} ({memory[part].rss})" for memory in (early, half, late))
        print(f"| {part} | {figures} | {observed.busy[part]:.0f} | {share:.0%} |")
        if is_whole and part in ("web", "worker"):
            for minute, before, limit in ((first, early, WARM_UP_LIMIT), (middle, half, GROWTH_LIMIT)):
                ratio = late[part].pss / max(before[part].pss, 1)
                if ratio > limit:
                    broken.append(f"{part}: {ratio:.2f} times the memory of minute {minute:g}, limit {limit}")
    share = client_seconds / (observed.minutes * 60 * 2)
    print(f"| the people (this program) | | | | {client_seconds:.0f} | {share:.0%} |")
    return broken
