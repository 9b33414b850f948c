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
# The oldest and the newest Kubernetes that AKS supports, whose schemas there are: docs/upgrade.md.
KUBERNETES = ["1.35.0", "1.37.0"]
# What deploy/azure/provision.sh writes into the Key Vault for the Secret, in the order of checks.SECRET_KEYS.
VAULT_ENTRIES = ("okta-basic-secret", "acs-connection-string", "secrets")

# Values that no owner's overlay holds, in the place of those of overlays/example.
FIXTURES = HERE / "fixtures"

# The overlays of the repository, and what the comments of overlays/example offer instead: each is built and checked. An
# owner's own, which Git ignores, is none of them.
VARIANTS = {
    "example": ("example", {}),
    "dev": ("dev", {}),
    "example, Secrets Store CSI": ("example", {"components/external-secrets": "components/secrets-store-csi"}),
    "example, OpenTelemetry": ("example", {"# - ../../components/opentelemetry": "- ../../components/opentelemetry"}),
    "example, canary": ("example", {"# - ../../components/canary": "- ../../components/canary"}),
    "example, own certificate": ("example", {"  - ../../components/certificate\n": ""}),
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
    """An overlay with some of its kustomization's words replaced, and other files of deploy/spinkube, built in a folder of
    its own. overlays/example has the fixtures' values, or those of settings.env that are given."""
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder) / "spinkube"
        for part in ("base", "components", "values", f"overlays/{overlay}"):
            shutil.copytree(SPINKUBE / part, copy / part)
        kustomization = copy / "overlays" / overlay / "kustomization.yaml"
        text = kustomization.read_text()
        for old, new in replacements.items():
            if old not in text:
                raise RuntimeError(f"{overlay}/kustomization.yaml has no {old!r}")
            text = text.replace(old, new)
        kustomization.write_text(text)
        if overlay == "example":
            shutil.copytree(FIXTURES, copy / "overlays/example", dirs_exist_ok=True)
        files = dict(files or {})
        if values is not None:
            files["overlays/example/settings.env"] = "".join(f"{name}={value}\n" for name, value in values.items())
        for path, text in files.items():
            (copy / path).write_text(text)
        return build(copy / "overlays" / overlay)


def env_values(path):
    """A settings.env, as a dict."""
    lines = path.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@functools.cache
def settings_keys():
    """Each key that the document `settings` may hold, as docs/settings.md has them."""
    page = (ROOT / "docs/settings.md").read_text()
    section = page.split("## The document `settings`")[1].split("\n## ")[0]
    return set(re.findall(r"^\| `([^`]+)` \|", section, re.M))


def shim():
    """What an administrator applies before any overlay."""
    return yaml.load((SPINKUBE / "shim.yaml").read_text(), Loader)


def routes():
    """The application's routes."""
    return [trigger["route"] for trigger in SPIN_TOML["trigger"]["http"]]


if __name__ == "__main__" and sys.argv[1:] == ["--has-kubectl"]:
    sys.exit(kubectl() is None)
