"""Settings of the whole site, read from the environment; every default is safe on a laptop."""

import base64
import hashlib
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static
from django.utils.translation import gettext_lazy

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

# run.py sets EMBEDDED and hands over the secrets it made; a server sets them itself.
EMBEDDED = env.bool("EMBEDDED", default=False)
DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env("SECRET_KEY", default="")
# Older keys: what was signed with them is still good, and nothing new is.
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
if not SECRET_KEY:
    raise ImproperlyConfigured("SECRET_KEY is not set: 50 random characters, the same in every process, kept secret")
NAMED_HOSTS = env.list("ALLOWED_HOSTS", default=[])
if not (EMBEDDED or DEBUG or NAMED_HOSTS):
    raise ImproperlyConfigured("ALLOWED_HOSTS is not set: the names, with commas, under which people open the site")
# And this machine: what asks here beside people.
ALLOWED_HOSTS = [*NAMED_HOSTS, "127.0.0.1", "localhost", "[::1]"]
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
SITE_URL = env("SITE_URL", default=f"http://127.0.0.1:{env('PORT', default='8000')}")

# Where bills as delivered, charges and mail of the embedded mode are kept.
FINOPS_VAR = Path(env("FINOPS_VAR", default=str(BASE_DIR / "var"))).resolve()

# Where all hosts keep bills, charges, exports and imports: a folder that they share, s3://bucket/folder, gs:// or az://,
# with credentials of the environment. Empty: FINOPS_VAR. Of a bucket each host has copies of at most so many gigabytes.
FINOPS_FILES = env("FINOPS_FILES", default="")
FINOPS_FILES_COPIES_GB = env.float("FINOPS_FILES_COPIES_GB", default=20.0)

# The name at the head of reports and statements; empty: what somebody entered on the page Company.
FINOPS_COMPANY = env("FINOPS_COMPANY", default="")

# Who answers questions about charges: duckdb, in the process, or the address of a Spark cluster (spark://host:7077).
FINOPS_CHARGES_ENGINE = env("FINOPS_CHARGES_ENGINE", default="duckdb")
FINOPS_SPARK_OPTIONS = env.dict("FINOPS_SPARK_OPTIONS", default={})

# The currency home and teams show costs in and the explorer offers first; costs stay in the one they were billed in.
# Empty: what somebody entered on the page Company.
FINOPS_REPORTING_CURRENCY = env("FINOPS_REPORTING_CURRENCY", default="")
# The language of background work and of mail to somebody who chose none: en, de or fr. Empty: as on the page Company.
FINOPS_LANGUAGE = env("FINOPS_LANGUAGE", default="")
# The cost that pages show unless somebody chooses another: billed_cost or effective_cost. Each page says which.
FINOPS_COST_METRIC = env("FINOPS_COST_METRIC", default="billed_cost")
if FINOPS_COST_METRIC not in ("billed_cost", "effective_cost"):
    raise ImproperlyConfigured("FINOPS_COST_METRIC is billed_cost or effective_cost")

# Folders whose bills may be watched, and addresses other than the providers' own that may be asked for bills.
FINOPS_FOLDERS = env.list("FINOPS_FOLDERS", default=[str(FINOPS_VAR / "inbox")])
FINOPS_EXPORT_FOLDERS = env.list("FINOPS_EXPORT_FOLDERS", default=[str(FINOPS_VAR / "outbox")])
# Files of bills that no longer count are given up after so many days (0: never), or moved to the archive.
FINOPS_KEEP_SUPERSEDED_DAYS = env.int("FINOPS_KEEP_SUPERSEDED_DAYS", default=90)
FINOPS_ARCHIVE_FOLDER = env("FINOPS_ARCHIVE_FOLDER", default="")
FINOPS_STORAGE_ENDPOINTS = env.list("FINOPS_STORAGE_ENDPOINTS", default=[])
# Keys (Fernet) of stored credentials and of second steps: the first encrypts, all of them open.
FINOPS_CREDENTIAL_KEYS = env.list("FINOPS_CREDENTIAL_KEYS", default=[]) or [
    base64.urlsafe_b64encode(hashlib.sha256(f"credentials {secret}".encode()).digest()).decode()
    for secret in (SECRET_KEY, *SECRET_KEY_FALLBACKS)
]

# Backups by themselves: a folder, s3://bucket/folder, or what a package of fsspec reaches; empty: none.
FINOPS_BACKUP_TARGET = env("FINOPS_BACKUP_TARGET", default="")
# One every so many hours; and for how many days, weeks and months the newest of each stays.
FINOPS_BACKUP_EVERY = env.int("FINOPS_BACKUP_EVERY", default=24)
FINOPS_BACKUP_KEEP = env("FINOPS_BACKUP_KEEP", default="7 4 12")
# Keys that backups are encrypted with: the first encrypts, all of them open. In the environment, or in a file.
FINOPS_BACKUP_KEY_FILE = env("FINOPS_BACKUP_KEY_FILE", default="")
FINOPS_BACKUP_KEY = env.list("FINOPS_BACKUP_KEY", default=[])
# The server on which a drill makes its scratch database, where the site's own user may make none.
FINOPS_DRILL_DATABASE_URL = env("FINOPS_DRILL_DATABASE_URL", default="")

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.forms",
    "rest_framework",
    "django_tables2",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    # Where its packages are not installed the site goes on without SAML, and says so.
    *(["allauth.socialaccount.providers.saml"] if find_spec("onelogin") and find_spec("xmlsec") else []),
    "axes",
    "csp",
    "django_celery_beat",
    "finops_site",
    # The pillars: every folder beside manage.py that is an app, and those from elsewhere. See pillars.py.
    *sorted({path.parent.name for path in BASE_DIR.glob("*/apps.py")} - {"finops_site"}),
    *env.list("FINOPS_EXTRA_APPS", default=[]),
]
# A pillar that lies beside manage.py may be named in FINOPS_EXTRA_APPS too.
INSTALLED_APPS = list(dict.fromkeys(INSTALLED_APPS))

MIDDLEWARE = [
    "finops_site.ops.request_log.RequestLogMiddleware",
    "finops_site.ui.unreadable_requests.UnreadableRequestMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "finops_site.ui.safe_answers.SafeAnswersMiddleware",
    "finops_site.ui.compression.CompressText",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "finops_site.sign_in.session_limits.SessionLimitsMiddleware",
    "finops_site.people.reader_language.ReaderLanguageMiddleware",
    "finops_site.ui.typed_text.TypedTextMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "finops_site.audit.middleware.AuditMiddleware",
    "finops_site.people.sessions.SeenMiddleware",
    "finops_site.sign_in.second_step.SecondStepMiddleware",
    "axes.middleware.AxesMiddleware",
    "finops_site.first_day.demo_being_made.DemoBeingMade",
    "finops_site.ui.answer_time.AnswerTimeMiddleware",
    "finops_site.ui.files_away.FilesAwayMiddleware",
    "finops_site.ui.one_export.OneExportMiddleware",
    "finops_site.exports.middleware.LargeExportMiddleware",
    "finops_site.ui.sent_twice.SentTwiceMiddleware",
    "finops_site.ui.unique_violations.UniqueViolationMiddleware",
]

ROOT_URLCONF = "finops_site.urls"
CSRF_FAILURE_VIEW = "finops_site.error_views.form_too_old"
WSGI_APPLICATION = "finops_site.wsgi.application"
FORM_RENDERER = "finops_site.ui.forms.FormRenderer"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "finops_site.ui.context_processors.site",
            ],
            # An id is no quantity: it is written without a separator of thousands, by `unlocalize`.
            "builtins": ["django.templatetags.l10n"],
        },
    }
]

# PostgreSQL only: SQLite keeps money as floating point and loses its digits.
DATABASES = {"default": env.db("DATABASE_URL")}
DATABASES["default"]["CONN_MAX_AGE"] = 60
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env("REDIS_URL")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": env("CACHE_URL", default=f"{REDIS_URL}/1"),
    }
}

AUTH_USER_MODEL = "finops_site.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "finops_site.people.backends.PasswordDoor",
    "finops_site.people.backends.RoleBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
# No rule asks for capitals or signs: length counts, and that nobody would try it first.
SHORTEST_PASSWORD = 12
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": SHORTEST_PASSWORD},
    },
    # The 20,000 that were found most often in lists of stolen ones.
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {"NAME": "finops_site.people.passwords.OfThisCompany"},
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
# Nobody has the site write to strangers, by asking for a new password under their addresses.
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_ADAPTER = "finops_site.people.account_adapter.AccountAdapter"
# A company begins its day behind one address: allauth's 30 a minute is one office. Failed ones stay at 10 a minute.
ACCOUNT_RATE_LIMITS = {"login": "300/m/ip"}
MFA_ADAPTER = "finops_site.sign_in.mfa_adapter.MfaAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
# A passkey signs in without a password; browsers know none for http, but of this computer.
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = EMBEDDED
# An invitation comes by mail, so that whoever followed it has that address.
MFA_ALLOW_UNVERIFIED_EMAIL = True
# Sign-in by an identity provider (docs/sign-in.md): one by these, several as a JSON list of objects.
FINOPS_OIDC_ISSUER = env("FINOPS_OIDC_ISSUER", default="")
FINOPS_OIDC_CLIENT_ID = env("FINOPS_OIDC_CLIENT_ID", default="")
FINOPS_OIDC_CLIENT_SECRET = env("FINOPS_OIDC_CLIENT_SECRET", default="")
FINOPS_OIDC_NAME = env("FINOPS_OIDC_NAME", default="single sign-on")
FINOPS_OIDC_SCOPES = env.list("FINOPS_OIDC_SCOPES", default=["openid", "profile", "email"])
# What the provider calls the groups, the address, whether it is verified, and the name of a person.
FINOPS_OIDC_GROUPS_CLAIM = env("FINOPS_OIDC_GROUPS_CLAIM", default="groups")
FINOPS_OIDC_EMAIL_CLAIM = env("FINOPS_OIDC_EMAIL_CLAIM", default="email")
FINOPS_OIDC_VERIFIED_CLAIM = env("FINOPS_OIDC_VERIFIED_CLAIM", default="email_verified")
FINOPS_OIDC_NAME_CLAIM = env("FINOPS_OIDC_NAME_CLAIM", default="name")
# A provider of our own lies in our network, where no address that people type may lead: it is asked all the same.
FINOPS_OIDC_INNER = env.bool("FINOPS_OIDC_INNER", default=False)
FINOPS_OIDC_PROVIDERS = env.json("FINOPS_OIDC_PROVIDERS", default=[])
# The same by SAML: its metadata (an https address, or the path of a file), or what stands in there.
FINOPS_SAML_METADATA = env("FINOPS_SAML_METADATA", default="")
FINOPS_SAML_ENTITY_ID = env("FINOPS_SAML_ENTITY_ID", default="")
FINOPS_SAML_SSO_URL = env("FINOPS_SAML_SSO_URL", default="")
FINOPS_SAML_SLO_URL = env("FINOPS_SAML_SLO_URL", default="")
FINOPS_SAML_CERTIFICATE = env("FINOPS_SAML_CERTIFICATE", default="")
FINOPS_SAML_NAME = env("FINOPS_SAML_NAME", default="single sign-on")
# Who we are to it; empty: the address of our metadata.
FINOPS_SAML_AUDIENCE = env("FINOPS_SAML_AUDIENCE", default="")
FINOPS_SAML_INNER = env.bool("FINOPS_SAML_INNER", default=False)
# An answer that no browser asked for signs nobody in, unless this says so.
FINOPS_SAML_IDP_INITIATED = env.bool("FINOPS_SAML_IDP_INITIATED", default=False)
# Empty: the NameID, and the names that the usual providers have.
FINOPS_SAML_SUBJECT_ATTRIBUTE = env("FINOPS_SAML_SUBJECT_ATTRIBUTE", default="")
FINOPS_SAML_EMAIL_ATTRIBUTE = env("FINOPS_SAML_EMAIL_ATTRIBUTE", default="")
FINOPS_SAML_VERIFIED_ATTRIBUTE = env("FINOPS_SAML_VERIFIED_ATTRIBUTE", default="")
FINOPS_SAML_NAME_ATTRIBUTE = env("FINOPS_SAML_NAME_ATTRIBUTE", default="")
FINOPS_SAML_GROUPS_ATTRIBUTE = env("FINOPS_SAML_GROUPS_ATTRIBUTE", default="")
FINOPS_SAML_PROVIDERS = env.json("FINOPS_SAML_PROVIDERS", default=[])
# Domains of addresses that providers may bring in; none: nobody.
FINOPS_SIGN_IN_DOMAINS = env.list("FINOPS_SIGN_IN_DOMAINS", default=[])
FINOPS_SIGN_IN_INVITED_ONLY = env.bool("FINOPS_SIGN_IN_INVITED_ONLY", default=False)
# A session that nobody used for so many hours, or that began so many days ago, is over; 0: never.
FINOPS_SESSION_IDLE_HOURS = env.int("FINOPS_SESSION_IDLE_HOURS", default=12)
FINOPS_SESSION_DAYS = env.int("FINOPS_SESSION_DAYS", default=14)
FINOPS_SSO_SESSION_HOURS = env.int("FINOPS_SSO_SESSION_HOURS", default=12)
# Without it a password opens for those of FINOPS_BREAK_GLASS alone, for the day that the provider is away.
FINOPS_PASSWORD_SIGN_IN = env.bool("FINOPS_PASSWORD_SIGN_IN", default=True)
FINOPS_BREAK_GLASS = env.list("FINOPS_BREAK_GLASS", default=[])
SOCIALACCOUNT_ADAPTER = "finops_site.sign_in.social_adapter.SocialAdapter"
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {"provider_class": "finops_site.sign_in.oidc.CheckedProvider"},
    "saml": {"provider_class": "finops_site.sign_in.saml.provider.CheckedSamlProvider"},
}
# The policy of contents lets no form lead to another site; a link does.
SOCIALACCOUNT_LOGIN_ON_GET = True
AXES_FAILURE_LIMIT = env.int("AXES_FAILURE_LIMIT", default=10)
AXES_COOLOFF_TIME = 1  # hour
AXES_USERNAME_CALLABLE = "finops_site.people.account_adapter.attempted_email"
AXES_CLIENT_IP_CALLABLE = "finops_site.audit.context.address_of"
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_TEMPLATE = "429.html"

# How often: the API by each token or person, the page that makes tokens by each person, links in mails by each address.
# How many proxies of ours stand in front; what these write into X-Forwarded-For is believed, and nothing else.
FINOPS_TRUSTED_PROXIES = env.int("FINOPS_TRUSTED_PROXIES", default=0)
FINOPS_API_LIMIT = env("FINOPS_API_LIMIT", default="600/minute")
FINOPS_TOKEN_LIMIT = env("FINOPS_TOKEN_LIMIT", default="20/hour")
FINOPS_LINK_LIMIT = env("FINOPS_LINK_LIMIT", default="120/minute")

# English is what the code says; the others are translated in <app>/locale, and chosen by people/reader_language.py.
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch"), ("fr", "Français")]
USE_I18N = True
if FINOPS_LANGUAGE and FINOPS_LANGUAGE not in dict(LANGUAGES):
    raise ImproperlyConfigured(f"FINOPS_LANGUAGE is one of {', '.join(dict(LANGUAGES))}")
# The words of our own apps stand before those of the packages; an app from elsewhere brings a folder of its own.
LOCALE_PATHS = [
    BASE_DIR / name / "locale"
    for name in ["finops_site", *sorted(path.parent.name for path in BASE_DIR.glob("*/apps.py"))]
]
LOCALE_PATHS = list(dict.fromkeys(LOCALE_PATHS))
TIME_ZONE = "UTC"
USE_TZ = True
USE_THOUSAND_SEPARATOR = True

STATIC_URL = "/static/"
STATIC_ROOT = Path(env("FINOPS_STATIC", default=str(FINOPS_VAR / "static")))
# run.py collects at its start what our own pages load; the rest is served from where it lies, as everything with DEBUG.
WHITENOISE_USE_FINDERS = EMBEDDED
WHITENOISE_KEEP_ONLY_HASHED_FILES = EMBEDDED
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "finops_site.ui.compression.CollectedFiles"},
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
FILE_UPLOAD_TEMP_DIR = None

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
# Scripts take the token of a form from the page.
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
MESSAGE_STORAGE = "finops_site.ui.message_cookies.MessageStorage"
# On a server pages are served over TLS unless it is said otherwise.
HTTPS = env.bool("HTTPS", default=not EMBEDDED)
# Roles that must have a second step beside the password, and for how many days they may go on without. A laptop asks
# nobody: it has no https, and its people are those of the demo.
FINOPS_MFA_REQUIRED_ROLES = env.list("FINOPS_MFA_REQUIRED_ROLES", default=["administrator", "finance"] if HTTPS else [])
FINOPS_MFA_GRACE_DAYS = env.int("FINOPS_MFA_GRACE_DAYS", default=7)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
if HTTPS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    # A load balancer asks inside the network, without TLS.
    # Programs are told so instead of led there (finops_site/ui/safe_answers.py).
    SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)$", r"^(api/v1|scim)/"]
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("SECURE_HSTS_INCLUDE_SUBDOMAINS", default=False)
    # No other host of the domain can set these, nor can anybody over http.
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"
# About the other hosts of a domain: they are others' to decide about. And about enums of the API's description that one
# name is not enough for: they get a suffix, and tests/test_schema.py looks at what comes of it.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021", "drf_spectacular.W001"]

CONTENT_SECURITY_POLICY = {
    # The admin's Alpine needs eval and the API's documentation page needs inline styles: they have policies of their
    # own (finops_site/ui/safe_answers.py, finops_site/api/views.py).
    "EXCLUDE_URL_PREFIXES": ["/admin/", "/api/docs/"],
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        # ECharts positions its tooltip by style attributes.
        "style-src-attr": ["'unsafe-inline'"],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    },
}

CELERY_BROKER_URL = env("CELERY_BROKER_URL", default=f"{REDIS_URL}/0")
CELERY_RESULT_BACKEND = CELERY_BROKER_URL
CELERY_RESULT_EXPIRES = 3600
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# For ever: a worker that gave up would stay away after the broker is back.
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TIMEZONE = "UTC"
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # A machine that does not answer at all is given up as soon as one that refuses.
    "socket_connect_timeout": 5,
    # Must outlast the longest task, or the broker hands the task out a second time.
    "visibility_timeout": 6 * 3600,
    # kombu's own sweep for unacknowledged work takes 100 s; this one takes 5 s.
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
}
# What it runs is declared by the apps (pillars.py); an administrator's edits last.
CELERY_BEAT_SCHEDULER = "finops_site.ops.beat:Scheduler"
# Each run is written down at once: another beat that goes on queues nothing twice.
CELERY_BEAT_SYNC_EVERY = 1

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "finops_site.people.token_authentication.ApiTokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "finops_site.api.base.Pages",
    "DEFAULT_SCHEMA_CLASS": "finops_site.api.schema.Schema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer", "finops_site.api.csv_rows.CsvRenderer"],
    "DEFAULT_PARSER_CLASSES": [
        "finops_site.api.json_bodies.JsonBodies",
        "rest_framework.parsers.MultiPartParser",
    ],
    "PAGE_SIZE": 50,
    "EXCEPTION_HANDLER": "finops_site.api.base.answer_error",
    "DEFAULT_THROTTLE_CLASSES": ["finops_site.api.throttles.ApiThrottle"],
}
SPECTACULAR_SETTINGS = {
    "TITLE": "FinOps API",
    "DESCRIPTION": "What the pages show, for programs. Costs are decimal strings; sums are per currency.",
    "VERSION": "1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    # Without it a file in a request is described as the address it would have in an answer.
    "COMPONENT_SPLIT_REQUEST": True,
    # Each app declares those of its own enums: see pillars.py.
    "ENUM_NAME_OVERRIDES": {},
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
}

# What a drop-down of a filter says where it asks nothing.
FILTERS_EMPTY_CHOICE_LABEL = gettext_lazy("Any")
DJANGO_TABLES2_TEMPLATE = "includes/table.html"
DJANGO_TABLES2_TABLE_ATTRS = {"class": "table table-vcenter card-table"}
UNFOLD = {
    "SITE_TITLE": "FinOps",
    "SITE_HEADER": "FinOps",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("finops/favicon.svg")},
    ],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
}

# On a laptop mail lands in a folder; with EMAIL_URL it goes to a real server.
EMAIL_FILE_PATH = str(FINOPS_VAR / "mail")
if env("EMAIL_URL", default=""):
    vars().update(env.email("EMAIL_URL"))
else:
    EMAIL_BACKEND = "finops_site.mail.mailbox.FolderBackend"
EMAIL_TIMEOUT = env.int("EMAIL_TIMEOUT", default=20)
DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL", default="FinOps <finops@localhost>")

# A page that takes longer is given up, so that others get theirs (0: never).
FINOPS_ANSWER_SECONDS = env.int("FINOPS_ANSWER_SECONDS", default=30)
# A file with more rows is made by a job instead (0: never), so many of them at once in the whole site; one that takes
# longer is given up. Files that were made are kept for so many days.
FINOPS_EXPORT_ROWS = env.int("FINOPS_EXPORT_ROWS", default=10_000)
FINOPS_EXPORTS_AT_ONCE = env.int("FINOPS_EXPORTS_AT_ONCE", default=1)
FINOPS_EXPORT_MINUTES = env.int("FINOPS_EXPORT_MINUTES", default=60)
FINOPS_KEEP_EXPORTS_DAYS = env.int("FINOPS_KEEP_EXPORTS_DAYS", default=7)
# Notifications on the site, read or not, are removed after so many days (0: never).
FINOPS_KEEP_NOTIFICATIONS_DAYS = env.int("FINOPS_KEEP_NOTIFICATIONS_DAYS", default=90)
# Entries of the audit log are cleared after so many days; 0: never.
FINOPS_KEEP_AUDIT_DAYS = env.int("FINOPS_KEEP_AUDIT_DAYS", default=0)
# Where they are sent on as they come: the path of a file, or syslog://host:port (finops_site/audit/stream.py).
FINOPS_AUDIT_STREAM = env("FINOPS_AUDIT_STREAM", default="")
# Reports that were made are kept for ten years, as books are in most countries; 0: for ever.
FINOPS_KEEP_REPORTS_DAYS = env.int("FINOPS_KEEP_REPORTS_DAYS", default=3653)
# A folder of fonts for scripts that the fonts here do not have: Chinese, Japanese, Korean, Hindi.
FINOPS_FONTS = env.str("FINOPS_FONTS", default="")

# Hosts inside our own network that a webhook may be sent to; all others must be public and encrypted.
FINOPS_HTTP_ALLOWED_HOSTS = env.list("FINOPS_HTTP_ALLOWED_HOSTS", default=[])

# Bills. A file may not unfold to more than this many bytes (a zip bomb stops here).
BILL_MAX_BYTES = env.int("BILL_MAX_BYTES", default=64 * 1024**3)
BILL_MAX_UPLOAD_BYTES = env.int("BILL_MAX_UPLOAD_BYTES", default=4 * 1024**3)
DUCKDB_MEMORY_LIMIT = env("DUCKDB_MEMORY_LIMIT", default="800MB")
DUCKDB_THREADS = env.int("DUCKDB_THREADS", default=2)
# So many cost lines of a delivery in a month of use get a database table of their own.
OWN_TABLE_FROM_LINES = env.int("OWN_TABLE_FROM_LINES", default=100_000)
# A month is final by its age so many days after its end, where the provider says nothing of it.
FINOPS_FINAL_AFTER_DAYS = env.int("FINOPS_FINAL_AFTER_DAYS", default=10)
# A bill that brought nothing for so many full months has ended, and nobody waits for it.
FINOPS_ENDED_AFTER_MONTHS = env.int("FINOPS_ENDED_AFTER_MONTHS", default=2)
# How far an invoice may be from the books unless it says so itself: in smallest units of its currency (5: 0.05 USD),
# and in per cent; the larger of the two counts.
FINOPS_INVOICE_TOLERANCE = env.int("FINOPS_INVOICE_TOLERANCE", default=5)
FINOPS_INVOICE_TOLERANCE_PERCENT = Decimal(env("FINOPS_INVOICE_TOLERANCE_PERCENT", default="0"))
# A bill waits for finance when a month it replaces falls or rises by more, on the days that both cover.
FINOPS_HOLD_DOWN_PERCENT = env.int("FINOPS_HOLD_DOWN_PERCENT", default=10)
FINOPS_HOLD_UP_PERCENT = env.int("FINOPS_HOLD_UP_PERCENT", default=50)
# A load whose heartbeat is older than this was killed and is started again.
LOAD_STALLED_AFTER_SECONDS = env.int("LOAD_STALLED_AFTER_SECONDS", default=60)

# Who may read /metrics: whoever sends this as a bearer token; without one, programs of this very machine.
FINOPS_METRICS_TOKEN = env("FINOPS_METRICS_TOKEN", default="")
# Where faults and traces are sent, if the packages for it are installed.
FINOPS_SENTRY_DSN = env("FINOPS_SENTRY_DSN", default="")
FINOPS_OTLP_ENDPOINT = env("FINOPS_OTLP_ENDPOINT", default="")

# Lines for people, or for programs: json has one object each, with the ids of request and task, and a line per answer.
FINOPS_LOG_FORMAT = env("FINOPS_LOG_FORMAT", default="text")
if FINOPS_LOG_FORMAT not in ("text", "json"):
    raise ImproperlyConfigured("FINOPS_LOG_FORMAT is text or json")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"},
        "json": {"()": "finops_site.lib.log_lines.JsonLines"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": FINOPS_LOG_FORMAT}},
    "root": {"handlers": ["console"], "level": env("LOG_LEVEL", default="WARNING")},
    "loggers": {"finops.requests": {"level": "INFO"}} if FINOPS_LOG_FORMAT == "json" else {},
}
