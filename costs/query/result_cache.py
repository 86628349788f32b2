"""Answers that are asked again and again, kept as long as the books they came from.

The key holds what the answer depends on: which publications count and how
often they were owned anew, the teams and their tree, whose rows are seen, and
the question. Nothing has to be thrown away when a bill is replaced: new books are a new key. A cache that is down costs
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

KEPT_SECONDS = 24 * 3600
MOST_ROWS = 5_000
MISSING = object()

# A few hundred publications and teams: a fraction of a millisecond.
BOOKS = """
    SELECT (SELECT md5(string_agg(concat_ws(':', id, revision), ',' ORDER BY id))
            FROM costs_deliverymonth WHERE is_current),
           (SELECT md5(string_agg(concat_ws(':', id, parent_id, name), ',' ORDER BY id)) FROM finops_site_team)
"""


def remembered(user: Person, question: Any, make: Callable[[], T]) -> T:
    """What `make` answers to `question` for `user`, made anew only when the books have changed."""
    key = _key(user, question)
    try:
        known = cache.get(key, MISSING)
    except (RedisError, OSError):
        logger.warning("the cache is down: answering from the database")
        return make()
    return known if known is not MISSING else _keep(key, make())


def _keep(key: str, answer: Any) -> Any:
    if not isinstance(answer, list | set) or len(answer) <= MOST_ROWS:
        try:
            cache.set(key, answer, KEPT_SECONDS)
        except (RedisError, OSError):
            logger.warning("the cache is down: an answer was not kept")
    return answer


def _key(user: Person, question: Any) -> str:
    scope = "all" if user.sees_whole_company else user.visible_team_ids
    said = repr((books(user), scope, question))
    return f"answer:{hashlib.sha256(said.encode()).hexdigest()}"


def books(user: Person) -> tuple[Any, ...]:
    """What tells today's books from yesterday's; asked once in a request, which is as long as `user` lives."""
    if "_books" not in user.__dict__:
        with connection.cursor() as cursor:
            cursor.execute(BOOKS)
            user.__dict__["_books"] = cursor.fetchone()
    return user.__dict__["_books"]
