"""What the name of a file shows: the date it was written for, which version it is, and which part of a run. Pure.

Writers name the parts of one run alike: Spark (``part-00000-<run>-c000``), Redshift's UNLOAD (``usage0000_part_00``),
Snowflake's COPY INTO (``data_0_1_0``), BigQuery's wildcard (``table-000000000001``), Trino and Athena
(``20260305_101112_00012_abcde_<file>``), Hive (``000001_0``), DuckDB (``data_1``), split(1) (``bill-aa``), and people
(``bill-1of2``, ``bill.1``).
"""

import re
from dataclasses import dataclass

ENDINGS = re.compile(
    r"(?:\.(?:csv|tsv|txt|json|jsonl|ndjson|parquet|gz|gzip|zip|snappy|zstd?|lz4|bz2|brotli))*$", re.IGNORECASE
)
# What is appended to the name of a file that was downloaded or copied once more, and what stands before it.
A_COPY = re.compile(r"( ?\(\d+\)|[ _-]+copy( ?\d+)?)$|^copy( \(\d+\))? of ", re.IGNORECASE)

_YEAR, _MONTH, _DAY = r"(?P<year>20\d{2})", r"(?P<month>0[1-9]|1[0-2])", r"(?P<day>0[1-9]|[12]\d|3[01])"
_TIME = r"(?P<time>[T_ -]?(?:[01]\d|2[0-3])[-_.:h]?[0-5]\d(?:[-_.:m]?[0-5]\d)?Z?)"
DATES = tuple(
    re.compile(rf"(?<!\d){pattern}(?!\d)")
    for pattern in (
        rf"{_YEAR}[-_.]?{_MONTH}[-_.]?{_DAY}{_TIME}?",
        r"(?P<day>0[1-9]|[12]\d|3[01])[-_.](?P<month>0[1-9]|1[0-2])[-_.](?P<year>20\d{2})",
        rf"{_YEAR}[-_.]?{_MONTH}",
    )
)
# Of folders: 2026-03-05/, 2026/03/05/, date=2026-03-05/, year=2026/month=03/day=05/.
DAY_OF_FOLDER = re.compile(rf"(?<!\d){_YEAR}[-_./]?{_MONTH}(?:[-_./]?{_DAY})?(?!\d)")
NAME_OF_PARTITION = re.compile(r"(?<=/)[^/=]+=")
# A folder that holds one value of a column; those whose column is a date hold a day or a version of their own.
PARTITION = re.compile(r"/(?P<column>[^/=]+)=(?P<value>[^/]*)(?=/)")
DATE_COLUMN = re.compile(
    r"date|day|month|year|hour|time|period|^(dt|ds|dd|mm|yyyy|y|m|d|h|run|version|snapshot)$", re.I
)

IS_FINAL = re.compile(
    r"(?<![a-z])(final|correct(ed|ion)?s?|amend(ed|ment)|revis(ed|ion)|updated?|restated|adjusted|fixed|new|latest)(?![a-z])",
    re.IGNORECASE,
)
IS_EARLY = re.compile(
    r"(?<![a-z])(draft|prelim(inary)?|provisional|estimated?|interim|old|backup|bak|orig(inal)?)(?![a-z])",
    re.IGNORECASE,
)
VERSION = re.compile(
    r"(?:(?<![a-z])(?:v|ver|version|rev|r)[-_. ]?(\d+)$)|(?:\((\d+)\)$)|(?:copy ?(\d+)$)", re.IGNORECASE
)
IS_VERSION = re.compile(r"(?<![a-z])(v|ver|version|rev|r)[-_. ]?$", re.IGNORECASE)
# The word before a number that makes it the number of a part.
WORD_OF_PARTS = re.compile(r"(part|shard|chunk|split|slice|piece|segment|block|page)[-_. ]?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """A file's place in a run: what all names of the run have in common, the numbers of this part, and of how many.

    `is_counted`: the numbers count on. `is_certain`: it is no version of what the others are. `waits`: a number that
    is missing is a part that is not there yet.
    """

    run: str
    numbers: tuple[int, ...]
    of: int | None = None
    is_counted: bool = False
    is_certain: bool = True
    waits: bool = False


def base_of(key: str) -> str:
    """The name of a file without its folders and endings."""
    name = key.rpartition("/")[2]
    match = ENDINGS.search(name)
    return name[: match.start()] if match else name


def date_of(key: str) -> str:
    """The digits of the date for which a file was written, and of the time behind it; empty without one.

    From its name, or where that has none, or only a month, from its folders. A month alone stands after its days.
    """
    found_in_name = next((match for pattern in DATES if (match := _last(pattern, base_of(key)))), None)
    in_name = _digits(found_in_name)
    folders = NAME_OF_PARTITION.sub("", f"/{key}").rpartition("/")[0]
    in_folder = _digits(_last(DAY_OF_FOLDER, folders))
    if in_folder and in_folder[6:8] != "99" and in_name[6:8] in ("", "99"):
        return in_folder
    return in_name or in_folder


def version_of(key: str) -> tuple[int, int]:
    """What orders names that differ in nothing else: drafts, plain ones, corrected ones; then a version's number."""
    base = base_of(key)
    word = 1 if IS_FINAL.search(base) else -1 if IS_EARLY.search(base) else 0
    match = VERSION.search(base)
    number = next((group for group in match.groups() if group), "0") if match else _number_at_the_end(base)
    return word, int(number)


def view_of(path: str) -> str:
    """``amortized`` where a file's name or folders say so; empty elsewhere."""
    return "amortized" if re.search(r"amorti[sz]", path, re.IGNORECASE) else ""


def without_values(folder: str) -> str:
    """A folder's path without those steps that hold one value of a column, such as ``region=eu``; dates stay."""
    return PARTITION.sub(lambda step: step[0] if DATE_COLUMN.search(step["column"]) else "", f"/{folder}/").strip("/")


def part_of(key: str) -> Part | None:
    """Which part of a run the name of a file shows, if it shows one."""
    base = base_of(key)
    for read in (_by_spark, _by_trino, _by_redshift, _of_how_many, _by_snowflake, _by_hive, _by_number, _by_split):
        if part := read(base):
            return part
    return None


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    return max(pattern.finditer(text), key=lambda match: match.start(), default=None)


def _digits(match: re.Match[str] | None) -> str:
    if match is None:
        return ""
    named = match.groupdict()
    time = re.sub(r"\D", "", named.get("time") or "")
    return f"{named['year']}{named['month']}{named.get('day') or '99'}{time}".ljust(14, "0")


def _number_at_the_end(base: str) -> str:
    match = re.search(r"(\d{1,9})$", _without_dates(base))
    return match[1] if match else "0"


def _without_dates(base: str) -> str:
    """The name with its dates blotted out: a day is not the number of a part. It stays as long as it was."""
    for pattern in DATES:
        base = pattern.sub(_blotted, base)
    return base


def _blotted(match: re.Match[str]) -> str:
    # 20260304-0001 may be one minute past midnight, or a second part.
    time = match.groupdict().get("time") or ""
    if re.fullmatch(r"[-_]00\d{2}(\d{2})?", time):
        return "#" * (len(match[0]) - len(time)) + time
    return "#" * len(match[0])


SPARK = re.compile(r"^(?P<stem>.*?part(?:-[mr])?-)(?P<n>\d{5})-(?P<run>.+?)(?:[-_.]c(?P<file>\d{3}))?$")
TASK = re.compile(r"^(tid-\d+)-.*$|^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:_\d{5}|-\d+-\d+)*$", re.IGNORECASE)


def _by_spark(base: str) -> Part | None:
    """A run has one id in all names; behind it stand the task, which differs, and the number of the file (c000)."""
    match = SPARK.match(base)
    if not match:
        return None
    task = TASK.match(match["run"])
    run = (task[1] or task[2]) if task else match["run"]
    return Part(f"{match['stem']}{run}", (int(match["n"]), int(match["file"] or 0)))


TRINO = re.compile(r"^(?P<run>\d{8}_\d{6}_\d{5}_[a-z0-9]{5})_(?:bucket-)?(?P<file>.+)$")


def _by_trino(base: str) -> Part | None:
    match = TRINO.match(base)
    return Part(match["run"], (0,)) if match else None


REDSHIFT = re.compile(r"^(?P<run>.*?)(?P<slice>\d{4})_part_(?P<n>\d{2,3})$")


def _by_redshift(base: str) -> Part | None:
    match = REDSHIFT.match(base)
    return Part(match["run"], (int(match["slice"]), int(match["n"]))) if match else None


SNOWFLAKE = re.compile(r"^(?P<run>(?:.*[-_])?)(0|[1-9]\d{0,2})_(0|[1-9]\d{0,2})_(0|[1-9]\d{0,2})$")


def _by_snowflake(base: str) -> Part | None:
    match = SNOWFLAKE.match(_without_dates(base))
    return Part(base[: match.end("run")], tuple(int(match[n]) for n in (2, 3, 4))) if match else None


HIVE = re.compile(r"^(?P<n>\d{6})_(?P<attempt>\d)(_copy_\d+)?$")


def _by_hive(base: str) -> Part | None:
    match = HIVE.match(base)
    return Part("hive", (int(match["n"]),), is_counted=True) if match else None


OF = re.compile(r"^(?P<run>.*?)[-_. (\[]*(?P<n>\d+)[-_. ]?of[-_. ]?(?P<of>\d+)[)\]]?$", re.IGNORECASE)


def _of_how_many(base: str) -> Part | None:
    match = OF.match(base)
    if not match or not 1 <= int(match["of"]) <= 9999:
        return None
    return Part(
        f"{match['run']} of {match['of']}", (int(match["n"]),), of=int(match["of"]), is_counted=True, waits=True
    )


NUMBER = re.compile(r"^(?P<run>.*?)(?P<between>[-_. ]?)(?P<n>\d+)(?P<azure>_\d{4})?$")


def _by_number(base: str) -> Part | None:
    match = NUMBER.match(_without_dates(base))
    if not match or IS_VERSION.search(match["run"]):
        return None
    run = base[: match.end("run")]
    # DuckDB's threads write data_0, data_1.
    is_named = WORD_OF_PARTS.search(run) is not None or (run in ("data", "tmp_data") and match["between"] == "_")
    return Part(
        run,
        (int(match["n"]),),
        is_counted=True,
        is_certain=is_named or len(match["n"]) > 2 or match["between"] == ".",
        waits=is_named or len(match["n"]) > 4,
    )


SPLIT = re.compile(r"^(?P<run>.*?)a(?P<second>[a-z])$")


def _by_split(base: str) -> Part | None:
    match = SPLIT.match(base)
    return Part(f"{match['run']}a", (ord(match["second"]) - ord("a") + 1,), is_counted=True) if match else None
