"""The sync code is that of the async code."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

from subusers_client import AsyncClient, Client

TOOL = Path(__file__).parents[1] / "tools" / "generate_sync.py"


def test_generated_files_are_not_stale() -> None:
    finished = subprocess.run([sys.executable, str(TOOL), "--check"], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr


def test_both_clients_have_the_same_methods_with_keywords_only() -> None:
    sync_client = Client(base_url="http://service", api_key="key")
    async_client = AsyncClient(base_url="http://service", api_key="key")
    resources = [name for name, value in vars(sync_client).items() if not name.startswith("_")]
    assert len(resources) == 17
    for resource in resources:
        methods = {
            name: method
            for name, method in inspect.getmembers(getattr(sync_client, resource), inspect.ismethod)
            if not name.startswith("_")
        }
        for name, method in methods.items():
            signature = inspect.signature(method)
            assert signature.parameters == inspect.signature(getattr(getattr(async_client, resource), name)).parameters
            assert {parameter.kind for parameter in signature.parameters.values()} <= {inspect.Parameter.KEYWORD_ONLY}
            assert method.__doc__
    sync_client.close()
