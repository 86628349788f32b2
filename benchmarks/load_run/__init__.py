"""Fifty people on realistic journeys over ten million lines for ten minutes, on the site as run.py starts it.

``python3 -m benchmarks.load_run`` makes the data where they are not there yet (a quarter of an hour), starts the site,
lets the people in and prints what each page took; it exits with 1 where a limit is broken.
"""
