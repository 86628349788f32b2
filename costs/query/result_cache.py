"""Results of queries that are asked again and again, kept as long as the cost data they came from.

The key holds what a result depends on: which publications count and how often their owners were decided anew, the
teams, their tree and cost centres, the groups of accounts, which sources still deliver, whose rows are seen, and the
question. Nothing has to be thrown away when a bill is replaced: new cost data is a new key. A cache that is down costs
time and never a page.
"""

import hashlib
import logging
from collections.abc import Callable
from typing import Any, TypeVar

from django.core.cache import cache
from django.db import connection
from redis.exceptions import RedisError

from finops_site.lib.person import Person

T = TypeVar("T")
logger = logging.getLogger(__name__)

SECONDS = 24 * 3600
MOST_ROWS = 5_000
MISSING = object()
# What the scope of somebody's role means today: the names and values of its tags are the policy's, and change with it.
_meanings_of_scopes: list[Callable[[Person], object]] = []

# A few hundred publications and teams: a fraction of a millisecond.
VERSION = """
    SELECT (SELECT md5(string_agg(concat_ws(':', id, revision), ',' ORDER BY id))
            FROM costs_deliverymonth WHERE is_current),
           (SELECT md5(string_agg(concat_ws(':', id, parent_id, name, cost_center), ',' ORDER BY id))
            FROM finops_site_team),
           (SELECT md5(string_agg(concat_ws(':', id, is_enabled, expected_every_hours), ',' ORDER BY id))
            FROM costs_source),
           (SELECT md5(string_agg(concat_ws(':', account, group_id), ',' ORDER BY account))
            FROM costs_groupedaccount)
"""


def scopes_mean(meaning: Callable[[Person], object]) -> None:
    """Has results of a person with a scope kept apart by this too."""
    if meaning not in _meanings_of_scopes:
        _meanings_of_scopes.append(meaning)


def cached(user: Person, question: object, query: Callable[[], T]) -> T:
    """What `query` returns to `question` for `user`, asked anew only when the cost data has changed."""
    visible: object = "all"
    if not user.sees_whole_company:
        meanings = [meaning(user) for meaning in _meanings_of_scopes] if user.cost_scope else []
        visible = (user.visible_team_ids, sorted(user.cost_scope.items()), *meanings)
    text = repr((data_version(user), visible, question))
    key = f"result:{hashlib.sha256(text.encode()).hexdigest()}"
    try:
        result = cache.get(key, MISSING)
    except (RedisError, OSError):
        logger.warning("the cache is down: answering from the database")
        return query()
    if result is not MISSING:
        return result
    result = query()
    if not isinstance(result, list | set) or len(result) <= MOST_ROWS:
        try:
            cache.set(key, result, SECONDS)
        except (RedisError, OSError):
            logger.warning("the cache is down: a result was not kept")
    return result


def data_version(user: Person) -> tuple[Any, ...]:
    """What tells today's cost data from yesterday's; asked once in a request, which is as long as `user` lives."""
    if "_cost_data_version" not in user.__dict__:
        with connection.cursor() as cursor:
            cursor.execute(VERSION)
            user.__dict__["_cost_data_version"] = cursor.fetchone()
    return user.__dict__["_cost_data_version"]
