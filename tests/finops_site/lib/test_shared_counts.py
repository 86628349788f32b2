"""Counts of the processes of a web server lie in one folder, which is theirs."""

import os
from pathlib import Path

import pytest

from finops_site.lib import shared_counts


@pytest.fixture
def environment(monkeypatch, tmp_path):
    monkeypatch.setattr(shared_counts.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(shared_counts.atexit, "register", lambda *args: None)
    monkeypatch.setenv(shared_counts.FOLDER, "")
    return monkeypatch


def test_a_folder_that_the_environment_names_is_kept(environment, tmp_path):
    environment.setenv(shared_counts.FOLDER, str(tmp_path))
    shared_counts.share_counts()
    assert os.environ[shared_counts.FOLDER] == str(tmp_path)


@pytest.mark.parametrize("named", ["", "/proc/1", "/there/is/none"])
def test_one_is_made_where_none_is_named_or_nobody_may_write_into_it(environment, tmp_path, named):
    environment.setenv(shared_counts.FOLDER, named)
    environment.setattr(
        os, "access", lambda path, mode: path != "" and Path(path).is_dir() and not str(path).startswith("/proc")
    )
    shared_counts.share_counts()
    assert Path(os.environ[shared_counts.FOLDER]).parent == tmp_path
