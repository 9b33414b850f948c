"""The hook as a Python function of the usual kind, over Microsoft's SDK.

Run by gunicorn; ACS's address, its access key and the hook's secret come from the environment.
"""

import base64
import hmac
import json
import os

from azure.communication.sms import SmsClient
from azure.core.credentials import AzureKeyCredential

# from_connection_string would insist on https.
client = SmsClient(os.environ["ACS_ENDPOINT"], AzureKeyCredential(os.environ["ACS_ACCESS_KEY"]))
credentials = base64.b64encode(f"okta:{os.environ['OKTA_BASIC_SECRET']}".encode()).decode()
authorization = f"Basic {credentials}"


def app(environ, start_response):
    if not hmac.compare_digest(environ.get("HTTP_AUTHORIZATION", ""), authorization):
        start_response("401 Unauthorized", [("content-length", "0")])
        return [b""]
    hook = json.load(environ["wsgi.input"])
    profile = hook["data"]["messageProfile"]
    [sent] = client.send(
        from_="12345",
        to=profile["phoneNumber"],
        message=f"Your verification code is {profile['otpCode']}",
        enable_delivery_report=True,
        tag=hook["eventId"],
    )
    value = {
        "status": "SUCCESSFUL" if sent.successful else "FAILED",
        "provider": "ACS",
        "transactionId": sent.message_id,
        "transactionMetadata": "shortcode",
    }
    command = {"type": "com.okta.telephony.action", "value": [value]}
    answer = json.dumps({"commands": [command]}).encode()
    headers = [("content-type", "application/json"), ("content-length", str(len(answer)))]
    start_response("200 OK", headers)
    return [answer]
