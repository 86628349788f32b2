"""The bill of materials of the site, as CycloneDX 1.6 JSON: what it is made of, of which version, hash and licence.

.venv/bin/python deploy/bill_of_materials.py > sbom.json
"""

import importlib.metadata
import json
import re
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ["requirements.txt", "requirements-cloud.txt"]
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)")
NOT_NAMED = "not named"


def pins(*files: str) -> Iterator[tuple[str, str, list[str]]]:
    """(name, version, sha256 of its files) of each package that is pinned, each once."""
    seen = set()
    for file in files:
        lines = (ROOT / file).read_text().splitlines()
        for number, line in enumerate(lines):
            pin = PIN.match(line)
            if pin is None or pin[1] in seen:
                continue
            seen.add(pin[1])
            hashes = []
            for more in lines[number + 1 :]:
                if not more.startswith(" "):
                    break
                hashes.append(more.strip().removesuffix("\\").strip().removeprefix("--hash=sha256:"))
            yield pin[1], pin[2], hashes


def licence_of(name: str) -> str | None:
    """As the package states it; None where it is not installed, for it is another platform's."""
    try:
        metadata = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        return None
    classified = [text.rpartition(":: ")[2] for text in metadata.get_all("Classifier") or () if "License ::" in text]
    first_line = (metadata.get("License") or "").strip().partition("\n")[0][:80]
    return metadata.get("License-Expression") or "; ".join(classified) or first_line or NOT_NAMED


def bill_of_materials(now: datetime) -> dict[str, Any]:
    components = []
    for name, version, hashes in pins(*SHIPPED):
        purl = f"pkg:pypi/{name.lower()}@{version}"
        component: dict[str, Any] = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
        licence = licence_of(name)
        if licence:
            component["licenses"] = [{"license": {"name": licence}}]
        # CycloneDX has one hash of an algorithm for a component; a package has a file for each platform.
        component["properties"] = [{"name": "finops:file:sha256", "value": value} for value in hashes]
        components.append(component)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid4()}",
        "version": 1,
        "metadata": {
            "timestamp": now.isoformat(timespec="seconds"),
            "component": {"type": "application", "bom-ref": "finops", "name": "finops"},
        },
        "components": components,
        "dependencies": [{"ref": "finops", "dependsOn": [component["bom-ref"] for component in components]}],
    }


if __name__ == "__main__":
    json.dump(bill_of_materials(datetime.now(UTC)), sys.stdout, indent=1)
