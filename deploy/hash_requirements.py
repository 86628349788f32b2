"""Puts the hashes of every file of each pinned package into the requirements, after a pin was changed or added.

    python3 deploy/hash_requirements.py            # all four files
    python3 deploy/hash_requirements.py --check    # says which lines have none; asks nobody

Versions stay as they are pinned; comments at the top and `-r` lines stay. uv, which run.py installs, asks the main
index alone: a mirror beside it may have no more than the files for one machine.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
import run  # noqa: E402 (it lies beside this folder)

FILES = ["requirements.txt", "requirements-cloud.txt", "requirements-scale.txt", "requirements-dev.txt"]
PIN = re.compile(r"^[A-Za-z0-9._-]+==")


def unhashed(path: Path) -> list[str]:
    """The packages of a file that are pinned without a hash, or not pinned."""
    wanted = [line for line in path.read_text().splitlines() if line and not line.startswith(("#", "-r", " "))]
    return [line for line in wanted if not (PIN.match(line) and line.endswith("\\"))]


def add_hashes(path: Path) -> None:
    lines = path.read_text().splitlines()
    head = [line for line in lines if line.startswith(("#", "-r"))]
    pins = [line.rstrip("\\ ") for line in lines if PIN.match(line)]
    with tempfile.TemporaryDirectory() as folder:
        bare, hashed = Path(folder, "bare.txt"), Path(folder, "hashed.txt")
        bare.write_text("\n".join(pins) + "\n")
        command = [str(run.VENV / "bin" / "uv"), "pip", "compile", "-q", "--universal", "--python-version", "3.11"]
        command += ["--no-deps", "--generate-hashes"]
        subprocess.run([*command, "--no-header", "--no-annotate", str(bare), "-o", str(hashed)], check=True)
        path.write_text("\n".join(head) + "\n" + hashed.read_text())


def main(args: list[str]) -> int:
    if args == ["--check"]:
        left = {name: unhashed(ROOT / name) for name in FILES}
        for name, lines in left.items():
            print(*(f"{name}: {line}" for line in lines), sep="\n", end="\n" if lines else "")
        return 1 if any(left.values()) else 0
    for name in FILES:
        add_hashes(ROOT / name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
