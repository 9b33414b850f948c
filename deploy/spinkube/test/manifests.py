"""Builds the overlays, with other components if need be, and reads what the repository says of the hook."""

import functools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib

import yaml

HERE = pathlib.Path(__file__).resolve().parent
SPINKUBE = HERE.parent
ROOT = SPINKUBE.parent.parent
SPIN_TOML = tomllib.loads((ROOT / "spin.toml").read_text())
# What deploy/azure/provision.sh writes into the Key Vault for the Secret, in the order of checks.SECRET_KEYS.
VAULT_ENTRIES = ("okta-basic-secret", "acs-connection-string", "secrets")

# The overlays as they stand, and what their comments offer instead: each is built and checked.
VARIANTS = {
    "aks": ("aks", {}),
    "aks-gateway": ("aks-gateway", {}),
    "dev": ("dev", {}),
    "aks, Secrets Store CSI": ("aks", {"external-secrets": "secrets-store-csi"}),
    "aks, autoscaling by HPA": ("aks", {"# - ../../components/autoscaling-hpa": "- ../../components/autoscaling-hpa"}),
    "aks, autoscaling by KEDA": ("aks", {"# - ../../components/autoscaling-keda": "- ../../components/autoscaling-keda"}),
    "aks-gateway, Secrets Store CSI": ("aks-gateway", {"external-secrets": "secrets-store-csi"}),
    "aks, own certificate, no collector": (
        "aks",
        {"  - ../../components/certificate\n": "", "  - ../../components/opentelemetry\n": ""},
    ),
}


class Loader(yaml.SafeLoader):
    """A key that is there twice is an error: YAML's last one wins, and Kubernetes' readers differ."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"twice: {twice}", node.start_mark)
        return super().construct_mapping(node, deep)


def kubectl():
    """A kubectl with Kustomize 5, which has sortOptions; None where there is none."""
    command = os.environ.get("KUBECTL") or shutil.which("kubectl")
    if command is None:
        return None
    answer = subprocess.run([command, "version", "--client", "--output", "json"], capture_output=True, text=True)
    try:
        version = json.loads(answer.stdout).get("kustomizeVersion", "")
    except ValueError:
        return None
    return command if re.match(r"v([5-9]|\d\d)", version) else None


def build(folder):
    """What `kubectl kustomize` makes of a folder, as a list of documents."""
    command = kubectl()
    if command is None:
        raise RuntimeError("there is no kubectl with Kustomize 5: run deploy/spinkube/test/run, which installs one")
    answer = subprocess.run([command, "kustomize", str(folder)], capture_output=True, text=True)
    if answer.returncode != 0:
        raise RuntimeError(f"kubectl kustomize {folder}: {answer.stderr.strip()}")
    if answer.stderr.strip():
        raise RuntimeError(f"kubectl kustomize {folder} warns: {answer.stderr.strip()}")
    return [document for document in yaml.load_all(answer.stdout, Loader) if document]


def build_variant(overlay, replacements, values=None, files=None):
    """An overlay with some of its kustomization's words replaced, other values in settings.env, and other files of
    deploy/spinkube, built in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder) / "spinkube"
        shutil.copytree(SPINKUBE, copy, ignore=shutil.ignore_patterns("test"))
        kustomization = copy / "overlays" / overlay / "kustomization.yaml"
        text = kustomization.read_text()
        for old, new in replacements.items():
            if old not in text:
                raise RuntimeError(f"{overlay}/kustomization.yaml has no {old!r}")
            text = text.replace(old, new)
        kustomization.write_text(text)
        files = dict(files or {})
        if values is not None:
            files["components/settings/settings.env"] = "".join(f"{name}={value}\n" for name, value in values.items())
        for path, text in files.items():
            (copy / path).write_text(text)
        return build(copy / "overlays" / overlay)


def env_values():
    """settings.env, as a dict."""
    lines = (SPINKUBE / "components/settings/settings.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@functools.cache
def settings_keys():
    """Each key that the document `settings` may hold, as docs/settings.md has them."""
    page = (ROOT / "docs/settings.md").read_text()
    section = page.split("## The document `settings`")[1].split("\n## ")[0]
    return set(re.findall(r"^\| `([^`]+)` \|", section, re.M))


def values():
    """What the controller's Helm chart is given."""
    return yaml.load((SPINKUBE / "components/ingress-nginx/values.yaml").read_text(), Loader)


def shim():
    """What an administrator applies before any overlay."""
    return yaml.load((SPINKUBE / "shim.yaml").read_text(), Loader)


def routes():
    """The application's routes."""
    return [trigger["route"] for trigger in SPIN_TOML["trigger"]["http"]]


if __name__ == "__main__" and sys.argv[1:] == ["--has-kubectl"]:
    sys.exit(kubectl() is None)
