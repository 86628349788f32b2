"""Settings for mypy's Django plugin: the real ones, with a database and a broker that it never asks."""

import os

os.environ.setdefault("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none")
os.environ.setdefault("REDIS_URL", "redis://127.0.0.1:1")

from tests.settings import *  # noqa: F403
