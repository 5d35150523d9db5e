"""A short run of ``python -m integ.soak``."""

from __future__ import annotations

import pytest

from integ.local_aws import LocalAws
from integ.soak import soak

pytestmark = pytest.mark.e2e


def test_many_deployments_with_faults_lose_nothing(aws: LocalAws) -> None:
    report = soak(aws, 20, seed=7)
    assert report.deployments >= 20
    assert report.faults
    assert report.is_sound, report
