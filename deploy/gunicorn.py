"""How the web is served: ``gunicorn -c deploy/gunicorn.py finops_site.wsgi``; run.py says the same in its options."""

import os

bind = os.environ.get("BIND", "0.0.0.0:8000")
workers = int(os.environ.get("WEB_WORKERS", "2"))
threads = int(os.environ.get("WEB_THREADS", "4"))
worker_class = "finops_site.ops.web_worker.WebWorker"
logger_class = "finops_site.ops.web_worker.WebLog"
# Before the fork: workers share the memory of it, and the folder in which they count requests.
preload_app = True
# The longest address that it can read: a page with many filters has one.
limit_request_line = 8190
timeout = 120
# Below the time after which a cluster kills what was asked to stop.
graceful_timeout = 25
# A heartbeat on the disk would wait for the disk.
worker_tmp_dir = "/dev/shm"
# Nobody asks it, and two hosts may share a home.
control_socket_disable = True
