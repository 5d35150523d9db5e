from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import response
from runtime.response import MAX_BODY, Answer, Reply, UnansweredError, body_of

if TYPE_CHECKING:
    from tests.runtime.conftest import CloudFormation

EVENT = {"StackId": "arn:stack", "RequestId": "1", "LogicalResourceId": "Layer"}
FAILED = Answer("FAILED", "deps", reason="It broke.")

texts = st.text(alphabet=st.characters(), max_size=3) | st.text(alphabet=st.characters(exclude_categories=()))


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response, "sleep", lambda _: None)


def reply(cloudformation: CloudFormation) -> Reply:
    return Reply({**EVENT, "ResponseURL": cloudformation.url})


@given(
    reason=st.builds(lambda text, times: text * times, texts, st.integers(1, 5000)),
    physical_id=st.text(max_size=250),
    data=st.dictionaries(st.sampled_from(["LayerVersionArn", "ManifestUri"]), st.text(max_size=300)),
)
def test_whatever_the_reason_the_body_is_json_within_4096_bytes(
    reason: str, physical_id: str, data: dict[str, str]
) -> None:
    body = body_of(Answer("FAILED", physical_id, data, reason), EVENT)
    assert len(body) <= MAX_BODY
    document = json.loads(body.decode("utf-8"))
    told = document["Reason"]
    encodable = reason.encode("utf-8", "replace").decode()
    if told != encodable:
        assert told.endswith("...")
        assert encodable.startswith(told.removesuffix("..."))
        # No more was cut than had to be: one more character is at most 6 bytes of JSON.
        assert len(body) > MAX_BODY - 6 - len("...")


@given(length=st.integers(3700, 4100))
def test_a_reason_that_just_fits_is_not_cut(length: int) -> None:
    body = body_of(Answer("FAILED", "deps", reason="x" * length), EVENT)
    uncut = len(body_of(Answer("FAILED", "deps"), EVENT)) + length <= MAX_BODY
    assert (json.loads(body)["Reason"] == "x" * length) is uncut


def test_attributes_that_do_not_fit_are_a_failure_and_not_a_success_without_them() -> None:
    body = body_of(Answer("SUCCESS", "deps", {"Uri": "x" * 5000}), EVENT)
    document = json.loads(body)
    assert document["Status"] == "FAILED"
    assert document["Data"] == {}
    assert "4096" in document["Reason"]


def test_the_answer_names_its_event(cloudformation: CloudFormation) -> None:
    assert reply(cloudformation).send(Answer("SUCCESS", "deps", {"LayerVersion": "1"}))
    assert cloudformation.answers == [
        {
            "Status": "SUCCESS",
            "Reason": "",
            "PhysicalResourceId": "deps",
            **EVENT,
            "Data": {"LayerVersion": "1"},
        }
    ]


def test_the_request_is_what_was_signed(cloudformation: CloudFormation) -> None:
    reply(cloudformation).send(FAILED)
    ((path, headers),) = cloudformation.requests
    assert path == "/answer?X-Amz-Signature=secret"
    assert headers["content-type"] == ""


@pytest.mark.parametrize("refusals", [[503], [500, 503, 400]])
def test_a_refused_answer_is_put_again(cloudformation: CloudFormation, refusals: list[int]) -> None:
    cloudformation.refusals = refusals
    reply(cloudformation).send(FAILED)
    assert len(cloudformation.answers) == 1


def test_an_answer_that_stays_refused_is_an_error_without_the_url(cloudformation: CloudFormation) -> None:
    cloudformation.refusals = [403] * 9
    with pytest.raises(UnansweredError, match="HTTP 403") as caught:
        reply(cloudformation).send(FAILED)
    assert "Signature" not in str(caught.value)
    assert len(cloudformation.requests) == 4


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/secret", "http://[/secret", "https://a b/secret"])
def test_an_unreachable_url_is_an_error_without_the_url(url: str) -> None:
    with pytest.raises(UnansweredError) as caught:
        Reply({"ResponseURL": url}).send(FAILED)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", [None, 1, "", "file:///tmp/secret", "ftp://host/secret", "127.0.0.1/secret"])
def test_only_http_is_answered(url: object) -> None:
    with pytest.raises(UnansweredError, match="no http or https ResponseURL") as caught:
        Reply({"ResponseURL": url})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("event", [None, [], "text", {}])
def test_an_event_of_another_shape_is_named_as_such(event: Any) -> None:
    with pytest.raises(UnansweredError):
        Reply(event)


def test_an_event_is_answered_once_whichever_thread_comes_first(cloudformation: CloudFormation) -> None:
    answer = reply(cloudformation)
    sent: list[bool] = []
    threads = [threading.Thread(target=lambda: sent.append(answer.send(FAILED))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(sent) == [False] * 7 + [True]
    assert len(cloudformation.answers) == 1
