"""What comes from elsewhere: named by hash, under a licence that is on the list; and nothing secret is in our files."""

import importlib.util
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# What may be shipped: permissive licences, and those whose library may be used as it is (LGPL, MPL).
ALLOWED = {
    *("0BSD", "3-Clause BSD License", "BSD 3-Clause", "BSD License", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "Zlib"),
    *("Apache Software License", "Apache-2.0", "ISC", "ISC License (ISCL)", "MIT", "MIT License", "MIT-0", "Unlicense"),
    *("LGPL-3.0-only", "LGPLv3", "MPL-2.0", "Mozilla Public License 2.0 (MPL 2.0)"),
    *("PSF-2.0", "Python Software Foundation License"),
}
# Packages whose own words are read by a person: qrcode's second classifier names a fragment of documentation.
READ = {"qrcode": "BSD License; Other/Proprietary License"}
SECRETS = {
    "a key of AWS": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "a private key": r"-----BEGIN (?:RSA |EC |OPENSSH |ENCRYPTED )?PRIVATE KEY-----\s*\n?[A-Za-z0-9+/=\s]{200,}",
    "a token of GitHub": r"\bgh[pousr]_[A-Za-z0-9]{36,}\b|\bgithub_pat_[A-Za-z0-9_]{50,}\b",
    "a token of Slack": r"\bxox[abprs]-[0-9A-Za-z-]{20,}\b",
    "a hook of Slack": r"hooks\.slack\.com/services/T[0-9A-Z]{8,}/B[0-9A-Z]{8,}/[0-9A-Za-z]{24}",
    "a key of Google": r"\bAIza[0-9A-Za-z_-]{35}\b",
    "a key of Stripe or OpenAI": r"\b(?:sk|rk)[-_](?:live|proj|ant)[-_][0-9A-Za-z_-]{20,}\b",
    "a key of Azure storage": r"AccountKey=[A-Za-z0-9+/]{86}==",
    "a signed web token": r"\beyJ[A-Za-z0-9_-]{20,}\.eyJ[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}\b",
}
# What the providers print in their own documents as an example, and emulators have for everybody.
EXAMPLES = re.compile(r"EXAMPLE|Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq")


def script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "deploy" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_package_is_pinned_and_named_by_its_hash():
    lock = script("hash_requirements")
    left = {name: lock.unhashed(ROOT / name) for name in lock.FILES}
    assert {name: lines for name, lines in left.items() if lines} == {}, "run python3 deploy/hash_requirements.py"


def test_a_line_without_a_hash_is_seen(tmp_path):
    (tmp_path / "r.txt").write_text("# a\n-r b.txt\ndjango==5.2.19\namqp>=5 \\\nvine==5.1.0 \\\n    --hash=sha256:00\n")
    assert script("hash_requirements").unhashed(tmp_path / "r.txt") == ["django==5.2.19", "amqp>=5 \\"]


def test_the_bill_of_materials_has_every_package_with_version_hash_and_licence():
    materials = script("bill_of_materials")
    bill = materials.bill_of_materials(datetime.now(UTC))
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    by_name = {component["name"]: component for component in bill["components"]}
    assert by_name.keys() == {name for name, _, _ in materials.pins(*materials.SHIPPED)}
    django = by_name["django"]
    assert django["purl"] == f"pkg:pypi/django@{django['version']}"
    assert django["licenses"] == [{"license": {"name": "BSD-3-Clause"}}]
    assert all(len(row["value"]) == 64 for component in by_name.values() for row in component["properties"])


def test_every_licence_is_on_the_list():
    materials = script("bill_of_materials")
    odd = {}
    for name, _, _ in materials.pins(*materials.SHIPPED):
        licence = materials.licence_of(name)
        parts = re.split("; | AND | OR ", licence or "")
        is_allowed = licence is None or licence in ALLOWED or all(part in ALLOWED for part in parts if part)
        if not is_allowed and READ.get(name) != licence:
            odd[name] = licence
    assert odd == {}


def tracked_texts():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("this is no clone: there is no list of files")
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.is_file() and path.stat().st_size < 2_000_000 and "/vendor/" not in name:
            yield name, path.read_bytes().decode(errors="ignore")


def secrets_in(text):
    return [
        what
        for what, pattern in SECRETS.items()
        for match in re.finditer(pattern, text)
        if not EXAMPLES.search(match[0])
    ]


def test_nothing_in_our_files_looks_like_a_secret():
    suspects = {name: secrets_in(text) for name, text in tracked_texts()}
    assert {name: what for name, what in suspects.items() if what} == {}


def test_what_is_one_is_seen():
    # Put together here, so that this file holds none.
    key, hook = "AKIA" + "Q3EGV5LOWPTZ7NBC", "hooks.slack.com/services/T" + "0ABCDEFGH/B0ABCDEFGH/" + "a1B2" * 6
    assert secrets_in(f"x = '{key}'\ny = 'https://{hook}'") == ["a key of AWS", "a hook of Slack"]
    assert secrets_in("AKIA" + "IOSFODNN7EXAMPLE") == []
