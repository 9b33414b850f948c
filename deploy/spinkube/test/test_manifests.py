"""The overlays as they are, and each check with manifests that it must refuse.

    deploy/spinkube/test/run
"""

import copy
import os
import pathlib
import re
import tomllib
import unittest

import jsonschema
import kubernetes_validate
import yaml

import checks
import fields
import manifests

# SpinKube's CRDs, where somebody has put them.
CRDS = pathlib.Path(os.environ.get("SPINKUBE_CRDS", manifests.ROOT.parent / "shared/crds"))

EXAMPLE = manifests.SPINKUBE / "overlays/example"

BUILT = {}


def setUpModule():
    for name, (overlay, replacements) in manifests.VARIANTS.items():
        BUILT[name] = manifests.build_variant(overlay, replacements)


def schema_problems(document, version):
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [error.message]
    return []


def crd_schemas():
    """SpinKube's schemas, in which a field that is not listed is an error, as for `kubectl --validate=strict`."""

    def close(node):
        if isinstance(node, dict):
            if node.pop("x-kubernetes-int-or-string", False):
                node.pop("type", None)
                node["anyOf"] = [{"type": "integer"}, {"type": "string"}]
            if "properties" in node and not node.get("x-kubernetes-preserve-unknown-fields"):
                node.setdefault("additionalProperties", False)
            for inner in node.values():
                close(inner)
        elif isinstance(node, list):
            for inner in node:
                close(inner)

    found = {}
    for path in sorted(CRDS.glob("*.yaml")):
        definition = yaml.safe_load(path.read_text())
        for version in definition["spec"]["versions"]:
            schema = version["schema"]["openAPIV3Schema"]
            close(schema)
            schema["properties"]["metadata"] = {"type": "object"}
            found[f"{definition['spec']['group']}/{version['name']}", definition["spec"]["names"]["kind"]] = schema
    return found


def is_custom(document):
    return document["apiVersion"].rpartition("/")[0] not in {"", "batch", "networking.k8s.io", "policy"}


class Overlays(unittest.TestCase):
    def test_every_component_is_built_by_a_variant(self):
        text = (manifests.SPINKUBE / "overlays/example/kustomization.yaml").read_text()
        for component in (manifests.SPINKUBE / "components").iterdir():
            self.assertIn(f"../../components/{component.name}", text)
            built = any(component.name in overlay_text(*variant) for variant in manifests.VARIANTS.values())
            self.assertTrue(built, component.name)

    def test_kubernetes_kinds_are_what_kubernetes_takes(self):
        seen = 0
        for name, documents in BUILT.items():
            for document in documents:
                if is_custom(document):
                    continue
                for version in manifests.KUBERNETES:
                    self.assertEqual(schema_problems(document, version), [], f"{name}: {document['kind']}, {version}")
                    seen += 1
        self.assertGreater(seen, 50)

    def test_custom_kinds_have_only_fields_that_there_are(self):
        seen = 0
        for name, documents in BUILT.items():
            for document in filter(is_custom, documents):
                self.assertEqual(fields.problems(document), [], name)
                seen += 1
        self.assertGreater(seen, 30)

    @unittest.skipUnless(CRDS.is_dir(), f"{CRDS} is not there")
    def test_spinkubes_kinds_are_what_its_own_definitions_take(self):
        schemas, seen = crd_schemas(), 0
        for name, documents in BUILT.items():
            for document in documents:
                schema = schemas.get((document["apiVersion"], document["kind"]))
                if schema is None:
                    continue
                errors = list(jsonschema.Draft7Validator(schema).iter_errors(document))
                self.assertEqual([error.message for error in errors], [], f"{name}: {document['kind']}")
                seen += 1
        self.assertEqual(seen, 2 * len(BUILT))
        schema = schemas["runtime.spinkube.dev/v1alpha1", "Shim"]
        errors = list(jsonschema.Draft7Validator(schema).iter_errors(manifests.shim()))
        self.assertEqual([error.message for error in errors], [])

    def test_all_that_must_hold_holds(self):
        for name, documents in BUILT.items():
            for check in checks.ALWAYS + (checks.PRODUCTION if name != "dev" else []):
                with self.subTest(overlay=name, check=check.__name__):
                    self.assertEqual(check(documents), [])

    def test_the_shim_is_a_certain_one_and_makes_the_runtime_class_of_the_executor(self):
        document = manifests.shim()
        self.assertEqual(fields.problems(document) + checks.shim(document), [])
        executor = one(BUILT["example"], "SpinAppExecutor")["spec"]["deploymentConfig"]
        self.assertEqual(document["spec"]["runtimeClass"]["name"], executor["runtimeClassName"])

    def test_development_has_no_way_in(self):
        self.assertEqual(list(checks.exposed(BUILT["dev"])), [])

    def test_the_runtime_configuration_of_development_has_every_store_in_memory(self):
        text = (manifests.SPINKUBE / "overlays/dev/runtime-config.toml").read_text()
        stores = tomllib.loads(text)["key_value_store"]
        self.assertEqual(stores, {"default": {"type": "spin"}, "records": {"type": "spin"}})

    def test_every_value_arrives(self):
        values = {name: f"marker-{name.lower().replace('_', '-')}" for name in manifests.env_values(EXAMPLE / "settings.env")}
        overlays = [
            manifests.build_variant("example", {}, values),
            manifests.build_variant("example", {"components/external-secrets": "components/secrets-store-csi"}, values),
        ]
        text = yaml.safe_dump_all([document for documents in overlays for document in documents])
        for value in values.values():
            self.assertRegex(text, rf"{value}(?![\w-])")
        for documents in overlays:
            others = [document for document in documents if document["kind"] != "ConfigMap"]
            self.assertNotRegex(yaml.safe_dump_all(others), r"example\.com|00000000|10\.224\.|my-|myregistry")
            self.assertEqual({host for host, *_ in checks.exposed(documents)}, {values["HOST"]})

    def test_the_example_has_nothing_that_works_without_its_owner(self):
        example, fixture = (manifests.env_values(folder / "settings.env") for folder in (EXAMPLE, manifests.FIXTURES))
        self.assertEqual(sorted(example), sorted(fixture))
        # The two free hosts repeat what is allowed anyway.
        self.assertEqual({value for name, value in example.items() if name[:-1] != "OUTBOUND_HOST"}, {"FILL-IN"})
        text = (EXAMPLE / "settings.toml").read_text()
        document = tomllib.loads(text)
        for value in (
            document["policy"]["refusal_status"],
            *document["policy"]["allowed_countries"],
            *document["limits"].values(),
            document["message"]["org_name"],
            document["providers"][0]["kind"],
            document["providers"][0]["base_url"],
            *document["providers"][0]["senders"].values(),
        ):
            self.assertEqual(value, "FILL-IN")
        for path in checks.paths_of(document):
            self.assertTrue({path, re.sub(r"\.[^.]+$", ".*", path)} & manifests.settings_keys(), path)

    def test_one_more_variable_in_the_base_breaks_no_overlay(self):
        path = "base/spinapp.yaml"
        text = (manifests.SPINKUBE / path).read_text()
        more = {path: text.replace("  variables:\n", "  variables:\n    - name: newcomer\n      value: x\n")}
        for name, (overlay, replacements) in manifests.VARIANTS.items():
            documents = manifests.build_variant(overlay, replacements, files=more)
            newcomer = checks.variables(documents).pop(0)
            self.assertEqual(newcomer, {"name": "newcomer", "value": "x"}, name)
            self.assertEqual(documents, BUILT[name], name)

    def test_nothing_is_patched_by_its_place_among_others_with_names(self):
        for path in sorted(manifests.SPINKUBE.glob("*/**/*.yaml")):
            if "test" not in path.relative_to(manifests.SPINKUBE).parts:
                self.assertNotRegex(path.read_text(), r"(variables|rules|listeners|volumes|volumeMounts|env)[./]\d", path)

    def test_a_collector_is_for_who_asks_for_one(self):
        for name, documents in BUILT.items():
            told = "otel" in one(documents, "SpinAppExecutor")["spec"]["deploymentConfig"]
            self.assertEqual(told, name == OPENTELEMETRY, name)

    def test_an_overlay_of_an_owner_changes_no_test(self):
        ignored = (manifests.ROOT / ".gitignore").read_text().splitlines()
        self.assertIn("/deploy/spinkube/overlays/*", ignored)
        self.assertEqual(
            {line.rpartition("/")[2] for line in ignored if line.startswith("!/deploy/spinkube/overlays/")},
            {overlay for overlay, _ in manifests.VARIANTS.values()},
        )

    def test_memory_is_what_the_pages_say_and_has_room_for_all_that_spin_serves(self):
        readme = (manifests.SPINKUBE / "README.md").read_text()
        (said,) = re.findall(r"^\| memory \| ([\d,]+) MiB \| ([\d,]+) MiB \|", readme, re.M)
        requested, limit = (int(number.replace(",", "")) for number in said)
        for name, documents in BUILT.items():
            resources = spec(documents)["resources"]
            self.assertEqual(resources["requests"]["memory"], f"{requested}Mi", name)
            self.assertEqual(resources["limits"]["memory"], f"{limit}Mi", name)
        # Each row that was measured: at most, and five seconds later.
        page = (manifests.ROOT / "docs/contributing/performance.md").read_text()
        measured = {what: (int(most), int(after)) for what, most, after in re.findall(r"^\| (.+?) \| [\d,]+ \| (\d+) \| (\d+) \|$", page, re.M)}
        (idle,) = (int(most) for most in re.findall(r"before, it is \d+ to (\d+) MiB", " ".join(page.split())))
        reports = measured["20 largest deliveries of reports"][0] - idle
        self.assertGreater(limit, max(measured["1,000, 3 times"]) + reports)
        self.assertGreater(requested, max(measured["75 hooks that wait"]))
        # The same for who runs Spin on a machine, and for who plans hosts.
        service = (manifests.ROOT / "sample/okta-telephony.service").read_text()
        self.assertEqual(re.findall(r"^MemoryMax=(.+)$", service, re.M), [f"{limit}M"])
        plan = (manifests.ROOT / "docs/contributing/scale.md").read_text()
        self.assertEqual(re.findall(r"with 2 CPUs and (\S+) MiB each", plan), [f"{limit:,}"])

    def test_a_changed_document_rolls_the_pods_and_an_unchanged_one_does_not(self):
        for overlay, folder in [("example", manifests.FIXTURES), ("dev", manifests.SPINKUBE / "overlays/dev")]:
            with self.subTest(overlay=overlay):
                path, text = f"overlays/{overlay}/settings.toml", (folder / "settings.toml").read_text()
                changed = manifests.build_variant(overlay, {}, files={path: text + "\n[records]\nslots = 0\n"})
                before, after = checks.settings_document(BUILT[overlay]), checks.settings_document(changed)
                self.assertEqual(before[1], text)
                self.assertIn("slots = 0", after[1])
                self.assertNotEqual(before[0], after[0])
                again = manifests.build_variant(overlay, {}, files={path: text})
                self.assertEqual(spec(again), spec(BUILT[overlay]))

    def test_a_secret_that_kustomize_generates_rolls_the_pods_too(self):
        def build(secret):
            generator = f"secretGenerator:\n  - {{name: {checks.SECRETS}, literals: [acs_connection_string={secret}]}}\n"
            documents = manifests.build_variant("dev", {"secretGenerator:\n": generator})
            (name,) = {at["valueFrom"]["secretKeyRef"]["name"] for at in checks.variables(documents) if at["name"] in checks.SECRET_KEYS}
            self.assertIn(name, [secret["metadata"]["name"] for secret in checks.of(documents, "Secret")])
            return name

        self.assertNotEqual(build("one"), build("another"))


def overlay_text(overlay, replacements):
    """The kustomization of a variant, without its comments."""
    text = (manifests.SPINKUBE / "overlays" / overlay / "kustomization.yaml").read_text()
    for old, new in replacements.items():
        text = text.replace(old, new)
    return re.sub(r"^\s*#.*$", "", text, flags=re.M)


def one(documents, kind, name=None):
    (found,) = [at for at in checks.of(documents, kind) if name in (None, at["metadata"]["name"])]
    return found


def variable(documents, name):
    (found,) = [at for at in checks.variables(documents) if at["name"] == name]
    return found


def spec(documents):
    return checks.app(documents)["spec"]


def rule(documents, path):
    (found,) = [at for at in one(documents, "HTTPRoute")["spec"]["rules"] if path in [match["path"]["value"] for match in at["matches"]]]
    return found


def listener(documents):
    (found,) = one(documents, "Gateway")["spec"]["listeners"]
    return found


OKTA = "/api/okta-telephony"


def add_path(path, kind="Exact"):
    return lambda documents: rule(documents, OKTA)["matches"].append({"path": {"type": kind, "value": path}})


def move_to_front(kind):
    return lambda documents: documents.insert(0, documents.pop(documents.index(one(documents, kind))))


CSI = "example, Secrets Store CSI"
OPENTELEMETRY = "example, OpenTelemetry"
CANARY = "example, canary"


def canary(documents):
    return checks.pod_of(one(documents, "CronJob"))["containers"][0]


# For each check what it must refuse: the variant, what is done to it, and a word of the complaint.
def in_settings(old, new):
    """Another document, in the ConfigMap that the SpinApp names."""

    def change(documents):
        data = one(documents, "ConfigMap")["data"]
        assert old in data["settings.toml"]
        data["settings.toml"] = data["settings.toml"].replace(old, new)

    return change


BROKEN = [
    (checks.every_variable, "example", lambda d: spec(d)["variables"].append({"name": "allowed_countries", "value": "US"}), "allowed_countries"),
    (checks.every_variable, "example", lambda d: spec(d)["variables"].append({"name": "okta_user", "value": "okta"}), "twice"),
    (checks.every_variable, "example", lambda d: spec(d)["variables"].remove(variable(d, "outbound_host3")), "not there"),
    (checks.secrets_in_clear, "example", lambda d: variable(d, "secrets").update(value="in clear"), "secrets: is a secret"),
    (checks.secrets_in_clear, "example", lambda d: variable(d, "okta_basic_secret").pop("valueFrom"), "okta_basic_secret"),
    (checks.secrets_in_clear, "example", lambda d: variable(d, "secrets")["valueFrom"]["secretKeyRef"].update(key="secrets"), "secrets.toml"),
    (checks.secrets_in_clear, "example", lambda d: variable(d, "settings")["valueFrom"].update(secretKeyRef=variable(d, "settings")["valueFrom"].pop("configMapKeyRef")), "ConfigMap"),
    (checks.secrets_in_clear, "example", lambda d: variable(d, "okta_user").pop("value"), "okta_user"),
    (checks.outbound_hosts, "example", lambda d: variable(d, "outbound_host2").update(value=""), "outbound_host2"),
    (checks.outbound_hosts, "example", lambda d: variable(d, "outbound_host1").update(value="https://example.com/"), "outbound_host1"),
    (checks.settings, "example", lambda d: d.remove(one(d, "ConfigMap")), "there is no ConfigMap"),
    (checks.settings, "example", lambda d: variable(d, "settings")["valueFrom"]["configMapKeyRef"].update(name="okta-telephony-settings"), "there is no ConfigMap"),
    (checks.settings, "example", lambda d: [one(d, "ConfigMap")["metadata"].update(name="other"), variable(d, "settings")["valueFrom"]["configMapKeyRef"].update(name="other")], "no hash"),
    (checks.settings, "example", in_settings("allowed_countries", "alowed_countries"), "policy.alowed_countries"),
    (checks.settings, "dev", in_settings("providers.senders", "providers.sender"), "providers[].sender"),
    (checks.looks_like_a_secret, "example", in_settings("Contoso", "rediss://okta:pw@host:6380"), "rediss"),
    (checks.looks_like_a_secret, "dev", in_settings("+15550100123", "endpoint=https://x/;accesskey=x"), "accesskey"),
    (checks.production_settings, "example", in_settings("documented", "auto"), "okta.response_format"),
    (checks.production_settings, "example", in_settings('["US"]', "[]"), "policy.allowed_countries"),
    (checks.production_settings, "example", in_settings("600/1h", ""), "limits.total"),
    (checks.production_settings, "example", in_settings("enforce", "observe"), "policy.mode"),
    (checks.production_settings, "example", in_settings("sending = true", "sending = false"), "policy.sending"),
    (checks.production_settings, "example", in_settings('US = "67890"', ""), "senders"),
    (checks.public_paths, "example", add_path("/api/health"), "/api/health"),
    (checks.public_paths, "example", add_path("/.well-known/spin/health"), "is no route"),
    (checks.public_paths, "example", lambda d: rule(d, "/api/delivery-reports/infobip")["matches"].pop(), "exposed are"),
    (checks.public_paths, "example", lambda d: rule(d, OKTA)["matches"][0]["path"].update(type="PathPrefix"), "PathPrefix"),
    (checks.public_paths, "example", lambda d: one(d, "HTTPRoute")["spec"].pop("hostnames"), "every name"),
    (checks.public_paths, "example", lambda d: rule(d, OKTA).pop("matches"), "PathPrefix"),
    (checks.public_paths, "example", lambda d: d.append({"kind": "Ingress"}), "another way in"),
    (checks.public_paths, "example", lambda d: d.append({"kind": "Service", "metadata": {"name": "open"}}), "past the gateway"),
    (checks.public_paths, "example", lambda d: listener(d)["allowedRoutes"]["namespaces"].update({"from": "All"}), "other namespaces"),
    (checks.public_paths, "example", lambda d: listener(d).pop("hostname"), "under every name"),
    (checks.timeouts, "example", lambda d: rule(d, OKTA).pop("timeouts"), "waits None, not 3s"),
    (checks.timeouts, "example", lambda d: rule(d, "/api/delivery-reports/infobip")["timeouts"].update(request="10m"), "waits 10m, not 15s"),
    (checks.plain_http, "example", lambda d: one(d, "Certificate")["spec"].update(secretName="other"), "nobody uses"),
    (checks.plain_http, "example", lambda d: one(d, "Gateway")["spec"]["listeners"].append({"name": "http", "port": 80, "protocol": "HTTP"}), "listener http"),
    (checks.plain_http, "example", lambda d: listener(d).pop("tls"), "not HTTPS"),
    (checks.gateway_probe, "example", lambda d: one(d, "Gateway")["spec"].pop("infrastructure"), "health-probe_protocol"),
    (checks.gateway_probe, "example", lambda d: one(d, "Gateway")["spec"]["infrastructure"]["annotations"].popitem(), "should be"),
    (checks.images, "example", lambda d: spec(d).update(image="myregistry.azurecr.io/okta-telephony-acs:0.1.0"), "no digest"),
    (checks.images, "example", lambda d: spec(d).pop("image"), "no digest"),
    (checks.names_and_selectors, "example", lambda d: rule(d, OKTA)["backendRefs"][0].update(port=8080), "8080"),
    (checks.names_and_selectors, "example", lambda d: rule(d, OKTA)["backendRefs"][0].update(name="other"), "other"),
    (checks.names_and_selectors, "example", lambda d: one(d, "HTTPRoute")["metadata"].update(namespace="default"), "namespaces"),
    (checks.names_and_selectors, "example", lambda d: one(d, "HTTPRoute")["spec"]["parentRefs"][0].update(sectionName="http"), "no listener"),
    (checks.names_and_selectors, "example", lambda d: one(d, "PodDisruptionBudget")["spec"]["selector"].update(matchLabels={"app": "okta-telephony"}), "PodDisruptionBudget"),
    (checks.names_and_selectors, "example", lambda d: one(d, "NetworkPolicy", "okta-telephony")["spec"].update(podSelector={}), "other pods"),
    (checks.names_and_selectors, "example", lambda d: spec(d).update(executor="containerd-shim-spin"), "containerd-shim-spin"),
    (checks.names_and_selectors, "example", lambda d: spec(d).pop("serviceAccountName"), "serviceAccountName"),
    (checks.names_and_selectors, "example", lambda d: one(d, "SecretStore")["spec"]["provider"]["azurekv"]["serviceAccountRef"].update(name="okta-telephony"), "may read the Key Vault"),
    (checks.probes, "example", lambda d: spec(d)["checks"]["readiness"]["httpGet"].update(path="/healthz"), "/healthz"),
    (checks.probes, "example", lambda d: spec(d)["checks"]["readiness"]["httpGet"].update(path="/.well-known/spin/health"), "would not stop"),
    (checks.probes, "example", lambda d: spec(d)["checks"]["liveness"]["httpGet"].update(path="/api/health"), "restart"),
    (checks.probes, "example", lambda d: spec(d).pop("checks"), "neither"),
    (checks.size, "example", lambda d: spec(d).update(enableAutoscaling=True), "not fixed"),
    (checks.size, "example", lambda d: spec(d).pop("replicas"), "not fixed"),
    (checks.size, "example", lambda d: spec(d).update(replicas=1), "drained"),
    (checks.size, "example", lambda d: spec(d)["invocationLimits"].update(memory="2Gi"), "above"),
    (checks.size, "example", lambda d: spec(d)["resources"]["limits"].pop("memory"), "limits.memory"),
    (checks.order, "example", move_to_front("SpinApp"), "SpinApp"),
    (checks.order, "example", lambda d: d.append(d.pop(d.index(one(d, "SpinAppExecutor")))), "SpinAppExecutor"),
    (checks.network, "example", lambda d: d.remove(one(d, "NetworkPolicy", "okta-telephony")), "both directions"),
    (checks.network, "example", lambda d: one(d, "NetworkPolicy", "okta-telephony-from-gateway")["spec"]["ingress"][0].pop("from"), "more than"),
    (checks.network, "example", lambda d: one(d, "NetworkPolicy", "okta-telephony")["spec"]["egress"].append({}), "everywhere"),
    (checks.network, "example", lambda d: d.remove(one(d, "NetworkPolicy", "okta-telephony-to-redis")), "out at"),
    (checks.network, "example", lambda d: one(d, "NetworkPolicy", "okta-telephony")["spec"]["egress"][1]["to"][0]["ipBlock"].pop("except"), "own addresses"),
    (checks.network, OPENTELEMETRY, lambda d: d.remove(one(d, "NetworkPolicy", "okta-telephony-to-collector")), "out at"),
    (checks.network, "example", lambda d: one(d, "NetworkPolicy", "okta-telephony-to-redis")["spec"]["egress"][0]["to"][0]["ipBlock"].update(cidr="0.0.0.0/0"), "anywhere"),
    (checks.network, "example", lambda d: one(d, "NetworkPolicy", "okta-telephony-to-redis")["spec"]["egress"][0]["to"].append({"ipBlock": {"cidr": "20.0.0.0/8"}}), "anywhere"),
    (checks.executor, "example", lambda d: one(d, "SpinAppExecutor")["spec"]["deploymentConfig"].pop("installDefaultCACerts"), "https"),
    (checks.executor, "example", lambda d: one(d, "SpinAppExecutor")["spec"]["deploymentConfig"].pop("runtimeClassName"), "runtimeClassName"),
    (checks.secret_sources, "example", lambda d: one(d, "ExternalSecret", "okta-telephony-secrets")["spec"]["data"].pop(), "the ExternalSecret has"),
    (checks.secret_sources, "example", lambda d: d.remove(one(d, "ExternalSecret", "okta-telephony-runtime-config")), "nowhere"),
    (checks.secret_sources, "example", lambda d: d.remove(one(d, "ExternalSecret", "okta-telephony-secrets")), "nobody makes"),
    (checks.secret_sources, "example", lambda d: spec(d)["deploymentAnnotations"].update({"secret.reloader.stakater.com/reload": "okta-telephony-secrets"}), "Reloader"),
    (checks.secret_sources, CSI, lambda d: one(d, "SecretProviderClass")["spec"]["secretObjects"][0]["data"].pop(), "the SecretProviderClass has"),
    (checks.secret_sources, CSI, lambda d: one(d, "SecretProviderClass")["spec"]["parameters"].update(objects="array: []"), "fetched are"),
    (checks.secret_sources, CSI, lambda d: spec(d).pop("volumeMounts"), "nowhere"),
    (checks.secret_sources, "dev", lambda d: d.remove(one(d, "Secret")), "nowhere"),
    (checks.canary, CANARY, lambda d: one(d, "CronJob")["spec"]["jobTemplate"]["spec"].pop("backoffLimit"), "backoffLimit"),
    (checks.canary, CANARY, lambda d: checks.pod_of(one(d, "CronJob")).pop("automountServiceAccountToken"), "automountServiceAccountToken"),
    (checks.canary, CANARY, lambda d: canary(d).pop("securityContext"), "readOnlyRootFilesystem"),
    (checks.canary, CANARY, lambda d: [it.update(value="+14255550123") or it.pop("valueFrom") for it in canary(d)["env"] if it["name"] == "TO"], "TO: should"),
    (checks.canary, CANARY, lambda d: [it.update(value="other.test") for it in canary(d)["env"] if it["name"] == "HOST"], "asks other.test"),
    (checks.canary, CANARY, lambda d: d.remove(one(d, "ConfigMap", checks.pod_of(one(d, "CronJob"))["volumes"][0]["configMap"]["name"])), "its script"),
    (checks.images, CANARY, lambda d: canary(d).update(image="docker.io/curlimages/curl:latest"), "has no digest"),
    (checks.names_and_selectors, CANARY, lambda d: one(d, "NetworkPolicy", checks.CANARY)["spec"].update(podSelector={}), "selects other pods"),
]


def break_runtime_configuration(old, new):
    def change(documents):
        data = one(documents, "ExternalSecret", "okta-telephony-runtime-config")["spec"]["target"]["template"]["data"]
        assert old in data["runtime-config.toml"]
        data["runtime-config.toml"] = data["runtime-config.toml"].replace(old, new)

    return change


BROKEN += [
    (checks.runtime_configuration, "example", break_runtime_configuration("key_value_store.records", "key_value_store.record"), "the stores are"),
    (checks.runtime_configuration, "example", break_runtime_configuration('type = "spin"', 'type = "redis"\nurl = "rediss://host"'), "not in memory"),
    (checks.runtime_configuration, "example", break_runtime_configuration("{{ .url | toJson }}", '"redis://host"'), "TLS"),
]


class WhatIsBrokenIsRefused(unittest.TestCase):
    def test_each_check_refuses_what_it_is_for(self):
        for check, variant, change, word in BROKEN:
            with self.subTest(check=check.__name__, variant=variant, word=word):
                documents = copy.deepcopy(BUILT[variant])
                change(documents)
                complaints = check(documents)
                self.assertTrue(any(word in complaint for complaint in complaints), complaints)

    def test_each_check_is_tried(self):
        tried = {check for check, *_ in BROKEN}
        self.assertEqual({check.__name__ for check in checks.ALWAYS + checks.PRODUCTION if check not in tried}, set())

    def test_a_shim_without_digest_version_or_nodes(self):
        for change, word in [
            (lambda s: s["fetchStrategy"]["platforms"][0].pop("sha256"), "digest"),
            (lambda s: s["fetchStrategy"]["platforms"][0].update(location="https://example.com/latest/shim.tar.gz"), "version"),
            (lambda s: s.pop("nodeSelector"), "every node"),
            (lambda s: s.pop("containerdRuntimeOptions"), "metrics"),
        ]:
            document = manifests.shim()
            change(document["spec"])
            self.assertTrue(any(word in complaint for complaint in checks.shim(document)), word)
        document = manifests.shim()
        document["spec"]["fetchStrategy"]["anonHTTP"] = {}
        self.assertEqual(len(fields.problems(document)), 1)

    def test_a_misspelt_field_of_a_custom_kind(self):
        for variant, kind, change in [
            ("example", "SpinApp", lambda s: s.update(invocationTokens={"memory": "32Mi"})),
            ("example", "SpinApp", lambda s: s.update(securityContext={"runAsNonRoot": True})),
            ("example", "SpinApp", lambda s: s["checks"].update(startup={"httpGet": {"path": "/"}})),
            ("example", "SpinApp", lambda s: s["variables"][0].update(valueFrom={"configMapKeyref": {}})),
            ("example", "SpinApp", lambda s: s.update(replicas="3")),
            ("example", "SpinApp", lambda s: s["variables"][-1].update(value=True)),
            ("example", "SpinAppExecutor", lambda s: s["deploymentConfig"].update(installDefaultCACert=True)),
            ("example", "SecretStore", lambda s: s["provider"]["azurekv"].update(vaultURL="x")),
            ("example", "Issuer", lambda s: s["acme"].update(mail="x")),
            ("example", "Certificate", lambda s: s.update(dnsNames="hook.example.com")),
            ("example", "Gateway", lambda s: s["listeners"][0].update(TLS={})),
            ("example", "HTTPRoute", lambda s: s["rules"][0].update(retries=2)),
            (CSI, "SecretProviderClass", lambda s: s["parameters"].update(keyVaultName="x")),
        ]:
            with self.subTest(kind=kind):
                document = copy.deepcopy(one(BUILT[variant], kind))
                change(document["spec"])
                self.assertEqual(len(fields.problems(document)), 1)
        secret = copy.deepcopy(one(BUILT["example"], "ExternalSecret", "okta-telephony-secrets"))
        secret["spec"]["refreshinterval"] = "5m"
        self.assertEqual(len(fields.problems(secret)), 1)
        self.assertIn("is not in fields.py", fields.problems({"apiVersion": "x.example/v1", "kind": "Other"})[0])

    def test_a_misspelt_field_of_a_kubernetes_kind(self):
        for kind, name in [("PodDisruptionBudget", "maxUnavailible"), ("NetworkPolicy", "egres")]:
            document = copy.deepcopy(checks.of(BUILT["example"], kind)[0])
            document["spec"][name] = "x"
            for version in manifests.KUBERNETES:
                self.assertTrue(schema_problems(document, version), f"{kind}, {version}")

    @unittest.skipUnless(CRDS.is_dir(), f"{CRDS} is not there")
    def test_a_field_that_spinkube_does_not_have(self):
        schemas = crd_schemas()
        for name, value in [("invocationTokens", {}), ("securityContext", {}), ("topologySpreadConstraints", [])]:
            document = copy.deepcopy(checks.app(BUILT["example"]))
            document["spec"][name] = value
            schema = schemas[document["apiVersion"], document["kind"]]
            self.assertTrue(list(jsonschema.Draft7Validator(schema).iter_errors(document)), name)

    def test_a_key_that_is_there_twice(self):
        with self.assertRaises(yaml.constructor.ConstructorError):
            yaml.load("a: 1\na: 2\n", manifests.Loader)

    def test_an_overlay_that_does_not_build_says_so(self):
        with self.assertRaisesRegex(RuntimeError, "no-such-component"):
            manifests.build_variant("example", {"external-secrets": "no-such-component"})
        with self.assertRaisesRegex(RuntimeError, "warns"):
            manifests.build_variant("dev", {"resources:\n": "bases:\n"})


if __name__ == "__main__":
    unittest.main()
