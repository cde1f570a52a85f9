"""Fixtures that several test files share."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Small tensors are fastest on one thread, and tests run side by side."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The project's folder."""
    return Path(__file__).resolve().parent.parent
