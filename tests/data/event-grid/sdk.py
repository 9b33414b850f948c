"""Writes, into the folder it is in, events as Microsoft's own SDK publishes them: see README.md."""

import datetime
import json
import pathlib

from azure.core.credentials import AzureKeyCredential
from azure.core.messaging import CloudEvent
from azure.core.pipeline.transport import HttpTransport
from azure.eventgrid import EventGridEvent, EventGridPublisherClient
from azure.eventgrid._generated.models import (
    AcsSmsDeliveryAttemptProperties,
    AcsSmsDeliveryReportReceivedEventData,
    AcsSmsReceivedEventData,
)

HERE = pathlib.Path(__file__).parent
SOURCE = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers"
    "/microsoft.communication/communicationservices/acs"
)


def at(second, microsecond=0):
    return datetime.datetime(
        2026, 1, 31, 12, 0, second, microsecond, tzinfo=datetime.timezone.utc
    )


def report(number, status, details, succeeded, failed, tag):
    return "Microsoft.Communication.SMSDeliveryReportReceived", AcsSmsDeliveryReportReceivedEventData(
        message_id=f"Outgoing_20260131120000{number:08x}-0cbf-4304-9b03-1546683bb910",
        from_property="15550100100",
        to="+15550100123",
        delivery_status=status,
        delivery_status_details=details,
        delivery_attempts=[
            AcsSmsDeliveryAttemptProperties(
                timestamp=at(1), segments_succeeded=0, segments_failed=failed
            ),
            AcsSmsDeliveryAttemptProperties(
                timestamp=at(2, 931591), segments_succeeded=succeeded, segments_failed=0
            ),
        ],
        received_timestamp=at(3, 285574),
        tag=tag,
    )


EVENTS = [
    report(0xA1, "Delivered", "2000: No Error", 2, 1, "hook"),
    report(0xA2, "Failed", "4005: Blocked by carrier", 0, 2, None),
    (
        "Microsoft.Communication.SMSReceived",
        AcsSmsReceivedEventData(
            message_id="Incoming_20260131120000d29ebbea-3341-4466-9690-0a03af35228e",
            from_property="15550100123",
            to="15550100100",
            message="Stop",
            received_timestamp=at(4, 320000),
        ),
    ),
]


def event_grid(index, kind, data):
    return EventGridEvent(
        id=f"event-{index}",
        topic=SOURCE,
        subject="/phonenumber/15550100123",
        event_type=kind,
        event_time=at(5),
        data=data,
        data_version="1.0",
    )


def cloud(index, kind, data):
    return CloudEvent(
        id=f"event-{index}",
        source=SOURCE,
        subject="/phonenumber/15550100123",
        type=kind,
        time=at(5),
        data=data,
    )


class Sent(Exception):
    """What the client would have sent."""


class Nowhere(HttpTransport):
    def open(self):
        pass

    def close(self):
        pass

    def __exit__(self, *_):
        pass

    def send(self, request, **_):
        raise Sent(request.body)


def published(events):
    client = EventGridPublisherClient(
        "https://topic.example/api/events", AzureKeyCredential("key"), transport=Nowhere()
    )
    try:
        client.send(events)
    except Sent as sent:
        body = sent.args[0]
        return body if isinstance(body, str) else body.decode()
    raise AssertionError("nothing was sent")


for schema, make in [("event-grid", event_grid), ("cloud-events", cloud)]:
    events = [make(index, kind, data) for index, (kind, data) in enumerate(EVENTS)]
    (HERE / f"sdk-{schema}-batch.json").write_text(published(events))
    # The client makes an array of a single event too, and Event Grid delivers CloudEvents without.
    (single,) = json.loads(published(events[0]))
    (HERE / f"sdk-{schema}-single.json").write_text(json.dumps(single))
