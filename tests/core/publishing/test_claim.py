from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.publishing import claim as claim_module
from lbdart_cdk.core.publishing import s3 as s3_module
from lbdart_cdk.core.publishing.claim import PublishClaim
from lbdart_cdk.core.publishing.s3 import S3Path

if TYPE_CHECKING:
    from tests.core.conftest import FakeAws

PATH = S3Path("artifacts", "deps/layer/publish-claim.json")


def claim(aws: FakeAws, path: S3Path = PATH, layer_name: str = "deps") -> PublishClaim:
    return PublishClaim(aws.s3, path, layer_name, lease_seconds=60)


@pytest.fixture
def clock(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Time passes only where it is waited for; yields the waits."""
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        aws.seconds_later += seconds

    monkeypatch.setattr(claim_module, "sleep", sleep)
    monkeypatch.setattr(claim_module, "monotonic", lambda: aws.seconds_later)
    return waits


@pytest.mark.parametrize("path", [PATH, S3Path("plain", PATH.key)])
def test_a_claim_that_was_left_is_free_at_once(aws: FakeAws, clock: list[float], path: S3Path) -> None:
    for _ in range(3):
        with claim(aws, path):
            pass
    assert not clock


def test_a_claim_is_free_after_a_failure(aws: FakeAws, clock: list[float]) -> None:
    with pytest.raises(KeyError), claim(aws):
        raise KeyError
    with claim(aws):
        pass
    assert not clock


def test_another_layer_cannot_have_it(aws: FakeAws, clock: list[float]) -> None:
    """Not even after the first one is done, since its history stays."""
    with claim(aws):
        pass
    with pytest.raises(
        LbdartError, match=r"publish-claim.json belongs to the layer deps, so other cannot"
    ) as refused:
        claim(aws, layer_name="other").__enter__()
    assert isinstance(refused.value, ValueError)
    assert "Give each layer a folder of its own" in refused.value.remedy


def test_a_claim_of_an_older_release_names_no_layer(aws: FakeAws, clock: list[float]) -> None:
    metadata = {"nonce": "1", "lease_seconds": "0"}
    aws.s3.put_object(Bucket=PATH.bucket, Key=PATH.key, Body=b"{}", Metadata=metadata)
    with claim(aws):
        pass
    assert aws.metadata(PATH)["layer_name"] == "deps"


def test_nothing_is_ever_deleted(aws: FakeAws) -> None:
    with claim(aws):
        pass
    assert set(aws.operations) == {"HeadObject", "PutObject"}


def test_a_dead_holder_is_waited_for_no_longer_than_its_lease(aws: FakeAws, clock: list[float]) -> None:
    claim(aws).__enter__()
    with claim(aws):
        pass
    assert 55 <= sum(clock) <= 61


def test_a_renewed_lease_begins_anew(aws: FakeAws, clock: list[float]) -> None:
    holder = claim(aws)
    holder.__enter__()
    dates_of_moto = aws.seconds_later = 50
    holder.renew()
    aws.seconds_later -= dates_of_moto  # as moto dates by the real clock
    with claim(aws):
        pass
    assert sum(clock) >= 55


def test_others_wait_while_somebody_holds_it_and_give_up_in_the_end(
    aws: FakeAws, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    claim(aws).__enter__()
    monkeypatch.setattr(claim_module, "_lease", lambda _: 10**9)
    with pytest.raises(LbdartError, match="for 240 seconds"):
        claim(aws).__enter__()
    assert sum(clock) == 240


def test_who_lost_the_claim_finds_out_before_it_publishes(aws: FakeAws, clock: list[float]) -> None:
    with claim(aws) as slow:
        slow.renew()
        aws.seconds_later = 61
        with claim(aws) as quick:
            with pytest.raises(LbdartError, match="Another deployment started to publish"):
                slow.renew()
            quick.renew()
    assert not clock


def test_leaving_a_lost_claim_does_not_free_it_for_a_third(aws: FakeAws, clock: list[float]) -> None:
    slow = claim(aws)
    slow.__enter__()
    aws.seconds_later = 61
    claim(aws).__enter__()
    aws.seconds_later = 0
    slow.__exit__(None, None, None)
    with claim(aws):
        pass
    assert sum(clock) >= 55


def test_of_two_that_see_it_free_one_gets_it(aws: FakeAws, clock: list[float]) -> None:
    def overtake(**_: Any) -> None:
        aws.s3.meta.events.unregister("before-call.s3.PutObject", overtake)
        claim(aws).__enter__()

    for _ in range(2):  # absent, then taken over
        clock.clear()
        aws.seconds_later += 120
        aws.on("before-call.s3.PutObject", overtake)
        with claim(aws):
            pass
        assert clock


class TestFirst:
    """Who expects no claim writes it at once; only the first of a folder succeeds."""

    def first(self, aws: FakeAws) -> PublishClaim:
        return PublishClaim(aws.s3, PATH, "deps", lease_seconds=60, expects_none=True)

    def test_it_is_written_without_a_look(self, aws: FakeAws, clock: list[float]) -> None:
        with self.first(aws) as claim:
            assert claim.is_first
        assert set(aws.operations) == {"PutObject"}
        with self.first(aws) as claim:
            assert not claim.is_first
        assert not clock

    def test_it_waits_for_who_was_faster(self, aws: FakeAws, clock: list[float]) -> None:
        claim(aws).__enter__()
        with self.first(aws) as second:
            assert not second.is_first
        assert 55 <= sum(clock) <= 61

    def test_another_layer_cannot_have_it(self, aws: FakeAws) -> None:
        with claim(aws, layer_name="other"):
            pass
        with pytest.raises(LbdartError, match=r"belongs to the layer other"):
            self.first(aws).__enter__()

    def test_it_notes_the_build_that_was_named_before(self, aws: FakeAws, clock: list[float]) -> None:
        first = self.first(aws)
        first.sending("k" * 64, after=3)
        with first:
            assert aws.metadata(PATH)["sent"] == f"{'k' * 64}:3"

    def test_what_was_noted_before_does_not_count_when_another_was_faster(
        self, aws: FakeAws, clock: list[float]
    ) -> None:
        with claim(aws) as earlier:
            earlier.sending("a" * 64, after=1)
            earlier.renew()
        late = self.first(aws)
        late.sending("k" * 64, after=0)
        with late:
            assert aws.metadata(PATH)["sent"] == f"{'a' * 64}:1"

    @pytest.mark.parametrize("passes", ["nothing", "time here", "time of S3", "a build"])
    def test_it_is_renewed_unless_it_has_just_been_written(
        self, aws: FakeAws, clock: list[float], monkeypatch: pytest.MonkeyPatch, passes: str
    ) -> None:
        with self.first(aws) as first:
            if passes == "time here":
                aws.seconds_later = 6
            elif passes == "time of S3":
                answered_at = s3_module.answered_at
                monkeypatch.setattr(
                    claim_module, "answered_at", lambda answer: answered_at(answer) + timedelta(seconds=6)
                )
                aws.s3.list_buckets()
            elif passes == "a build":
                first.sending("k" * 64, after=0)
            aws.calls.clear()
            first.assure()
            assert aws.operations == ([] if passes == "nothing" else ["PutObject"])

    def test_any_other_claim_is_renewed(self, aws: FakeAws, clock: list[float]) -> None:
        with claim(aws) as other:
            aws.calls.clear()
            other.assure()
            assert aws.operations == ["PutObject"]

    def test_the_client_is_left_as_it_was(self, aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
        noted: list[object] = []
        monkeypatch.setattr(PublishClaim, "_note_answer", lambda *_, **__: noted.append(1))
        with self.first(aws):
            pass
        with claim(aws, layer_name="deps"), pytest.raises(LbdartError):
            claim(aws, layer_name="other").__enter__()
        noted.clear()
        aws.s3.list_buckets()
        assert not noted


@pytest.mark.parametrize("condition", ["IfNoneMatch", "IfMatch"])
def test_a_claim_whose_answer_got_lost_is_recognised(
    aws: FakeAws, clock: list[float], condition: str
) -> None:
    """As botocore does it: the request takes effect, no answer comes, the same request is sent again."""
    if condition == "IfMatch":
        with claim(aws):
            pass
    sent: list[str] = []

    def twice(params: dict[str, Any], **_: Any) -> None:
        if not sent:
            sent.append(condition)
            aws.s3.put_object(**params)

    aws.on("provide-client-params.s3.PutObject", twice)
    with claim(aws) as holder:
        holder.renew()
    assert sent
    assert not clock


def test_an_object_that_is_no_claim_does_not_block(aws: FakeAws, clock: list[float]) -> None:
    aws.s3.put_object(Bucket=PATH.bucket, Key=PATH.key, Body=b"?", Metadata={"lease_seconds": "for ever"})
    with claim(aws):
        pass
    assert not clock


def test_a_claim_that_may_not_be_written_is_an_error_at_once(aws: FakeAws, clock: list[float]) -> None:
    with pytest.raises(aws.s3.exceptions.ClientError):
        claim(aws, S3Path("no-such-bucket", "key")).__enter__()
    assert not clock
