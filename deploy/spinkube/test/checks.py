"""What must hold of a built overlay. Each check takes the documents and gives back what is wrong, as sentences."""

import ipaddress
import re
import tomllib

import yaml

import manifests

APP = "okta-telephony"
APP_LABELS = {"core.spinkube.dev/app-name": APP}
CANARY = f"{APP}-canary"
CANARY_LABELS = {"app.kubernetes.io/name": CANARY}
PUBLIC = {
    "/api/okta-telephony",
    "/api/okta-events",
    "/api/delivery-reports",
    "/api/delivery-reports/infobip",
    "/api/delivery-reports/telesign",
    "/api/delivery-reports/twilio",
}
HOST_PAGES = {"/.well-known/spin/health"}
VARIABLES = manifests.SPIN_TOML["variables"]
# Where each variable comes from that is no value of the SpinApp's own: a key of the Secret or of the ConfigMap.
SECRETS = f"{APP}-secrets"
SECRET_KEYS = {
    "okta_basic_secret": "okta_basic_secret",
    "acs_connection_string": "acs_connection_string",
    "secrets": "secrets.toml",
}
SETTINGS_KEY = "settings.toml"


def of(documents, kind):
    return [document for document in documents if document["kind"] == kind]


def app(documents):
    (spin_app,) = of(documents, "SpinApp")
    return spin_app


def variables(documents):
    return app(documents)["spec"].get("variables", [])


def every_variable(documents):
    """Exactly those of spin.toml: one that is missing is looked up for nothing at each hook."""
    names = [variable["name"] for variable in variables(documents)]
    unknown = [f"{name}: is no variable of spin.toml" for name in names if name not in VARIABLES]
    missing = [f"{name}: is a variable of spin.toml and not there" for name in VARIABLES if name not in names]
    return unknown + missing + [f"{name}: is there twice" for name in set(names) if names.count(name) > 1]


def secrets_in_clear(documents):
    """A secret's value is in a Secret, the settings are in a ConfigMap, and all else is said here."""
    found = []
    for variable in variables(documents):
        name, reference = variable["name"], variable.get("valueFrom", {})
        if VARIABLES.get(name, {}).get("secret"):
            wanted = {"secretKeyRef": {"name": SECRETS, "key": SECRET_KEYS.get(name)}}
            if "value" in variable or reference != wanted:
                found.append(f"{name}: is a secret and should come from {SECRETS}, {SECRET_KEYS.get(name)}")
        elif name == "settings":
            if "value" in variable or reference.get("configMapKeyRef", {}).get("key") != SETTINGS_KEY:
                found.append(f"{name}: should come from a ConfigMap, {SETTINGS_KEY}")
        elif "value" not in variable or reference:
            found.append(f"{name}: is no secret and should have a value")
    return found


def outbound_hosts(documents):
    """Spin lets no request out while one of these is empty or has a path."""
    return [
        f"{variable['name']}: is no scheme://host"
        for variable in variables(documents)
        if variable["name"].startswith("outbound_host")
        and not re.fullmatch(r"https://[\w*.-]+(:\d+)?", variable.get("value", ""))
    ]


def settings_document(documents):
    """The document that the SpinApp names, and its ConfigMap's name; None where there is none."""
    (variable,) = [variable for variable in variables(documents) if variable["name"] == "settings"]
    name = variable.get("valueFrom", {}).get("configMapKeyRef", {}).get("name")
    for config_map in of(documents, "ConfigMap"):
        if config_map["metadata"]["name"] == name:
            return name, config_map["data"].get(SETTINGS_KEY)
    return name, None


def paths_of(table, at=""):
    """Each value of a document, by its path as docs/settings.md writes it."""
    for name, value in table.items():
        path = f"{at}.{name}".lstrip(".")
        if isinstance(value, dict):
            yield from paths_of(value, path)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for entry in value:
                yield from paths_of(entry, f"{path}[]")
        else:
            yield path


def settings(documents):
    """The SpinApp reads a ConfigMap that is there, whose name changes with it and which has only settings that there are."""
    name, text = settings_document(documents)
    if text is None:
        return [f"there is no ConfigMap {name} with {SETTINGS_KEY}"]
    found = []
    if not re.fullmatch(rf"{APP}-settings-[a-z0-9]{{10}}", name):
        found.append(f"{name}: has no hash, so a changed document rolls no pod")
    for path in paths_of(tomllib.loads(text)):
        with_any_name = re.sub(r"\.[^.]+$", ".*", path)
        if not {path, with_any_name} & manifests.settings_keys():
            found.append(f"{path}: is no setting of docs/settings.md")
    return found


def looks_like_a_secret(documents):
    """Nothing in the tree may be one, not even in an annotation."""
    pattern = re.compile(r"accesskey=|InstrumentationKey=|rediss?://[^ \"]*:[^ \"]*@|-----BEGIN|Basic [A-Za-z0-9+/]{12}")
    text = yaml.safe_dump_all(documents)
    return [f"looks like a secret: {match}" for match in pattern.findall(text)]


def production_settings(documents):
    """What must not be left at its default, or may not be changed, in production."""
    document = tomllib.loads(settings_document(documents)[1])
    policy = document.get("policy", {})
    right = {
        "okta.response_format": document.get("okta", {}).get("response_format") == "documented",
        "policy.allowed_countries": bool(policy.get("allowed_countries")),
        "policy.mode": policy.get("mode", "enforce") == "enforce",
        "policy.sending": policy.get("sending", True) is True,
        "limits.total": bool(re.fullmatch(r"\d+/\d+[smhd]", document.get("limits", {}).get("total", ""))),
        "providers[].senders": bool(document.get("providers", [{}])[0].get("senders")),
    }
    return [f"{key}: is not for production" for key, is_right in right.items() if not is_right]


def exposed(documents):
    """Each (host, kind of match, path, service, port) that the outside reaches."""
    for route in of(documents, "HTTPRoute"):
        for rule in route["spec"]["rules"]:
            matches = [match["path"] for match in rule.get("matches", [])] or [{"type": "PathPrefix", "value": "/"}]
            for host in route["spec"].get("hostnames", [None]):
                for match in matches:
                    for backend in rule["backendRefs"]:
                        yield host, match["type"], match["value"], backend["name"], backend["port"]


def public_paths(documents):
    """Exactly these paths, each to the letter, by one gateway. Whatever else is exposed, an operator's page is."""
    found, paths = [], []
    found += [f"{kind}: is another way in" for kind in ("Ingress", "TLSRoute", "TCPRoute") if of(documents, kind)]
    for service in of(documents, "Service"):
        found.append(f"Service {service['metadata']['name']}: may be a way past the gateway")
    for gateway in of(documents, "Gateway"):
        for listener in gateway["spec"]["listeners"]:
            if listener.get("allowedRoutes", {}).get("namespaces", {}).get("from") != "Same":
                found.append(f"listener {listener['name']}: takes routes of other namespaces")
            if not listener.get("hostname"):
                found.append(f"listener {listener['name']}: answers under every name")
    for host, match, path, _, _ in exposed(documents):
        if match != "Exact":
            found.append(f"{path}: is matched by {match}, which lets more in")
        if not host:
            found.append(f"{path}: is exposed under every name")
        paths.append(path)
    if sorted(paths) != sorted(PUBLIC):
        found.append(f"exposed are {sorted(paths)}, not {sorted(PUBLIC)}")
    found += [f"{path}: is no route of spin.toml" for path in paths if path not in manifests.routes()]
    return found


def plain_http(documents):
    """Nothing is served, or redirected, without TLS."""
    found = []
    for gateway in of(documents, "Gateway"):
        for listener in gateway["spec"]["listeners"]:
            if listener["protocol"] != "HTTPS" or listener["port"] != 443 or not listener.get("tls"):
                found.append(f"listener {listener['name']}: is not HTTPS on 443")
    secrets = {
        reference["name"]
        for gateway in of(documents, "Gateway")
        for listener in gateway["spec"]["listeners"]
        for reference in listener.get("tls", {}).get("certificateRefs", [])
    }
    for certificate in of(documents, "Certificate"):
        if certificate["spec"]["secretName"] not in secrets:
            found.append(f"{certificate['spec']['secretName']}: nobody uses this certificate")
    return found


# As long as the caller waits: Okta three seconds; Event Grid thirty, where the hook answers within ten.
TIMEOUTS = {
    "/api/okta-telephony": 3,
    "/api/okta-events": 3,
    "/api/delivery-reports": 15,
    "/api/delivery-reports/infobip": 15,
    "/api/delivery-reports/telesign": 15,
    "/api/delivery-reports/twilio": 15,
}


def timeouts(documents):
    """No request holds a connection to a pod for longer than its caller waits."""
    found = []
    for route in of(documents, "HTTPRoute"):
        for rule in route["spec"]["rules"]:
            said = rule.get("timeouts", {}).get("request")
            for match in rule.get("matches", []):
                path = match["path"]["value"]
                if path in TIMEOUTS and said != f"{TIMEOUTS[path]}s":
                    found.append(f"{path}: the gateway waits {said}, not {TIMEOUTS[path]}s")
    return found


def gateway_probe(documents):
    """Azure's probe asks Istio's health, over HTTP: of the listener's own port it would make one that is never answered."""
    wanted = {
        "port_443_health-probe_port": "15021",
        "port_443_health-probe_protocol": "http",
        "port_443_health-probe_request-path": "/healthz/ready",
        "port_15021_no_lb_rule": "true",
    }
    found = []
    for gateway in of(documents, "Gateway"):
        annotations = gateway["spec"].get("infrastructure", {}).get("annotations", {})
        for name, value in wanted.items():
            if annotations.get("service.beta.kubernetes.io/" + name) != value:
                found.append(f"{name}: should be {value}")
    return found


def shim(document):
    """Of shim.yaml: what each node downloads and runs as root is the very archive that was looked at."""
    found = []
    for platform in document["spec"]["fetchStrategy"]["platforms"]:
        if not re.fullmatch(r"[0-9a-f]{64}", platform.get("sha256", "")):
            found.append(f"{platform['arch']}: has no digest")
        if not re.search(r"/v\d+\.\d+\.\d+/", platform["location"]):
            found.append(f"{platform['arch']}: has no version")
    if not document["spec"].get("nodeSelector"):
        found.append("goes to every node")
    if document["spec"].get("containerdRuntimeOptions", {}).get("SystemdCgroup") != "true":
        found.append("no metrics of pods")
    return found


def images(documents):
    """What runs is what was looked at: an image has a digest, which no tag that is moved can change."""
    used = [app(documents)["spec"].get("image", "")]
    used += [container.get("image", "") for job in of(documents, "CronJob") for container in pod_of(job)["containers"]]
    return [
        f"image {image!r}: has no digest" for image in used if not re.fullmatch(r"[\w.-]+(/[\w.-]+)+@sha256:[0-9a-f]{64}", image)
    ]


def pod_of(job):
    return job["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def canary(documents):
    """The canary sends one message a time, may do nothing else, and has no secret but those that it shows."""
    found = []
    for job in of(documents, "CronJob"):
        pod, spec = pod_of(job), job["spec"]["jobTemplate"]["spec"]
        (container,) = pod["containers"]
        security = container.get("securityContext", {})
        right = {
            "backoffLimit": spec.get("backoffLimit") == 0 and pod.get("restartPolicy") == "Never",
            "concurrencyPolicy": job["spec"].get("concurrencyPolicy") == "Forbid",
            "activeDeadlineSeconds": spec.get("activeDeadlineSeconds", 9999) < 900,
            "labels": spec["template"]["metadata"].get("labels") == CANARY_LABELS,
            "automountServiceAccountToken": pod.get("automountServiceAccountToken") is False,
            "serviceAccountName": pod.get("serviceAccountName") == CANARY,
            "runAsNonRoot": pod.get("securityContext", {}).get("runAsNonRoot") is True,
            "seccompProfile": pod.get("securityContext", {}).get("seccompProfile") == {"type": "RuntimeDefault"},
            "allowPrivilegeEscalation": security.get("allowPrivilegeEscalation") is False,
            "readOnlyRootFilesystem": security.get("readOnlyRootFilesystem") is True,
            "capabilities": security.get("capabilities") == {"drop": ["ALL"]},
            "memory": "memory" in container.get("resources", {}).get("limits", {}),
        }
        found += [f"{CANARY}: {name} is not as it should be" for name, is_right in right.items() if not is_right]
        env = {variable["name"]: variable for variable in container["env"]}
        for name in ("OKTA_BASIC_SECRET", "OPERATOR_SECRET", "TO"):
            if "secretKeyRef" not in env.get(name, {}).get("valueFrom", {}):
                found.append(f"{name}: should come from a Secret")
        hosts = {host for route in of(documents, "HTTPRoute") for host in route["spec"].get("hostnames", [])}
        if hosts and env["HOST"].get("value") not in hosts:
            found.append(f"{CANARY}: asks {env['HOST'].get('value')}, which is not the hook")
        scripts = [volume["configMap"]["name"] for volume in pod["volumes"]]
        if not set(scripts) <= {config_map["metadata"]["name"] for config_map in of(documents, "ConfigMap")}:
            found.append(f"{CANARY}: its script is not there")
    return found


def names_and_selectors(documents):
    """The operator makes Deployment and Service by the SpinApp's name, and labels the pods with it."""
    spec, found = app(documents)["spec"], []
    namespaces = {document["metadata"].get("namespace") for document in documents if document["kind"] != "Namespace"}
    if namespaces != {namespace["metadata"]["name"] for namespace in of(documents, "Namespace")}:
        found.append(f"namespaces differ: {namespaces}")
    if app(documents)["metadata"]["name"] != APP:
        found.append("the SpinApp has another name")
    for _, _, path, service, port in exposed(documents):
        if (service, port) != (APP, 80):
            found.append(f"{path}: goes to {service}:{port}, not to {APP}:80")
    for budget in of(documents, "PodDisruptionBudget"):
        if budget["spec"]["selector"] != {"matchLabels": APP_LABELS}:
            found.append("the PodDisruptionBudget selects other pods")
    for policy in of(documents, "NetworkPolicy"):
        labels = CANARY_LABELS if policy["metadata"]["name"] == CANARY else APP_LABELS
        if policy["spec"]["podSelector"] != {"matchLabels": labels}:
            found.append(f"{policy['metadata']['name']}: selects other pods")
    if spec["executor"] not in {executor["metadata"]["name"] for executor in of(documents, "SpinAppExecutor")}:
        found.append(f"executor {spec['executor']}: is not there")
    accounts = {account["metadata"]["name"] for account in of(documents, "ServiceAccount")}
    if spec.get("serviceAccountName") not in accounts:
        found.append(f"serviceAccountName {spec.get('serviceAccountName')}: is not there")
    for store in of(documents, "SecretStore"):
        account = store["spec"]["provider"]["azurekv"]["serviceAccountRef"]["name"]
        if account not in accounts:
            found.append(f"serviceAccountRef {account}: is not there")
        if account == spec.get("serviceAccountName"):
            found.append("the hook's pods run as who may read the Key Vault")
    for name in set(re.findall(r"sectionName: (\S+)", yaml.safe_dump_all(of(documents, "HTTPRoute")))):
        if name not in [at["name"] for gateway in of(documents, "Gateway") for at in gateway["spec"]["listeners"]]:
            found.append(f"sectionName {name}: is no listener")
    return found


def probes(documents):
    """Readiness asks the configuration, liveness only the host: it must not restart what a setting ails."""
    found, checks = [], app(documents)["spec"].get("checks", {})
    for probe in ("readiness", "liveness"):
        path = checks.get(probe, {}).get("httpGet", {}).get("path")
        if path not in HOST_PAGES | set(manifests.routes()):
            found.append(f"{probe}: {path} is neither a route nor the host's")
    if checks.get("readiness", {}).get("httpGet", {}).get("path") != "/api/health":
        found.append("readiness: a rollout with a wrong setting would not stop")
    if checks.get("liveness", {}).get("httpGet", {}).get("path") not in HOST_PAGES:
        found.append("liveness: a wrong setting would restart the pods")
    return found


def bytes_of(quantity):
    number, unit = re.fullmatch(r"(\d+)(Ki|Mi|Gi)", quantity).groups()
    return int(number) << {"Ki": 10, "Mi": 20, "Gi": 30}[unit]


def size(documents):
    """How many, and how large; as SpinKube's admission checks it, and a bit more."""
    spec, found = app(documents)["spec"], []
    if type(spec.get("replicas")) is not int or "enableAutoscaling" in spec:
        found.append("replicas: the number is not fixed, so nobody knows what a limit means")
    elif of(documents, "PodDisruptionBudget") and spec["replicas"] < 2:
        found.append(f"{spec['replicas']} pod: nobody serves while its node is drained")
    resources = spec.get("resources", {})
    for kind in ("requests", "limits"):
        for resource in ("cpu", "memory"):
            if resource not in resources.get(kind, {}):
                found.append(f"resources.{kind}.{resource}: is not set")
    limit = resources.get("limits", {}).get("memory")
    one = spec.get("invocationLimits", {}).get("memory")
    if one is None or limit is None or bytes_of(one) > bytes_of(limit):
        found.append("invocationLimits.memory: is not set, or above the pod's limit")
    return found


ORDER = ["Namespace", "ServiceAccount", "ConfigMap", "SecretStore", "ExternalSecret", "SecretProviderClass", "SpinAppExecutor", "SpinApp"]


def order(documents):
    """Applied in this order, each finds what it needs: admission refuses a SpinApp whose executor is not there."""
    kinds = [document["kind"] for document in documents]
    places = [kinds.index(kind) for kind in ORDER if kind in kinds]
    last = [len(kinds) - 1 - kinds[::-1].index(kind) for kind in ORDER if kind in kinds]
    pairs = zip(last, places[1:])
    return ["the order is " + ", ".join(kinds)] if any(before > after for before, after in pairs) else []


def network(documents):
    """Closed both ways but for what is named."""
    found, open_ports = [], set()
    policies = of(documents, "NetworkPolicy")
    closed = [policy for policy in policies if set(policy["spec"]["policyTypes"]) == {"Ingress", "Egress"}]
    if not closed:
        found.append("no policy closes both directions")
    for policy in policies:
        name = policy["metadata"]["name"]
        for rule in policy["spec"].get("ingress", []):
            if not rule.get("from") or not all(peer.get("podSelector") for peer in rule["from"]):
                found.append(f"{name}: lets in more than the pods of one gateway")
            if [port["port"] for port in rule.get("ports", [])] != [80]:
                found.append(f"{name}: lets in at another port than 80")
        for rule in policy["spec"].get("egress", []):
            if not rule.get("to") or not rule.get("ports"):
                found.append(f"{name}: lets out to everywhere")
            open_ports |= {port["port"] for port in rule.get("ports", [])}
            if {port["port"] for port in rule.get("ports", [])} == {443}:
                blocks = [peer["ipBlock"] for peer in rule["to"] if "ipBlock" in peer]
                if any("169.254.0.0/16" not in block.get("except", []) for block in blocks):
                    found.append(f"{name}: lets out to the node's own addresses")
            if {port["port"] for port in rule.get("ports", [])} & {6380, 10000}:
                networks = [ipaddress.ip_network(peer["ipBlock"]["cidr"]) for peer in rule["to"]]
                found += [f"{name}: lets out to a Redis anywhere, {net}" for net in networks if not net.is_private]
    otel = any("otel" in executor["spec"]["deploymentConfig"] for executor in of(documents, "SpinAppExecutor"))
    expected = {53, 443, 6380, 10000} | ({4318} if otel else set()) | ({80} if of(documents, "CronJob") else set())
    if open_ports != expected:
        found.append(f"out at {sorted(open_ports)}, not {sorted(expected)}")
    return found


def executor(documents):
    found = []
    for document in of(documents, "SpinAppExecutor"):
        config = document["spec"].get("deploymentConfig", {})
        if not config.get("installDefaultCACerts"):
            found.append("installDefaultCACerts: no outbound https works")
        if not config.get("runtimeClassName"):
            found.append("runtimeClassName: is not set")
    return found


def secret_sources(documents):
    """Every Secret that the SpinApp names is made, with every key; and the vault is asked for nothing else."""
    spec, found = app(documents)["spec"], []
    made = {secret["metadata"]["name"] for secret in of(documents, "Secret")}
    for secret in of(documents, "ExternalSecret"):
        target = secret["spec"]["target"]["name"]
        made.add(target)
        keys = {entry["secretKey"]: entry["remoteRef"]["key"] for entry in secret["spec"]["data"]}
        if target == SECRETS and keys != dict(zip(SECRET_KEYS.values(), manifests.VAULT_ENTRIES)):
            found.append(f"{target}: the ExternalSecret has {keys}")
    for provider in of(documents, "SecretProviderClass"):
        array = yaml.safe_load(provider["spec"]["parameters"]["objects"])["array"]
        fetched = {entry["objectName"] for entry in map(yaml.safe_load, array)}
        if fetched != {*manifests.VAULT_ENTRIES, "runtime-config"}:
            found.append(f"fetched are {sorted(fetched)}")
        for entry in provider["spec"]["secretObjects"]:
            made.add(entry["secretName"])
            keys = {data["key"]: data["objectName"] for data in entry["data"]}
            if keys != dict(zip(SECRET_KEYS.values(), manifests.VAULT_ENTRIES)):
                found.append(f"{entry['secretName']}: the SecretProviderClass has {keys}")
    if of(documents, "ExternalSecret") + of(documents, "SecretProviderClass") and SECRETS not in made:
        found.append(f"{SECRETS}: nobody makes this Secret")
    runtime = spec.get("runtimeConfig", {}).get("loadFromSecret")
    mounted = [mount for mount in spec.get("volumeMounts", []) if mount["mountPath"] == "/runtime-config.toml"]
    if (runtime in made) == bool(mounted):
        found.append("the runtime configuration comes from nowhere, or from two places")
    watched = spec.get("deploymentAnnotations", {}).get("secret.reloader.stakater.com/reload")
    if watched is not None and set(watched.split(",")) != {name for name in {SECRETS, runtime} if name}:
        found.append(f"Reloader watches {watched}")
    return found


def runtime_configurations(documents):
    """The texts of the runtime configurations that are in the manifests."""
    for secret in of(documents, "ExternalSecret"):
        text = secret["spec"]["target"].get("template", {}).get("data", {}).get("runtime-config.toml")
        if text is not None:
            yield text.replace("{{ .url | toJson }}", '"rediss://user:password@host:10000"')


def runtime_configuration(documents):
    """Spin starts only with every store in it; and the one on the hook's way must be in memory."""
    found = []
    (component,) = manifests.SPIN_TOML["component"].values()
    for text in runtime_configurations(documents):
        stores = tomllib.loads(text)["key_value_store"]
        if set(stores) != set(component["key_value_stores"]):
            found.append(f"the stores are {sorted(stores)}")
        if stores.get("default") != {"type": "spin"}:
            found.append("default: is not in memory")
        if stores.get("records", {}).get("type") != "redis" or not stores["records"]["url"].startswith("rediss://"):
            found.append("records: is not Redis with TLS")
    return found


ALWAYS = [
    every_variable,
    secrets_in_clear,
    outbound_hosts,
    settings,
    looks_like_a_secret,
    plain_http,
    timeouts,
    gateway_probe,
    names_and_selectors,
    probes,
    size,
    order,
    network,
    canary,
    executor,
    secret_sources,
    runtime_configuration,
]
PRODUCTION = [production_settings, public_paths, images]
