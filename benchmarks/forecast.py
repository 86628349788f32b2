"""How good forecasts are: a rolling backtest over shapes of cost, against each simple way in the same run.

``nice .venv/bin/python -m benchmarks.forecast [series of each shape] [seed]`` prints the tables of docs/budgets.md: the
error of the month's total (WAPE) 21, 14 and 7 days before its end over the last twelve months, how often the 80 %
interval held, and the false alerts. Each forecast is made from the days before it alone. ``python -m
benchmarks.forecast peers`` measures statsforecast and statsmodels on the same shapes, where they are installed.
"""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from importlib import import_module

import numpy as np

from benchmarks.cost_shapes import FIRST, RAMP_DAYS, SHAPES, history_of
from budgets.calc.cost_history import Columns, CostHistory, Floats
from budgets.calc.forecast import forecast_days
from budgets.calc.forecast_methods import fit
from finops_site.lib.periods import Month

DAYS, MONTHS, HISTORY_DAYS = 1096, 12, 790
BEFORE_THE_END = (21, 14, 7)
# A ramp is judged while it lasts.
MONTHS_OF = {"ramp +2 % a day": RAMP_DAYS // 30}
# Noise: an error within this share of the month's total of the best simple way's is as good as it.
FLOOR = 0.002
# Budgets whose month ends so much above or below their amount.
MARGIN = 0.05


@dataclass
class Errors:
    """Of every series: |total - actual| of each way, actual totals, and whether the interval held; a row a month."""

    missed: dict[str, list[Floats]] = field(default_factory=dict)
    actual: list[Floats] = field(default_factory=list)
    inside: list[Floats] = field(default_factory=list)

    def wape(self, way: str, rows: Columns, months: int) -> float:
        missed, actual = np.stack(self.missed[way])[-months:, rows], np.stack(self.actual)[-months:, rows]
        return float(missed.sum() / np.abs(actual).sum())

    def coverage(self, rows: Columns, months: int) -> float:
        return float(np.stack(self.inside)[-months:, rows].mean())


def simple_ways(history: CostHistory, origin: int, end: int) -> dict[str, Floats]:
    """What each simple way says of the days from column `origin` to `end`, the end of a month."""
    daily, days = history.daily, end - origin
    month = Month.of(history.day(origin))
    first = (month.start - history.first).days
    ahead = [history.day(column) for column in range(origin, end)]
    before = [month.previous.start + timedelta(days=min(day.day, month.previous.days) - 1) for day in ahead]
    year = month.plus(-12)
    last_year = [year.start + timedelta(days=min(day.day, year.days) - 1) for day in ahead]
    return {
        "run rate": daily[:, first:origin].mean(axis=1) * days,
        "last week": daily[:, origin - 7 : origin][:, np.arange(days) % 7].sum(axis=1),
        "last month by date": daily[:, [(day - history.first).days for day in before]].sum(axis=1),
        "last month by its end": daily[:, first - days : first].sum(axis=1),
        "last year": daily[:, [(day - history.first).days for day in last_year]].sum(axis=1),
    }


def rolling_backtest(history: CostHistory, months: int) -> dict[int, Errors]:
    """{days before the end: the errors of the last `months`}."""
    last, results = Month.of(history.end), {days: Errors() for days in BEFORE_THE_END}
    for back in range(months, 0, -1):
        month = last.plus(-back)
        first, end = (month.start - history.first).days, (month.next.start - history.first).days
        actual = history.daily[:, first:end].sum(axis=1)
        for days, errors in results.items():
            origin = end - days
            start = max(0, origin - HISTORY_DAYS)
            seen = CostHistory(history.day(start), history.daily[:, start:origin])
            spent = history.daily[:, first:origin].sum(axis=1)
            forecasts = forecast_days(fit(seen), days)
            ours = np.array([forecast.likeliest for forecast in forecasts])
            low, high = (np.array([forecast.quantile(share) for forecast in forecasts]) for share in (0.1, 0.9))
            for way, ahead in {"ours": ours, **simple_ways(history, origin, end)}.items():
                errors.missed.setdefault(way, []).append(np.abs(spent + ahead - actual))
            errors.actual.append(actual)
            rest, slack = actual - spent, 1e-9 * np.abs(actual)
            errors.inside.append((rest >= low - slack) & (rest <= high + slack))
    return results


def print_table(names: Mapping[str, Columns], results: Mapping[int, Errors]) -> None:
    """A row for each shape: errors at 21/14/7 days, of the best simple way, the ratio, and coverage."""
    print("| shape | ours | best simple way | of it | 80 % interval held |")
    print("|---|---|---|---|---|")
    for name, rows in names.items():
        months = MONTHS_OF.get(name, MONTHS)
        cells: dict[str, list[str]] = {"ours": [], "best": [], "ratio": [], "held": []}
        for errors in results.values():
            wapes = {way: errors.wape(way, rows, months) for way in errors.missed}
            ours = wapes.pop("ours")
            best = min(wapes, key=lambda way: wapes[way])
            fails = ours > 1.1 * wapes[best] and ours - wapes[best] > FLOOR
            cells["ours"].append(f"{ours:.1%}"[:-1])
            cells["best"].append(f"{wapes[best]:.1%}"[:-1] + f" {best}")
            cells["ratio"].append(f"{ours / wapes[best]:.2f}" + "!" * fails)
            cells["held"].append(f"{errors.coverage(rows, months):.0%}"[:-1])
        best_ways = sorted({cell.split(" ", 1)[1] for cell in cells["best"]})
        best = "/".join(cell.split(" ", 1)[0] for cell in cells["best"]) + f" ({', '.join(best_ways)})"
        print(
            f"| {name} | {'/'.join(cells['ours'])} | {best} | {'/'.join(cells['ratio'])} | {'/'.join(cells['held'])} |"
        )


@dataclass
class Alarms:
    """How many months warned of an overrun: those that stayed MARGIN below their amount, and those MARGIN above it."""

    false: int = 0
    true: int = 0
    months: int = 0
    days_before: list[int] = field(default_factory=list)


def count_alarms(history: CostHistory, months: int = 3) -> dict[int, Alarms]:
    """{nights in a row that are needed: what a forecast threshold of 100 % would have warned of}."""
    last, counts = Month.of(history.end), {nights: Alarms() for nights in (1, 2)}
    many = len(history.daily)
    for back in range(months, 0, -1):
        month = last.plus(-back)
        first, end = (month.start - history.first).days, (month.next.start - history.first).days
        actual = history.daily[:, first:end].sum(axis=1)
        amounts = {True: actual / (1 + MARGIN), False: actual / (1 - MARGIN)}
        row = {key: np.zeros(many, dtype=int) for key in amounts}
        longest = {(key, nights): np.full(many, -1) for key in amounts for nights in counts}
        for origin in range(first + 1, end - 2):
            seen = CostHistory(
                history.day(max(0, origin - HISTORY_DAYS)), history.daily[:, max(0, origin - HISTORY_DAYS) : origin]
            )
            spent = history.daily[:, first:origin].sum(axis=1)
            forecasts = forecast_days(fit(seen), end - origin)
            for key, amount in amounts.items():
                left = amount - spent
                above = np.array([f.chance_above(float(rest)) >= 0.5 for f, rest in zip(forecasts, left, strict=True)])
                # What is spent already needs no forecast.
                row[key] = np.where(above & (left > 0), row[key] + 1, 0)
                for nights in counts:
                    opens = (row[key] == nights) & (longest[key, nights] < 0)
                    longest[key, nights] = np.where(opens, end - origin, longest[key, nights])
        for nights, alarms in counts.items():
            alarms.false += int((longest[False, nights] >= 0).sum())
            alarms.true += int((longest[True, nights] >= 0).sum())
            alarms.months += many
            alarms.days_before += longest[True, nights][longest[True, nights] >= 0].tolist()
    return counts


def shapes_side_by_side(many: int, seed: int, names: list[str]) -> tuple[CostHistory, dict[str, Columns]]:
    """Every shape's series in one history, and the rows of each shape."""
    histories = [history_of(SHAPES[name], many, DAYS, seed + place) for place, name in enumerate(names)]
    rows = {name: np.arange(place * many, (place + 1) * many) for place, name in enumerate(names)}
    return CostHistory(histories[0].first, np.concatenate([history.daily for history in histories])), rows


def main(many: int = 8, seed: int = 0, only: str = "") -> None:
    history, rows = shapes_side_by_side(many, seed, [name for name in SHAPES if only in name])
    started = time.process_time()
    results = rolling_backtest(history, MONTHS)
    seconds = time.process_time() - started
    print_table(rows, results)
    print(f"{many} series of each shape, seed {seed}, {seconds:.0f} s of processor")
    few, _ = shapes_side_by_side(min(many, 4), seed, [name for name in SHAPES if only in name])
    for nights, alarms in count_alarms(few).items():
        print(
            f"warns after {nights} nights: of {alarms.months} months that ended {MARGIN:.0%} below the amount "
            f"{alarms.false} warned falsely, of as many {MARGIN:.0%} above it {alarms.true} warned, "
            f"{np.median(alarms.days_before):.0f} days before the end in the middle"
        )


def measure_peers(many: int = 1, months: int = 2) -> None:
    """WAPE 14 days before the end, and milliseconds a series, of other libraries and of ours on the same shapes."""
    history, _ = shapes_side_by_side(many, 0, list(SHAPES))
    last = Month.of(history.end)
    ways: dict[str, Callable[[Floats, int], Floats]] = {"ours": ours_of}
    for name in ("statsmodels Theta", "statsforecast AutoETS", "statsforecast AutoTheta", "statsforecast MSTL"):
        try:
            ways[name] = peer(name)
        except ImportError as error:
            print(f"{name} is not installed ({error})")
    for name, forecast in ways.items():
        missed, total, seconds = 0.0, 0.0, 0.0
        for back in range(months, 0, -1):
            month = last.plus(-back)
            first, end = (month.start - history.first).days, (month.next.start - history.first).days
            seen, started = history.daily[:, end - 14 - 400 : end - 14], time.process_time()
            ahead = forecast(seen, (end - 14 - 400))
            seconds += time.process_time() - started
            actual = history.daily[:, first:end].sum(axis=1)
            missed += float(np.abs(ahead - history.daily[:, end - 14 : end].sum(axis=1)).sum())
            total += float(np.abs(actual).sum())
        print(
            f"{name}: {missed / total:.1%} of the month, {1000 * seconds / months / len(history.daily):.1f} ms a series"
        )


def ours_of(seen: Floats, first: int) -> Floats:
    fitted = fit(CostHistory(FIRST + timedelta(days=first), seen))
    return np.array([forecast.likeliest for forecast in forecast_days(fitted, 14)])


def peer(name: str) -> Callable[[Floats, int], Floats]:
    """The sum of 14 days by a method of another library; raises ImportError where it is not installed."""
    if name.startswith("statsmodels"):
        theta = import_module("statsmodels.tsa.forecasting.theta").ThetaModel
        return lambda seen, _: np.array(
            [theta(row, period=7, method="additive").fit().forecast(14).sum() for row in seen]
        )
    models = import_module("statsforecast.models")
    make = {
        "statsforecast AutoETS": lambda: models.AutoETS(season_length=7),
        "statsforecast AutoTheta": lambda: models.AutoTheta(season_length=7),
        "statsforecast MSTL": lambda: models.MSTL(season_length=[7, 30]),
    }[name]
    return lambda seen, _: np.array([make().forecast(y=row, h=14)["mean"].sum() for row in seen])


if __name__ == "__main__":
    if sys.argv[1:2] == ["peers"]:
        measure_peers()
    else:
        main(*(int(argument) if argument.isdigit() else argument for argument in sys.argv[1:]))
