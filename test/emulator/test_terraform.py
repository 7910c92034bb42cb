"""The real AWS provider over one of every resource that the platform uses (see terraform_cli.py, conftest.py)."""

from concurrent.futures import Future


def test_apply_change_destroy_with_empty_plans_between(terraform_life: Future[str]) -> None:
    assert "Destroy complete!" in terraform_life.result()
