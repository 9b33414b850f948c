"""The files for API Management: well-formed, and shut where README.md says they are."""

import json
import pathlib
import re
import unittest
import xml.etree.ElementTree as ElementTree

FRONT = pathlib.Path(__file__).parent.parent / "front"
# The most bytes of a body, where the gateway bounds them, and how long the caller waits.
POLICIES = {"okta-telephony": (65_536, 3_000), "okta-events": (None, 3_000), "delivery-reports": (102_400, 30_000)}


def policy(name):
    return ElementTree.parse(FRONT / f"policy-{name}.xml").getroot()


class Front(unittest.TestCase):
    def test_policies_are_well_formed_and_have_each_section_once_in_order(self):
        self.assertEqual({path.name for path in FRONT.glob("*.xml")}, {f"policy-{name}.xml" for name in POLICIES})
        for name in POLICIES:
            root = policy(name)
            self.assertEqual(root.tag, "policies")
            self.assertEqual([section.tag for section in root], ["inbound", "backend", "outbound", "on-error"])

    def test_bodies_and_time_are_bounded(self):
        for name, (size, wait) in POLICIES.items():
            root = policy(name)
            limit = root.find("./inbound/validate-content")
            forward = root.findall("./backend/forward-request")
            self.assertEqual(len(forward), 1)
            if size is None:
                # What nobody bounds here is not kept in memory here, either.
                self.assertIsNone(limit)
                self.assertEqual(forward[0].get("buffer-request-body"), "false")
            else:
                self.assertEqual((limit.get("max-size"), limit.get("size-exceeded-action")), (str(size), "prevent"))
            self.assertLess(int(forward[0].get("timeout-ms")), wait)
            self.assertEqual(forward[0].get("follow-redirects"), "false")

    def test_nothing_is_retried_cached_logged_or_redirected(self):
        for name in POLICIES:
            tags = {element.tag for element in policy(name).iter()}
            forbidden = {"retry", "cache-lookup", "cache-store", "cache-lookup-value", "cache-store-value", "trace",
                         "log-to-eventhub", "redirect-content-urls", "send-request", "send-one-way-request", "emit-metric"}
            self.assertEqual(tags & forbidden, set())
            codes = [status.get("code") for status in policy(name).iter("set-status")]
            self.assertFalse([code for code in codes if code.startswith("3")])

    def test_plain_http_is_refused_before_anything_else(self):
        for name in POLICIES:
            inbound = [element for element in policy(name).find("inbound") if element.tag != "base"]
            when = inbound[0].find("when")
            self.assertIn('Scheme != "https"', when.get("condition"))
            self.assertEqual(when.find("./return-response/set-status").get("code"), "403")

    def test_the_callers_address_is_written_over_and_secrets_pass(self):
        for name in POLICIES:
            headers = {element.get("name").lower(): element for element in policy(name).iter("set-header")}
            self.assertEqual(headers["x-forwarded-for"].get("exists-action"), "override")
            self.assertEqual(set(headers), {"x-forwarded-for", "ocp-apim-subscription-key"})

    def test_errors_of_the_gateway_make_event_grid_and_oktas_events_come_again(self):
        for name in ("delivery-reports", "okta-events"):
            self.assertEqual(policy(name).find("./on-error/return-response/set-status").get("code"), "503")

    def test_the_api_has_the_public_paths(self):
        paths = json.loads((FRONT / "openapi.json").read_text())["paths"]
        methods = {path: set(operations) for path, operations in paths.items()}
        self.assertEqual(
            methods,
            {
                "/api/okta-telephony": {"post"},
                "/api/okta-events": {"get", "post"},
                "/api/delivery-reports": {"post", "options"},
                "/api/delivery-reports/infobip": {"post"},
                "/api/delivery-reports/telesign": {"post"},
                "/api/delivery-reports/twilio": {"post"},
            },
        )

    def test_each_operation_is_given_a_policy(self):
        paths = json.loads((FRONT / "openapi.json").read_text())["paths"]
        operations = {operation["operationId"] for methods in paths.values() for operation in methods.values()}
        given = dict(re.findall(r"^policy (\S+) (\S+)$", (FRONT / "README.md").read_text(), re.M))
        self.assertEqual(set(given), operations)
        self.assertEqual(set(given.values()), set(POLICIES))

    def test_diagnostics_keep_no_header_body_or_query(self):
        properties = json.loads((FRONT / "diagnostics.json").read_text())["properties"]
        for side in ("frontend", "backend"):
            for message in ("request", "response"):
                self.assertEqual(properties[side][message]["headers"], [])
                self.assertEqual(properties[side][message]["body"], {"bytes": 0})
            hidden = [{"value": "*", "mode": "Hide"}]
            self.assertEqual(properties[side]["request"]["dataMasking"], {"queryParams": hidden, "headers": hidden})


if __name__ == "__main__":
    unittest.main()
