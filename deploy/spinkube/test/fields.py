"""The fields of custom resources that we use, and no others: what is not here is an error, as a misspelt field is.

Copied from the CRDs: SpinKube's operator 0.6.1 and Runtime Class Manager 0.2.0, External Secrets Operator v1, Secrets Store CSI driver v1, cert-manager
v1, Gateway API v1. A type stands for a value, a list of one for a list, a dict for an object; `MAP` has
keys of the owner's.
"""

MAP = {"*": str}
METADATA = {"name": str, "namespace": str, "labels": MAP, "annotations": MAP}

_KEY = {"name": str, "key": str, "optional": bool}
_PROBE = {
    "httpGet": {"path": str, "httpHeaders": [{"name": str, "value": str}]},
    "initialDelaySeconds": int,
    "periodSeconds": int,
    "timeoutSeconds": int,
    "successThreshold": int,
    "failureThreshold": int,
}

FIELDS = {
    ("core.spinkube.dev/v1alpha1", "SpinApp"): {
        "executor": str,
        "image": str,
        "replicas": int,
        "serviceAccountName": str,
        "deploymentAnnotations": MAP,
        "podAnnotations": MAP,
        "podLabels": MAP,
        "serviceAnnotations": MAP,
        "imagePullSecrets": [{"name": str}],
        "checks": {"readiness": _PROBE, "liveness": _PROBE},
        "resources": {"requests": MAP, "limits": MAP},
        "invocationLimits": {"memory": str},
        "runtimeConfig": {"loadFromSecret": str},
        "variables": [{"name": str, "value": str, "valueFrom": {"secretKeyRef": _KEY, "configMapKeyRef": _KEY}}],
        "volumes": [{"name": str, "csi": {"driver": str, "readOnly": bool, "volumeAttributes": MAP}}],
        "volumeMounts": [{"name": str, "mountPath": str, "subPath": str, "readOnly": bool}],
    },
    ("core.spinkube.dev/v1alpha1", "SpinAppExecutor"): {
        "createDeployment": bool,
        "deploymentConfig": {
            "runtimeClassName": str,
            "installDefaultCACerts": bool,
            "caCertSecret": str,
            "otel": {
                "exporter_otlp_endpoint": str,
                "exporter_otlp_traces_endpoint": str,
                "exporter_otlp_metrics_endpoint": str,
                "exporter_otlp_logs_endpoint": str,
            },
        },
    },
    ("runtime.spinkube.dev/v1alpha1", "Shim"): {
        "nodeSelector": MAP,
        "fetchStrategy": {"platforms": [{"os": str, "arch": str, "location": str, "sha256": str}]},
        "containerdRuntimeOptions": MAP,
        "runtimeClass": {"name": str, "handler": str},
        "rolloutStrategy": {"type": str},
    },
    ("external-secrets.io/v1", "SecretStore"): {
        "provider": {"azurekv": {"authType": str, "vaultUrl": str, "tenantId": str, "serviceAccountRef": {"name": str}}},
    },
    ("external-secrets.io/v1", "ExternalSecret"): {
        "refreshInterval": str,
        "secretStoreRef": {"kind": str, "name": str},
        "target": {"name": str, "template": {"engineVersion": str, "data": MAP}},
        "data": [{"secretKey": str, "remoteRef": {"key": str}}],
    },
    ("secrets-store.csi.x-k8s.io/v1", "SecretProviderClass"): {
        "provider": str,
        "parameters": {"clientID": str, "tenantID": str, "keyvaultName": str, "objects": str},
        "secretObjects": [{"secretName": str, "type": str, "data": [{"objectName": str, "key": str}]}],
    },
    ("cert-manager.io/v1", "Issuer"): {
        "acme": {
            "server": str,
            "email": str,
            "privateKeySecretRef": {"name": str},
            "solvers": [
                {
                    "dns01": {
                        "azureDNS": {
                            "environment": str,
                            "subscriptionID": str,
                            "resourceGroupName": str,
                            "hostedZoneName": str,
                            "managedIdentity": {"clientID": str},
                        }
                    }
                }
            ],
        }
    },
    ("cert-manager.io/v1", "Certificate"): {
        "secretName": str,
        "dnsNames": [str],
        "issuerRef": {"kind": str, "name": str},
    },
    ("gateway.networking.k8s.io/v1", "Gateway"): {
        "gatewayClassName": str,
        "infrastructure": {"annotations": MAP},
        "listeners": [
            {
                "name": str,
                "hostname": str,
                "port": int,
                "protocol": str,
                "tls": {"mode": str, "certificateRefs": [{"name": str}]},
                "allowedRoutes": {"namespaces": {"from": str}},
            }
        ],
    },
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): {
        "parentRefs": [{"name": str, "sectionName": str}],
        "hostnames": [str],
        "rules": [
            {
                "matches": [{"path": {"type": str, "value": str}}],
                "timeouts": {"request": str},
                "backendRefs": [{"name": str, "port": int}],
            }
        ],
    },
}


def problems(document):
    """What of a custom resource is not in the table. Kubernetes' own kinds are others' to check."""
    kind = (document.get("apiVersion"), document.get("kind"))
    if kind not in FIELDS:
        return [f"{kind[1]} of {kind[0]}: is not in fields.py"]
    shape = {"apiVersion": str, "kind": str, "metadata": METADATA, "spec": FIELDS[kind]}
    return [f"{kind[1]}/{document['metadata']['name']}: {problem}" for problem in _compare(document, shape, "")]


def _compare(value, shape, path):
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return [f"{path}: is not an object"]
        found = []
        for name, inner in value.items():
            here = f"{path}.{name}".lstrip(".")
            if "*" in shape:
                found += _compare(inner, shape["*"], here)
            elif name in shape:
                found += _compare(inner, shape[name], here)
            else:
                found.append(f"{here}: there is no such field")
        return found
    if isinstance(shape, list):
        if not isinstance(value, list):
            return [f"{path}: is not a list"]
        return [problem for at, inner in enumerate(value) for problem in _compare(inner, shape[0], f"{path}[{at}]")]
    # YAML's `on` and `1` are no text: `bool` is an `int` for Python, and is not for Kubernetes.
    if type(value) is not shape:
        return [f"{path}: {value!r} is not a {shape.__name__}"]
    return []
