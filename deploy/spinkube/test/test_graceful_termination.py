"""graceful-termination.yaml: what is added to the Deployment that SpinKube's operator makes of the SpinApp."""

import copy
import unittest

import kubernetes_validate
import yaml

import checks
import manifests

# sleep is on by default since 1.30.
KUBERNETES = ["1.33.1", "1.36.0"]
# Istio's PILOT_DEBOUNCE_MAX, for which it may keep news of pods back, and okta.deadline_ms, both in seconds.
NEWS = 10
HOOK = 2.5
# Kubernetes' own terminationGracePeriodSeconds.
GRACE = 30
# What the operator applies with force, by constructDeployment of internal/controller/spinapp_controller.go in 0.6.1: a
# field that is here would be taken back at each change of the SpinApp. Container fields have the container's name left out.
OPERATORS = {
    "metadata.annotations",
    "metadata.labels",
    "metadata.ownerReferences",
    "spec.replicas",
    "spec.selector",
    "spec.template.metadata",
    *(
        f"spec.template.spec.{field}"
        for field in ("runtimeClassName", "serviceAccountName", "imagePullSecrets", "volumes")
    ),
    *(
        f"spec.template.spec.containers.{field}"
        for field in ("image", "command", "ports", "env", "volumeMounts", "resources", "livenessProbe", "readinessProbe")
    ),
}


def read():
    text = (manifests.SPINKUBE / "graceful-termination.yaml").read_text()
    return yaml.load(text, manifests.Loader)


def container(document):
    (only,) = document["spec"]["template"]["spec"]["containers"]
    return only


def paths(node, at=""):
    """Each field's path."""
    for inner in node if isinstance(node, list) else ():
        yield from paths(inner, at)
    for name, inner in node.items() if isinstance(node, dict) else ():
        yield f"{at}.{name}".lstrip(".")
        yield from paths(inner, f"{at}.{name}")


def problems(document, spin_app):
    found = []
    names = spin_app["metadata"]["name"], spin_app["metadata"]["namespace"]
    if (document["metadata"]["name"], document["metadata"]["namespace"]) != names:
        found.append("is not the Deployment that the operator makes")
    if container(document)["name"] != names[0]:
        found.append("would add a second container")
    found += [f"{path}: is the operator's" for path in sorted(OPERATORS & set(paths(document)))]
    seconds = container(document).get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    grace = document["spec"]["template"]["spec"].get("terminationGracePeriodSeconds", GRACE)
    if seconds < NEWS + HOOK:
        found.append(f"{seconds} s: hooks may still be under way")
    if seconds >= grace:
        found.append(f"{seconds} s: Kubernetes takes only less than {grace}")
    return found


def with_the_operators_fields(document):
    """As a whole Deployment, which the schema wants."""
    document = copy.deepcopy(document)
    labels = dict(checks.APP_LABELS)
    document["spec"]["selector"] = {"matchLabels": labels}
    document["spec"]["template"]["metadata"] = {"labels": labels}
    container(document)["image"] = "registry.example.com/okta-telephony-acs:0.1.0"
    return document


class GracefulTermination(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        (cls.spin_app,) = checks.of(manifests.build(manifests.SPINKUBE / "base"), "SpinApp")

    def test_a_pod_serves_until_its_last_hook_is_answered(self):
        self.assertEqual(problems(read(), self.spin_app), [])

    def test_kubernetes_takes_it(self):
        for version in KUBERNETES:
            kubernetes_validate.validate(with_the_operators_fields(read()), version, strict=True)
        misspelt = with_the_operators_fields(read())
        container(misspelt)["lifecycle"]["preStop"] = {"sleep": {"second": 15}}
        with self.assertRaises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(misspelt, KUBERNETES[0], strict=True)

    def test_what_would_do_nothing_or_harm_is_refused(self):
        def sleep(seconds):
            return lambda document: container(document)["lifecycle"]["preStop"]["sleep"].update(seconds=seconds)

        for spoil, problem in [
            (lambda document: document["metadata"].update(name="other"), "is not the Deployment"),
            (lambda document: container(document).update(name="other"), "a second container"),
            (lambda document: container(document).update(image="other"), "containers.image: is the operator's"),
            (lambda document: document["spec"].update(replicas=1), "spec.replicas: is the operator's"),
            (lambda document: container(document).pop("lifecycle"), "0 s: hooks"),
            (sleep(5), "5 s: hooks"),
            (sleep(30), "only less than 30"),
        ]:
            document = read()
            spoil(document)
            found = problems(document, self.spin_app)
            self.assertEqual([True], [problem in it for it in found], found)
