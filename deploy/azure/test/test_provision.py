"""provision.sh, with an az that only writes down what it is called with.

    python3 -m unittest discover --start-directory deploy/azure/test

Where the real azure-cli can be imported by the Python that AZ_PYTHON names, or by this one, each recorded
command line is parsed by it as well; elsewhere that is skipped, with a line that says so.
"""

import base64
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).parent
SCRIPT = HERE.parent / "provision.sh"
PARTS = [SCRIPT, *sorted((HERE.parent / "provision").glob("*.sh"))]
REPOSITORY = HERE.parents[2]
# macOS has bash 3.2: TEST_BASH names another one.
BASH = os.environ.get("TEST_BASH", "bash")
SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
WHERE = ["--subscription", SUBSCRIPTION, "--group", "hooks"]
ZONE = ["--zone", "sms.example.com", "--host", "hook.sms.example.com"]
CREATE = ["create", *WHERE, "--location", "westeurope", *ZONE, "--provider", "acs", "--data-location", "Europe"]
INFOBIP = [*CREATE[:-4], "--provider", "infobip"]
# What the document `secrets` has of the providers that need something there.
OWN_SECRETS = {"infobip": ["api_key"], "telesign": ["api_key"], "twilio": ["api_key_sid", "api_key_secret", "auth_token"]}
ACS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/texts/providers/Microsoft.Communication/CommunicationServices/ours"
PLAN = ["plan", *CREATE[1:]]
SETTINGS = ["settings", *WHERE, *ZONE, "--provider", "acs", "--email", "ops@example.com", "--okta-fallback", "yes"]
HEADER = ["okta-header", *WHERE, "--host", "hook.sms.example.com"]
SUBSCRIBE = ["subscribe", *WHERE, "--hook", "https://hook.example.com"]
DESTROY = ["destroy", *WHERE, "--zone", "sms.example.com"]
SECRETS = ["acs-connection-string", "okta-basic-secret", "records-redis-url", "secrets"]
# What the fake's resources hold, and what may be neither shown nor an argument.
KEPT = ["ACS+KEY/one==", "REDIS+KEY/one=", "01234567-89ab-cdef-0123-456789abcdef", "the+report/secret="]
DIGEST = "sha256:" + "ab" * 32

FAKE = r'''#!/usr/bin/env python3
"""az: writes its arguments and standard input down, and answers from a folder of what is there."""
import json, os, sys

args = sys.argv[1:]
state = os.environ["FAKE_STATE"]
record = {"args": args}
takes_input = "@-" in args or "/dev/stdin" in args
if takes_input:
    record["input"] = sys.stdin.read()
elif args[:3] == ["keyvault", "secret", "set"]:
    record["input"] = open(args[args.index("--file") + 1]).read()
with open(state + "/calls", "a") as calls:
    calls.write(json.dumps(record) + "\n")
words = " ".join(args)


def value(option):
    return args[args.index(option) + 1] if option in args else ""


fail = os.environ.get("FAKE_FAIL", "")
if fail and fail in words:
    sys.stderr.write("ERROR: (Forbidden) the fake says no\n")
    sys.exit(int(os.environ.get("FAKE_CODE", "1")))
if os.environ.get("FAKE_HANG", "\0") in words:
    import time
    time.sleep(30)

there = state + "/there"
things = set(open(there).read().split("\n")) if os.path.exists(there) else set()


def add(thing):
    with open(there, "a") as file:
        file.write(thing + "\n")


def remove(beginning):
    if beginning.startswith("/"):
        # A resource takes with it what is in it.
        left = [thing for thing in things if thing != beginning and not thing.startswith(beginning + "/")]
    else:
        left = [thing for thing in things if not thing.startswith(beginning)]
    if beginning == "group":
        left = [thing for thing in left if not thing.startswith(root + "/")]
    with open(there, "w") as file:
        file.write("".join(thing + "\n" for thing in left if thing))


def absent():
    sys.stderr.write("ERROR: not found\n")
    sys.exit(3)


url = value("--url").split("?")[0]
root = "/subscriptions/%s/resourceGroups/hooks" % value("--subscription")
kinds = {
    "keyvault create": root + "/providers/Microsoft.KeyVault/vaults/",
    "monitor log-analytics workspace create": root + "/providers/Microsoft.OperationalInsights/workspaces/",
    "storage account create": root + "/providers/Microsoft.Storage/storageAccounts/",
    "identity create": root + "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/",
    "eventgrid system-topic create": root + "/providers/Microsoft.EventGrid/systemTopics/",
    "acr create": root + "/providers/Microsoft.ContainerRegistry/registries/",
    "aks create": root + "/providers/Microsoft.ContainerService/managedClusters/",
    "network dns zone create": root + "/providers/Microsoft.Network/dnsZones/",
}
for said, answer in json.loads(os.environ.get("FAKE_ANSWERS", "{}")).items():
    if said in words:
        print(answer)
        sys.exit()
for kind, place in kinds.items():
    place = place.replace("/hooks/", "/%s/" % value("--resource-group"))
    if words.startswith(kind):
        add(place + (value("--name") or value("--workspace-name")))
    elif words.startswith(kind.replace(" create", " delete")):
        remove(place + (value("--name") or value("--workspace-name")))
if words.startswith("group show"):
    "group" in things or "group made-by" in things or absent()
    if "made-by" in words:
        print("hooks\t" + ("okta-telephony" if "group made-by" in things else ""))
elif words.startswith("group create"):
    add("group made-by" if value("--tags") == "made-by=okta-telephony" else "group")
elif words.startswith("group delete"):
    remove("group")
elif words.startswith("version"):
    print("2.91.0")
elif words.startswith("account show"):
    print("Enabled\t66666666-2222-3333-4444-555555555555\tuser")
elif words.startswith("rest --method get"):
    print("*\tMicrosoft.Authorization/*/Delete Microsoft.Authorization/*/Write\nMicrosoft.Authorization/*\t")
elif "check-name" in words:
    print("true")
elif words.startswith("vm list-skus"):
    print("standardDASv5Family\t2\t1 2 3\t")
elif words.startswith("aks get-versions"):
    print("1.35\n1.36\n1.37")
elif words.startswith("vm list-usage"):
    print("2\t10")
elif words.startswith("acr repository show"):
    print("sha256:" + "ab" * 32)
elif words.startswith("network dns zone show"):
    print("ns1-01.azure-dns.com.\nns2-01.azure-dns.net.")
elif words.startswith("keyvault delete"):
    remove(root + "/providers/Microsoft.KeyVault/vaults/" + value("--name"))
    add("deleted " + value("--name"))
elif words.startswith("keyvault list-deleted"):
    print("2027-02-28T00:00:00+00:00" if "scheduledPurgeDate" in words and any(thing.startswith("deleted") for thing in things) else "")
elif words.startswith("resource list"):
    print("\n".join(sorted(thing for thing in things if thing.startswith(root) and thing.count("/") == 8)))
elif words.startswith("resource delete"):
    remove(value("--ids"))
elif words.startswith("eventgrid system-topic list"):
    print("\n".join(json.loads(os.environ.get("FAKE_TOPICS", "[]"))))
elif words.startswith("eventgrid system-topic event-subscription delete"):
    remove(root.replace("/hooks", "/" + value("--resource-group")) + "/providers/Microsoft.EventGrid/systemTopics/" +
           value("--system-topic-name") + "/eventSubscriptions/" + value("--name"))
elif words.startswith("storage container-rm create"):
    add(root + "/providers/Microsoft.Storage/storageAccounts/" + value("--storage-account") +
        "/blobServices/default/containers/" + value("--name"))
elif words.startswith("storage account management-policy create"):
    add(root + "/providers/Microsoft.Storage/storageAccounts/" + value("--account-name") + "/managementPolicies/default")
elif words.startswith("resource show"):
    if value("--ids") not in things:
        absent()
    print({
        "properties.principalId": "22222222-2222-3333-4444-555555555555",
        "identity.principalId": "33333333-2222-3333-4444-555555555555",
        "properties.clientId": "44444444-2222-3333-4444-555555555555",
        "properties.provisioningState": os.environ.get("FAKE_MAKING", "Succeeded"),
        "properties.publicNetworkAccess": "Enabled",
        "id": value("--ids"),
        "sku.name": "Balanced_B0",
        "properties.hostName": "redis.westeurope.redis.azure.net",
        "properties.ConnectionString": "InstrumentationKey=01234567-89ab-cdef-0123-456789abcdef;"
        "IngestionEndpoint=https://westeurope-5.in.applicationinsights.azure.com/;LiveEndpoint=https://l/",
    }.get(value("--query"), ""))
elif words.startswith("rest --method put"):
    json.loads(record["input"])
    add(url)
elif words.startswith("rest --method post"):
    print("REDIS+KEY/one=" if "redis" in url
          else "endpoint=https://acs.communication.azure.com/;accesskey=ACS+KEY/one==")
elif words.startswith("provider show") and "locations" in words:
    print("West Europe\nNorth Europe")
elif words.startswith("provider show"):
    print("Registered" if "Storage" in words or words.split()[5] + " registered" in things else "NotRegistered")
elif words.startswith("provider register"):
    add(value("--namespace") + " registered")
elif words.startswith("role assignment list"):
    # A role is its id here: whose, where and which, without blanks.
    wanted = [value("--assignee-object-id"), value("--scope"), value("--role").replace(" ", "-")]
    roles = [thing for thing in things if thing.startswith("role/") and all(want in thing for want in wanted)]
    print("\n".join(sorted(roles)))
elif words.startswith("role assignment create"):
    add("role/%s%s/%s" % (value("--assignee-object-id"), value("--scope"), value("--role").replace(" ", "-")))
elif words.startswith("role assignment delete"):
    for role in args[args.index("--ids") + 1:]:
        if role.startswith("role/"):
            remove(role)
            things.discard(role)
elif words.startswith("keyvault secret list"):
    print("\n".join(thing[7:] for thing in things if thing.startswith("secret ")))
elif words.startswith("keyvault secret set"):
    add("secret " + value("--name"))
elif words.startswith("keyvault secret show"):
    print(os.environ.get("FAKE_SECRETS", "[operator]\nsecret = \"another\"\n\n[reports]\nsecret = \"the+report/secret=\"\n"))
elif words.startswith("aks show"):
    print("77777777-2222-3333-4444-555555555555" if "kubelet" in words else
          "true\ttrue" if "enabled" in words else "https://westeurope.oic.prod-aks.azure.com/tenant/cluster/")
elif words.startswith("ad signed-in-user show"):
    print("55555555-2222-3333-4444-555555555555")
'''

CREATED = {}
CURL = "#!/bin/sh\nprintf %s \"${FAKE_STATUS:-401}\"\n"
DIG = "#!/bin/sh\necho redis.alias.example.\necho 192.0.2.7\n"


class Provision(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.work = self.folder / "work"
        self.work.mkdir()
        self.document = self.work / "secrets.toml"
        for name, text in [("az", FAKE.replace("/usr/bin/env python3", sys.executable + " -IS")), ("curl", CURL), ("dig", DIG)]:
            tool = self.folder / name
            tool.write_text(text)
            tool.chmod(tool.stat().st_mode | stat.S_IXUSR)

    def environment(self, **more):
        return {**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}", "FAKE_STATE": str(self.folder),
                "PROVISION_WAIT_SECONDS": "0", **more}

    def run_script(self, *arguments, **environment):
        (self.folder / "calls").unlink(missing_ok=True)
        return subprocess.run([BASH, str(SCRIPT), *arguments], env=self.environment(**environment),
                              capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120, check=False,
                              cwd=self.work)

    def created(self, command=None):
        """As after a whole create, which takes too long to be run for each test."""
        key = tuple(command or CREATE)
        if key not in CREATED:
            result = self.run_script(*key)
            self.assertEqual(result.returncode, 0, result.stderr)
            files = {name: (self.folder / name).read_text() for name in ("there", "calls", "work/secrets.toml")}
            CREATED[key] = result.stdout, files
            self.document.unlink()
        told, files = CREATED[key]
        for name in ("there", "calls"):
            (self.folder / name).write_text(files[name])
        return told, files["work/secrets.toml"]

    def on_terminal(self, *arguments, answers="", **environment):
        """Runs it on a terminal, types the answers, and returns the code and all that is seen."""
        master, slave = pty.openpty()
        os.write(master, answers.encode())
        process = subprocess.Popen([BASH, str(SCRIPT), *arguments], env=self.environment(**environment), stdin=slave,
                                   stdout=slave, stderr=slave, cwd=self.work, start_new_session=True)
        os.close(slave)
        seen = b""
        while True:
            try:
                read = os.read(master, 4096)
            except OSError:  # Nobody has the other end any more.
                break
            if not read:
                break
            seen += read
        os.close(master)
        return process.wait(timeout=60), seen.decode().replace("\r\n", "\n")

    def calls(self):
        recorded = self.folder / "calls"
        return [json.loads(line) for line in recorded.read_text().splitlines()] if recorded.exists() else []

    def succeed(self, *arguments, **environment):
        result = self.run_script(*arguments, **environment)
        self.assertEqual(result.returncode, 0, result.stderr + result.stdout)
        return result

    def made(self):
        """What was made: commands that change something, without the options."""
        changes = []
        for call in self.calls():
            words = []
            for word in call["args"]:
                if word.startswith("-"):
                    break
                words.append(word)
            args = call["args"]
            if words == ["rest"] and "put" in args:
                url = args[args.index("--url") + 1].split("?")[0].split("/")
                changes.append("put " + url[-2])
            elif words[-1:] in (["create"], ["set"], ["register"], ["delete"]):
                name = " " + args[args.index("--name") + 1] if words[0] == "keyvault" and words[-1] == "set" else ""
                changes.append(" ".join(words) + name)
        return changes

    def test_a_dry_run_prints_the_commands_and_runs_none(self):
        for command in (CREATE, SUBSCRIBE, DESTROY):
            result = self.succeed(*command, "--dry-run")
            self.assertEqual(self.calls(), [])
            shown = [line for line in result.stdout.splitlines() if re.search(r"(^|\| )az ", line)]
            if command is CREATE:
                self.created()
            else:
                self.succeed(*command, *(["--yes"] if command is DESTROY else []))
            # Each command that changes something is one that was shown.
            heads = {tuple(word for word in re.sub(r"^.*\| ", "", line).split()[1:4]) for line in shown}
            changes = [call["args"] for call in self.calls()
                       if re.search(r" (create|set|register|delete) |--method (put|post)", " ".join(call["args"]))]
            self.assertTrue(changes)
            for args in changes:
                self.assertIn(tuple(args[:3]), heads)

    def test_a_dry_run_needs_no_az(self):
        bare = self.folder / "bare"
        bare.mkdir()
        for tool in ("bash", "cksum", "cut", "tr", "cat", "awk"):
            (bare / tool).symlink_to(shutil.which(tool))
        for command, code in (([*CREATE, "--dry-run"], 0), (PLAN, 0), (["names", *WHERE], 0), (CREATE, 1)):
            result = subprocess.run([shutil.which(BASH), str(SCRIPT), *command], env={"PATH": str(bare)},
                                    capture_output=True, text=True, check=False)
            self.assertEqual(result.returncode, code, result.stderr)
        self.assertIn("az is not installed", result.stderr)
        self.assertIn("openssl is not installed", result.stderr)

    def test_what_is_needed_comes_before_what_needs_it(self):
        self.created()
        made = [thing for thing in self.made() if thing != "provider register"]
        self.assertEqual(made, [
            "group create",
            "acr create",
            "aks create",
            "put communicationServices",
            "keyvault create",
            "role assignment create",
            "monitor log-analytics workspace create",
            "put components",
            "put redisEnterprise",
            "put databases",
            "storage account create",
            "storage container-rm create",
            "storage account management-policy create",
            "identity create",
            "role assignment create",
            "keyvault secret set okta-basic-secret",
            "keyvault secret set acs-connection-string",
            "keyvault secret set secrets",
            "keyvault secret set records-redis-url",
            "network dns zone create",
            "identity create",
            "role assignment create",
            "identity federated-credential create",
            "identity federated-credential create",
            "role assignment create",
        ])

    def test_a_cluster_that_is_there_is_used_and_stays(self):
        theirs = ["--aks", "theirs", "--aks-group", "platform"]
        self.succeed(*CREATE, *theirs)
        self.assertNotIn("aks create", self.made())
        shown = next(call["args"] for call in self.calls() if call["args"][:2] == ["aks", "show"])
        self.assertEqual((shown[shown.index("--name") + 1], shown[shown.index("--resource-group") + 1]), ("theirs", "platform"))
        self.assertEqual(self.made().count("identity federated-credential create"), 2)
        self.succeed(*DESTROY, *theirs, "--yes")
        self.assertNotIn("aks delete", self.made())

    def test_the_service_accounts_are_those_of_the_manifests(self):
        self.created()
        subjects = [call["args"][call["args"].index("--subject") + 1] for call in self.calls() if "--subject" in call["args"]]
        # cert-manager's is its chart's.
        self.assertEqual(subjects.pop(), "system:serviceaccount:cert-manager:cert-manager")
        manifests = [document for path in (REPOSITORY / "deploy/spinkube").rglob("*.yaml")
                     for document in path.read_text().split("\n---\n")]
        bound = []
        for manifest in manifests:
            if "\nkind: ServiceAccount\n" in manifest and "azure.workload.identity/client-id" in manifest:
                name, space = (re.search(rf"^  {key}: (.+)$", manifest, re.M).group(1) for key in ("name", "namespace"))
                bound.append(f"system:serviceaccount:{space}:{name}")
        self.assertEqual(subjects, bound)

    def test_where_deliveries_are_seen_is_told(self):
        told = self.succeed(*SUBSCRIBE).stdout
        self.assertIn("https://hook.example.com/api/deliveries", told)
        self.assertIn("kubectl --namespace okta-telephony port-forward service/okta-telephony 3000:80", told)

    def test_what_is_there_is_not_made_again(self):
        self.created()
        self.succeed(*CREATE)
        # These az writes over what is there, so that a new cluster can take the old one's place.
        self.assertEqual(self.made(), ["identity federated-credential create"] * 2)
        # What was begun by a run that was stopped may still be in the making.
        awaited = [call["args"][3] for call in self.calls() if call["args"][:2] == ["resource", "wait"]]
        self.assertEqual([id.split("/")[-2] for id in awaited],
                         ["registries", "communicationServices", "components", "redisEnterprise", "databases", "managedClusters"])

    def test_only_what_is_not_registered_is_registered(self):
        self.created()
        registered = [call["args"] for call in self.calls() if call["args"][:2] == ["provider", "register"]]
        self.assertIn("Microsoft.ContainerService", [args[args.index("--namespace") + 1] for args in registered])
        self.assertFalse(any("Microsoft.Storage" in args for args in registered))

    def test_a_run_that_was_stopped_goes_on_where_it_stopped(self):
        result = self.run_script(*CREATE, FAKE_FAIL="storage account create")
        self.assertEqual(result.returncode, 1)
        self.succeed(*CREATE)
        self.assertEqual(self.made()[0], "storage account create")

    def written(self):
        """What was written into the vault."""
        sets = [call for call in self.calls() if call["args"][:3] == ["keyvault", "secret", "set"]]
        return {call["args"][call["args"].index("--name") + 1]: call["input"] for call in sets}

    def test_the_four_secrets_have_their_names_and_their_values(self):
        self.created()
        secrets = self.written()
        self.assertEqual(sorted(secrets), SECRETS)
        own = re.findall(r'^secret = "(.*)"$', secrets["secrets"], re.M) + [secrets["okta-basic-secret"]]
        self.assertEqual(len(set(own)), 4)
        for secret in own:
            self.assertRegex(secret, r"\A[A-Za-z0-9+/]{43}=\Z")
        self.assertEqual(secrets["acs-connection-string"],
                         "endpoint=https://acs.communication.azure.com/;accesskey=ACS+KEY/one==")
        self.assertEqual(secrets["records-redis-url"],
                         "rediss://:REDIS%2BKEY%2Fone%3D@redis.westeurope.redis.azure.net:10000")

    def test_the_document_is_a_file_that_only_its_owner_can_read(self):
        told = self.succeed(*INFOBIP, INFOBIP_API_KEY="the-api-key").stdout
        self.assertEqual(stat.S_IMODE(self.document.stat().st_mode), 0o600)
        text = self.document.read_text()
        self.assertEqual(self.written()["secrets"], text)
        self.assertEqual(re.findall(r"^(?:\[.+\]|\w+)", text, re.M),
                         ["[operator]", "secret", "[reports]", "secret", "[store]", "secret",
                          "[application_insights]", "connection_string", "[providers.infobip]", "api_key"])
        self.assertIn('\nconnection_string = "InstrumentationKey=', text)
        self.assertIn("so it can go", told)
        # The keys are those that the hook knows.
        known = re.findall(r"^\| `([^`]+)` \|", (REPOSITORY / "docs/settings.md").read_text(), re.M)
        for key in ("operator.secret", "reports.secret", "store.secret", "application_insights.connection_string"):
            self.assertIn(key, known)
        for fields in OWN_SECRETS.values():
            for field in fields:
                self.assertIn(f"providers.*.{field}", known)

    def test_a_document_that_is_there_is_taken_and_not_touched(self):
        self.document.write_text("[reports]\nsecret = 'mine'\n")
        self.assertIn("secrets.toml is there", self.succeed(*CREATE).stdout)
        self.assertEqual(self.document.read_text(), "[reports]\nsecret = 'mine'\n")
        self.assertEqual(self.written()["secrets"], "[reports]\nsecret = 'mine'\n")
        # One that is in the vault is neither written there again nor made here anew.
        self.document.write_text("[reports]\nsecret = 'another'\n")
        self.succeed(*CREATE, "--refresh-secrets")
        self.assertNotIn("secrets", self.written())
        self.document.unlink()
        self.assertNotIn("secrets.toml", self.succeed(*CREATE).stdout)
        self.assertFalse(self.document.exists())

    def test_a_document_that_is_there_and_lacks_what_the_hook_needs_is_not_taken(self):
        # As README.md has it written for `spin up`.
        self.document.write_text("[operator]\nsecret = 'mine'\n# [reports], api_key\n")
        result = self.run_script(*INFOBIP, INFOBIP_API_KEY="the-api-key")
        self.assertEqual(result.returncode, 1)
        for missing in ("reports", "api_key"):
            self.assertIn(f"secrets.toml, which is here already, has no {missing}\n    fix: move it away", result.stderr)
        self.assertEqual(self.written(), {})

    def test_a_document_that_can_not_be_written_stops_it(self):
        # A link to nothing is no file that is there, and is not followed.
        self.document.symlink_to(self.folder / "elsewhere")
        result = self.run_script(*CREATE)
        self.assertEqual(result.returncode, 1)
        self.assertIn("secrets.toml can't be written here", result.stderr)
        self.assertFalse((self.folder / "elsewhere").exists())
        self.assertNotIn("secrets", self.written())

    def test_a_dry_run_writes_no_document(self):
        self.succeed(*CREATE, "--dry-run")
        self.assertFalse(self.document.exists())

    def test_no_secret_is_shown_or_an_argument(self):
        for command in (INFOBIP, [*CREATE, "--refresh-secrets"], SUBSCRIBE):
            result = self.succeed(*command, INFOBIP_API_KEY="the-api-key")
            secrets = [*KEPT, "the-api-key"]
            for text in self.written().values():
                secrets += re.findall(r'"(.+)"', text) or [text] if text.strip() else []
            for secret in secrets:
                self.assertNotIn(secret, result.stdout)
                self.assertNotIn(secret, result.stderr)
                for call in self.calls():
                    self.assertFalse(any(secret in argument for argument in call["args"]), call["args"][:4])
            dry = self.succeed(*command, "--dry-run").stdout
            self.assertFalse(any(secret in dry for secret in secrets))

    def test_secrets_of_resources_are_written_anew_only_when_asked(self):
        self.created()
        self.succeed(*CREATE, "--refresh-secrets")
        made = [thing for thing in self.made() if thing.startswith("keyvault")]
        self.assertEqual(made, [
            "keyvault secret set acs-connection-string",
            "keyvault secret set records-redis-url",
        ])

    def test_each_identity_has_one_role_on_one_thing(self):
        self.created()
        self.check_roles([("55555555", "User", "Key Vault Secrets Officer", "/vaults/kv-oktasms-"),
                          ("22222222", "ServicePrincipal", "Key Vault Secrets User", "/vaults/kv-oktasms-"),
                          ("22222222", "ServicePrincipal", "DNS Zone Contributor", "/dnsZones/sms.example.com"),
                          ("77777777", "ServicePrincipal", "AcrPull", "/registries/croktasms")])
        self.succeed(*SUBSCRIBE)
        self.check_roles([("33333333", "ServicePrincipal", "Storage Blob Data Contributor", "/containers/dead-letters")])

    def check_roles(self, expected):
        given = [call["args"] for call in self.calls() if call["args"][:3] == ["role", "assignment", "create"]]
        self.assertEqual(len(given), len(expected))
        for args, (principal, kind, role, scope) in zip(given, expected):
            def value(option, args=args):
                return args[args.index(option) + 1]
            self.assertTrue(value("--assignee-object-id").startswith(principal))
            self.assertEqual((value("--assignee-principal-type"), value("--role")), (kind, role))
            self.assertIn(scope, value("--scope"))

    def test_the_doors_that_are_to_be_shut_are_shut(self):
        self.created()
        bodies = {}
        for call in self.calls():
            args = call["args"]
            if args[:3] == ["rest", "--method", "put"]:
                url = args[args.index("--url") + 1]
                self.assertRegex(url, r"\?api-version=20\d\d-\d\d-\d\d\Z")
                bodies[url.split("?")[0].split("/")[-2]] = json.loads(call["input"])
        self.assertEqual(bodies["communicationServices"]["properties"]["dataLocation"], "Europe")
        self.assertIs(bodies["components"]["properties"]["DisableLocalAuth"], False)
        self.assertIn("/workspaces/log-oktasms", bodies["components"]["properties"]["WorkspaceResourceId"])
        self.assertEqual(bodies["redisEnterprise"]["properties"]["minimumTlsVersion"], "1.2")
        database = bodies["databases"]["properties"]
        self.assertEqual((database["clientProtocol"], database["clusteringPolicy"]), ("Encrypted", "NoCluster"))
        words = [" ".join(call["args"]) for call in self.calls()]
        vault = next(line for line in words if line.startswith("keyvault create"))
        self.assertIn("--enable-rbac-authorization true --enable-purge-protection true", vault)
        storage = next(line for line in words if line.startswith("storage account create"))
        for door in ("--https-only true", "--allow-blob-public-access false", "--allow-shared-key-access false"):
            self.assertIn(door, storage)
        rule = next(call for call in self.calls() if "management-policy" in call["args"])
        cluster = next(line for line in words if line.startswith("aks create"))
        for need in ("--network-policy cilium", "--enable-oidc-issuer --enable-workload-identity", "--zones 1 2 3",
                     "--enable-gateway-api --enable-app-routing-istio", "--nodepool-labels spin=true",
                     "--kubernetes-version 1."):
            self.assertIn(need, cluster)
        self.assertIn("--admin-enabled false", next(line for line in words if line.startswith("acr create")))
        self.assertIn("dead-letters/", json.loads(rule["input"])["rules"][0]["definition"]["filters"]["prefixMatch"])

    def test_options_leave_out_what_they_say(self):
        words = self.succeed(*CREATE, "--without-redis", "--without-aks", "--dry-run").stdout.lower()
        for left_out in ("redis", "aks create", "acr create", "dns zone", "federated"):
            self.assertNotIn(left_out, words)
        shown = self.succeed(*CREATE, "--private-redis", "--dry-run").stdout
        self.assertIn('"publicNetworkAccess":"Disabled"', shown)

    def test_without_acs_no_acs_is_made_and_its_entry_is_blank(self):
        self.succeed(*INFOBIP, INFOBIP_API_KEY="the-api-key")
        words = " ".join(" ".join(call["args"]) for call in self.calls()).lower()
        for left_out in ("communication", "eventgrid", "storage"):
            self.assertNotIn(left_out, words)
        # The manifests want the entry, and the hook takes a blank for none.
        self.assertEqual(self.written()["acs-connection-string"], " ")
        self.assertIn('[providers.infobip]\napi_key = "the-api-key"\n', self.written()["secrets"])

    def test_the_secrets_of_a_provider_are_asked_for_where_they_are_needed(self):
        for provider, fields in OWN_SECRETS.items():
            with self.subTest(provider=provider):
                (self.folder / "there").unlink(missing_ok=True)
                command = [*INFOBIP[:-1], provider]
                result = self.run_script(*command)
                self.assertEqual(result.returncode, 1)
                for field in fields:
                    self.assertIn(f"fix: set the environment variable {provider}_{field}".upper(), result.stderr.upper())
                self.assertNotIn("group create", self.made())
                # One may be in the environment, and what is typed is not shown.
                given = {f"{provider}_{fields[0]}".upper(): "given"} if len(fields) > 1 else {}
                typed = [f"typed-{field}" for field in fields[len(given):]]
                code, seen = self.on_terminal(*command, answers="".join(f"{answer}\n" for answer in typed), **given)
                self.assertEqual(code, 0, seen)
                self.assertNotIn("typed-", seen.split("which is not shown", 1)[1])
                lines = [f'{field} = "{value}"\n' for field, value in zip(fields, [*given.values(), *typed])]
                self.assertTrue(self.document.read_text().endswith(f"\n[providers.{provider}]\n" + "".join(lines)))
                self.document.unlink()
                self.succeed(*command)  # The vault has it now.

    def test_an_acs_resource_that_is_there_is_used_and_stays(self):
        ours = [*INFOBIP[:-1], "acs", "--acs-resource", ACS]
        self.succeed(*ours, FAKE_ANSWERS=json.dumps({f"resource show --ids {ACS}": "there"}))
        self.assertNotIn("put communicationServices", self.made())
        self.assertIn("acs-connection-string", self.written())
        keys = next(call["args"] for call in self.calls() if call["args"][:3] == ["rest", "--method", "post"])
        self.assertTrue(keys[keys.index("--url") + 1].startswith(ACS + "/listKeys"))
        # Its system topic is in its group, or is there already by any name.
        self.succeed(*SUBSCRIBE, "--acs-resource", ACS)
        topic = next(call["args"] for call in self.calls() if call["args"][:3] == ["eventgrid", "system-topic", "create"])
        self.assertEqual(topic[topic.index("--resource-group") + 1], "texts")
        there = ACS.split("/providers")[0] + "/providers/Microsoft.EventGrid/systemTopics/old"
        with open(self.folder / "there", "a", encoding="utf-8") as things:
            things.write(there + "\n")
        self.succeed(*SUBSCRIBE, "--acs-resource", ACS, FAKE_TOPICS=json.dumps([f"{ACS.upper()}\t{there}"]))
        self.assertNotIn("eventgrid system-topic create", self.made())
        put = next(call["args"] for call in self.calls() if call["args"][:3] == ["rest", "--method", "put"])
        self.assertIn("/systemTopics/old/eventSubscriptions/", put[put.index("--url") + 1])
        self.succeed(*DESTROY, "--acs-resource", ACS, "--yes", FAKE_TOPICS=json.dumps([f"{ACS}\t{there}"]))
        self.assertIn(there, (self.folder / "there").read_text().splitlines())
        self.assertNotIn(there + "/eventSubscriptions", (self.folder / "there").read_text())
        deleted = [" ".join(call["args"]) for call in self.calls() if "delete" in call["args"]]
        self.assertFalse([line for line in deleted if "ours" in line or "systemTopics/old" in line])

    def test_a_redis_that_is_there_is_not_passed_off_as_another(self):
        self.created()
        for option, complaint in [(["--private-redis"], "has a public endpoint, although --private-redis"),
                                  (["--redis-sku", "Balanced_B3"], "is Balanced_B0, although --redis-sku Balanced_B3")]:
            result = self.run_script(*CREATE, *option)
            self.assertEqual(result.returncode, 1, result.stdout)
            self.assertIn(complaint, result.stderr)
            self.assertIn("or leave " + option[0] + " out", result.stderr.splitlines()[-1])

    def test_names_fit_and_are_the_same_at_each_run(self):
        def names(*options):
            told = self.succeed("names", *WHERE, *options).stdout
            return dict(line.split("=") for line in told.splitlines())
        longest = names("--name", "a2345678901")
        self.assertEqual(longest, names("--name", "a2345678901"))
        self.assertRegex(longest["vault"], r"\A[a-z][a-z0-9-]{1,22}[a-z0-9]\Z")
        self.assertRegex(longest["registry"], r"\A[a-z0-9]{5,50}\Z")
        shown = self.succeed(*CREATE, "--name", "a2345678901", "--dry-run").stdout
        self.assertRegex(re.search(r"/storageAccounts/([^ /']+)", shown).group(1), r"\A[a-z0-9]{3,24}\Z")
        self.assertIn(longest["vault"], shown)
        self.assertNotEqual(names()["vault"], names("--group", "others")["vault"])

    def test_whatever_fails_stops_it_and_is_told_with_its_fix(self):
        for command, fail in [
            (CREATE, "provider register"), (CREATE, "group create"), (CREATE, "put --url /subscriptions/%s/resourceGroups/hooks/providers/Microsoft.Communication" % SUBSCRIPTION),
            (CREATE, "keyvault create"), (CREATE, "role assignment list"), (CREATE, "role assignment create"),
            (CREATE, "workspace create"), (CREATE, "resource wait"), (CREATE, "redisEnterprise"),
            (CREATE, "container-rm"), (CREATE, "management-policy"), (CREATE, "identity create"), (CREATE, "aks show"),
            (CREATE, "federated-credential"), (CREATE, "keyvault secret set"), (CREATE, "keyvault secret list"),
            (CREATE, "listKeys"), (CREATE, "ad signed-in-user"), (SUBSCRIBE, "secret show"),
            (SUBSCRIBE, "system-topic"), (SUBSCRIBE, "eventSubscriptions"),
        ]:
            with self.subTest(fail=fail):
                (self.folder / "there").unlink(missing_ok=True)
                result = self.run_script(*command, FAKE_FAIL=fail)
                self.assertEqual(result.returncode, 1, result.stdout)
                lines = result.stderr.splitlines()
                self.assertTrue(any(line.startswith("provision.sh: ") for line in lines), result.stderr)
                self.assertTrue(lines[-1].startswith("  fix: "), result.stderr)
                last = " ".join(self.calls()[-1]["args"])
                self.assertIn(fail, last, "nothing is run after what failed")

    def test_what_is_not_made_in_the_end_stops_it(self):
        # az's own wait ends with 0 in each of these states.
        for state, fix in [("AwaitingManualAction", "look at its log for the handshake"), ("Canceled", "handshake"),
                           ("Creating", "run this again")]:
            result = self.run_script(*SUBSCRIBE, FAKE_MAKING=state)
            self.assertEqual(result.returncode, 1, result.stdout)
            self.assertIn("okta-telephony is " + ("still " if state == "Creating" else "") + state, result.stderr)
            self.assertIn(fix, result.stderr.splitlines()[-1])
            self.assertNotIn("Done", result.stdout)
        wait = next(call["args"] for call in self.calls() if call["args"][:2] == ["resource", "wait"])
        self.assertEqual(wait[wait.index("--timeout") + 1], "300")
        for _ in range(2):  # what is made now, and what an earlier run has begun
            result = self.run_script(*CREATE, "--without-aks", FAKE_MAKING="Canceled")
            self.assertEqual(result.returncode, 1)
            self.assertRegex(result.stderr, r"acs-oktasms-\w+ is Canceled, not Succeeded\n  fix: ")
            self.assertNotIn("keyvault create", self.made())

    def test_trouble_while_looking_is_not_taken_for_absence(self):
        result = self.run_script(*CREATE, FAKE_FAIL="resource show", FAKE_CODE="1")
        self.assertEqual(result.returncode, 1)
        self.assertIn("the fake says no", result.stderr)
        self.assertNotIn("put communicationServices", self.made())

    def test_an_empty_key_is_not_written(self):
        (self.folder / "az").write_text((self.folder / "az").read_text().replace('"REDIS+KEY/one="', '""'))
        result = self.run_script(*CREATE)
        self.assertEqual(result.returncode, 1)
        self.assertIn("asking for Redis' key: az said nothing", result.stderr)

    def test_what_is_said_wrongly_is_refused_before_anything_is_run(self):
        for arguments, complaint in [
            (["remove"], "no command remove"),
            ([*CREATE, "--colour", "red"], "there is no option colour"),
            ([*CREATE, "--hook"], "--hook has no value"),
            ([*CREATE, "--group", "--name", "x"], "--group has no value"),
            ([*CREATE, "hooks"], "hooks is no option"),
            ([*CREATE, "--name", "Hook"], "--name is Hook"),
            ([*CREATE, "--name", "x\";rm"], "--name is"),
            ([*CREATE, "--group=a/b"], "--group is a/b"),
            ([*CREATE, "--data-location", "Eu\"rope"], "--data-location is"),
            ([*CREATE, "--service-account", "hook"], "--service-account is hook"),
            ([*CREATE, "--acs-resource", ACS], "--acs-resource and --data-location are both said"),
            ([*CREATE, "--provider", "infobip"], "--acs-resource and --data-location are for acs"),
            ([*CREATE, "--host", "hook.example.com"], "--host is hook.example.com: it must be in the zone"),
            ([*CREATE, "--host", "sms.example.com"], "--host is sms.example.com: it must be in the zone"),
            ([*CREATE, "--aks", "ours", "--without-aks"], "--aks and --without-aks"),
            ([*CREATE, "--options", "nowhere.env"], "nowhere.env can't be read"),
            ([*SUBSCRIBE, "--hook", "http://hook.example.com"], "--hook is http://"),
            ([*SUBSCRIBE, "--hook", "https://hook.example.com/api"], "--hook is https://"),
            ([*SUBSCRIBE, "--schema", "classic"], "--schema is classic"),
            ([*SETTINGS, "--okta-fallback", "perhaps"], "--okta-fallback is perhaps: it must be yes or no"),
        ]:
            with self.subTest(arguments=arguments):
                result = self.run_script(*arguments)
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertIn(complaint, result.stderr)
                self.assertIn("  fix: ", result.stderr)
                self.assertEqual(self.calls(), [])

    def test_all_that_is_missing_or_wrong_is_said_in_one_run(self):
        result = self.run_script("create", "--group", "a/b", "--provider", "infobip", "--colour=red")
        self.assertEqual(result.returncode, 2)
        complaints = re.findall(r"^  (--[a-z-]+)", result.stderr, re.M)
        self.assertEqual(complaints, ["--colour", "--group", "--subscription", "--location", "--zone", "--host"])
        for command, missing in [("settings", ["--okta-fallback", "--email"]), ("create", ["--provider", "--location"]),
                                 ("subscribe", ["--hook"]), ("destroy", ["--group"]), ("plan", ["--zone"])]:
            stderr = self.run_script(command).stderr
            for option in missing:
                self.assertIn(f"  {option} is missing: ", stderr, command)
        self.assertIn("  --acs-resource is missing", self.run_script(*CREATE[:-2]).stderr)

    def test_options_are_read_alike_from_a_command_line_and_from_a_file(self):
        shown = self.succeed(*CREATE, "--data-location", "United States", "--dry-run").stdout
        joined = [f"{option}={value}" for option, value in zip(CREATE[1::2], CREATE[2::2])]
        self.assertEqual(self.succeed("create", *joined, "--data-location=United States", "--dry-run").stdout, shown)
        file = self.work / "azure.env"
        lines = [f"{option[2:].replace('-', '_')}={value}" for option, value in zip(CREATE[1:-2:2], CREATE[2:-2:2])]
        file.write_text("# ours\r\n\n" + "\n".join(lines).replace("westeurope", "westeurope   # near us") +
                        "\ndata_location='United States'\nwithout_redis=no\nhook=https://x.example.com/\n  name=other")
        options = ["--options", str(file), "--name", "oktasms", "--dry-run"]
        # The command line goes before the file, wherever it stands.
        self.assertEqual(self.succeed("create", *options).stdout, shown)
        self.assertEqual(self.succeed("create", *options[2:], *options[:2]).stdout, shown)
        # It can be sourced.
        sourced = subprocess.run(["sh", "-c", '. "$1"; printf %s "$data_location $name"', "sh", str(file)], check=True,
                                 capture_output=True, text=True).stdout
        self.assertEqual(sourced, "United States other")
        file.write_text("group=hooks\nregion=x\nnonsense\n")
        stderr = self.run_script("create", f"--options={file}").stderr
        self.assertIn("azure.env:2: there is no option region", stderr)
        self.assertIn("azure.env:3: this is no name=value", stderr)

    def test_on_a_terminal_what_is_missing_is_asked_for(self):
        code, seen = self.on_terminal("create", *WHERE, "--dry-run",
                                      answers="West Europe\nwesteurope\ninfobip\nsms.example.com\nhook.sms.example.com\n")
        self.assertEqual(code, 0, seen)
        self.assertIn("It must be the short name of a region", seen)
        self.assertIn("location=westeurope\nprovider=infobip\nzone=sms.example.com\nhost=hook.sms.example.com\n", seen)
        self.assertIn("az aks create", seen)
        # What the answer makes needed is asked for as well; without an answer it is told.
        code, seen = self.on_terminal("create", *WHERE, "--location", "westeurope", *ZONE, "--dry-run", answers="acs\n\x04")
        self.assertEqual(code, 2)
        self.assertIn("--acs-resource is missing", seen)

    def test_help_names_every_option(self):
        text = self.succeed("--help").stdout
        commands = re.findall(r"^([a-z-]+)  ", text, re.M)
        self.assertEqual(len(commands), 7)
        helps = {command: self.succeed(command, "--help").stdout for command in commands}
        known = re.findall(r"^    ([a-z_]+)\)", (HERE.parent / "provision/options.sh").read_text().split("options_of()")[0], re.M)
        self.assertGreater(len(known), 28)
        for option in known:
            self.assertIn("\n  --" + option.replace("_", "-"), "".join(helps.values()))
        self.assertNotIn("--okta-fallback", helps["create"])
        self.assertEqual(self.run_script().returncode, 2)

    def test_the_subscription_is_what_the_hook_takes(self):
        self.succeed(*SUBSCRIBE)
        put = next(call for call in self.calls() if call["args"][:3] == ["rest", "--method", "put"])
        properties = json.loads(put["input"])["properties"]
        webhook = properties["destination"]["properties"]
        self.assertEqual(webhook["endpointUrl"], "https://hook.example.com/api/delivery-reports")
        self.assertEqual(webhook["deliveryAttributeMappings"], [{
            "name": "x-report-secret", "type": "Static",
            "properties": {"value": "the+report/secret=", "isSecret": True},
        }])
        self.assertEqual(properties["filter"]["includedEventTypes"],
                         ["Microsoft.Communication.SMSDeliveryReportReceived", "Microsoft.Communication.SMSReceived"])
        self.assertEqual(properties["retryPolicy"], {"maxDeliveryAttempts": 30, "eventTimeToLiveInMinutes": 1440})
        letters = properties["deadLetterWithResourceIdentity"]
        self.assertEqual(letters["deadLetterDestination"]["properties"]["blobContainerName"], "dead-letters")
        topic = next(call["args"] for call in self.calls() if call["args"][:3] == ["eventgrid", "system-topic", "create"])
        self.assertIn("/communicationServices/acs-oktasms-", topic[topic.index("--source") + 1])

    def test_a_changed_report_secret_reaches_the_subscription(self):
        self.succeed(*SUBSCRIBE)
        for document in ["[reports]\nsecret_previous = \"old\"\n  secret=\"a+new/one=\" # since today\n",
                         "reports.secret = 'a+new/one='\n[operator]\nsecret = \"other\"\n",
                         "[reports] # Event Grid's\r\nsecret = \"a+new/one=\"\r\n[store]\r\nsecret = \"other\"\r\n"]:
            self.succeed(*SUBSCRIBE, FAKE_SECRETS=document)
            self.assertEqual(self.made(), ["put eventSubscriptions"])
            put = next(call for call in self.calls() if call["args"][:3] == ["rest", "--method", "put"])
            self.assertIn('"value":"a+new/one="', put["input"])

    def test_a_document_without_a_report_secret_is_not_subscribed_with(self):
        for document in ["[operator]\nsecret = \"other\"", "[reports]\nsecret = \"\"", "[reports]\nsecret = \"with \\\" in it\"",
                         "[reports.oauth]\nsecret = \"x\"", "[reports]\n# secret = \"x\"", "[reports]\nsecret = 'a\"b'"]:
            result = self.run_script(*SUBSCRIBE, FAKE_SECRETS=document)
            self.assertEqual(result.returncode, 1, document)
            self.assertIn("reports.secret", result.stderr)
            self.assertEqual(self.made(), [])

    def test_a_hook_that_is_not_in_order_is_not_subscribed(self):
        for status, complaint in [("503", "takes no reports"), ("302", "redirects"), ("404", "answers 404"), ("000", "reached"),
                                  ("200", "answers 200, not 401")]:
            result = self.run_script(*SUBSCRIBE, FAKE_STATUS=status)
            self.assertEqual(result.returncode, 1)
            self.assertIn(complaint, result.stderr)
            self.assertEqual(self.calls(), [])
        self.succeed(*SUBSCRIBE, "--no-check", FAKE_STATUS="503")

    def test_a_provider_that_brings_its_reports_itself_is_not_subscribed(self):
        result = self.run_script(*SUBSCRIBE, "--provider", "infobip")
        self.assertEqual(result.returncode, 1)
        self.assertIn("infobip needs no Event Grid", result.stderr)

    def test_events_come_as_cloudevents_unless_said_otherwise(self):
        for options, schema in [([], "CloudEventSchemaV1_0"), (["--schema", "eventgrid"], "EventGridSchema")]:
            self.succeed(*SUBSCRIBE, *options)
            put = next(call for call in self.calls() if call["args"][:3] == ["rest", "--method", "put"])
            self.assertEqual(json.loads(put["input"])["properties"]["eventDeliverySchema"], schema)

    def test_the_hook_is_the_host_of_the_file_of_options(self):
        shown = self.succeed("subscribe", *WHERE, "--host", "hook.sms.example.com", "--dry-run").stdout
        self.assertIn('"endpointUrl":"https://hook.sms.example.com/api/delivery-reports"', shown)

    def test_what_would_fail_is_told_before_anything_is_made(self):
        def answers(**said):
            return json.dumps({key.replace("_", " "): value for key, value in said.items()})
        taken = {"acr check-name": "false", "storage account check-name": "false", "vm list-skus": "standardDASv5Family\t2\t1 2\t",
                 "vm list-usage": "4\t10", "aks get-versions": "1.34\n1.3", "locations[]": "East US", "[?name=='kv-": "kv-oktasms"}
        result = self.run_script(*CREATE, FAKE_ANSWERS=json.dumps(taken))
        self.assertEqual(result.returncode, 1)
        for complaint in ["the region westeurope has no Microsoft.ContainerService/managedClusters",
                          "for a new cluster (it has: 1.34, 1.3)", "or a cluster of yours with --aks",
                          "Standard_D2as_v5 can't be had in three zones of westeurope: zones 1 2",
                          "the quota of standardDASv5Family in westeurope is 10 cores, of which 4 are used: 8 more are needed",
                          "has no Microsoft.Cache/redisEnterprise", "is taken", "was deleted, and its name is kept for 90 days"]:
            self.assertIn(complaint, result.stderr)
        troubles = result.stderr.split("nothing was made, since:\n")[1].splitlines()
        self.assertEqual([line.startswith("    fix: ") for line in troubles], [False, True] * (len(troubles) // 2))
        self.assertEqual(set(self.made()), {"provider register"})
        for said, complaint in [
            (answers(version="2.60.0"), "az is 2.60.0"), (answers(account_show="Disabled\tt\tuser"), "is Disabled"),
            (answers(account_show="Enabled\tt\tservicePrincipal"), "--officer OBJECT_ID"),
            (json.dumps({"rest --method get": "*\tMicrosoft.Authorization/*/Write"}), "you may not give roles"),
            (json.dumps({"rest --method get": "*/read Microsoft.Authorization/*\t"}), "you may not make resources"),
        ]:
            result = self.run_script(*CREATE, FAKE_ANSWERS=said)
            self.assertEqual(result.returncode, 1)
            self.assertIn(complaint, result.stderr)
            self.assertEqual(self.made(), [])
        result = self.run_script(*CREATE, FAKE_FAIL="account show")
        self.assertIn(f"az is not signed in to subscription {SUBSCRIPTION}\n    fix: az login", result.stderr)

    def test_what_is_said_to_be_there_must_be_there(self):
        result = self.run_script(*INFOBIP[:-1], "acs", "--acs-resource", ACS, "--aks", "ours", "--zone-group", "dns",
                                 FAKE_ANSWERS=json.dumps({"aks show": "true\tfalse"}), FAKE_FAIL="dns zone show")
        self.assertEqual(result.returncode, 1)
        for complaint in (f"there is no {ACS}", "cluster ours is without OIDC issuer or workload identity", "no DNS zone"):
            self.assertIn(complaint, result.stderr)
        self.assertEqual(set(self.made()), {"provider register"})

    def test_the_plan_says_what_is_made_and_what_it_costs_and_makes_nothing(self):
        plan = self.succeed(*PLAN).stdout
        self.assertEqual(self.made(), [])
        self.assertIn("Checked: nothing known stands in the way.", plan)
        rows = re.findall(r"^(\S.*?) {2,}(\S+|its \w+|in and out) +([0-9.]+)  (~|2026-\d\d-\d\d)$", plan, re.M)
        self.assertEqual(len(rows), 11)
        total = float(re.search(r"^sum +([0-9.]+)$", plan, re.M).group(1))
        self.assertAlmostEqual(sum(float(row[2]) for row in rows), total, places=2)
        # Nothing that costs is made without a row of it.
        named = {row[1] for row in rows}
        self.created()
        words = "\n".join(" ".join(call["args"]) for call in self.calls())
        for name in named - {"its", "in and out", "its nodes", "its gateway"}:
            self.assertIn(name, words)
        self.assertNotIn("Event Grid", self.succeed("plan", *INFOBIP[1:], INFOBIP_API_KEY="the-api-key").stdout)
        less = self.succeed(*PLAN, "--without-redis", "--without-aks").stdout
        self.assertNotIn("Redis", less)
        self.assertLess(float(re.search(r"^sum +([0-9.]+)$", less, re.M).group(1)), 10)
        other = self.succeed(*PLAN, "--node-size", "Standard_D4as_v5").stdout
        self.assertRegex(other, r"3 virtual machines Standard_D4as_v5 .* \?  ~\n")
        self.assertIn("and what has a ?", other)
        self.assertEqual(self.run_script(*PLAN, FAKE_FAIL="account show").returncode, 1)

    def test_settings_are_all_those_of_the_manifests_and_nothing_is_left_to_fill_in(self):
        self.created()
        result = self.succeed(*SETTINGS)
        example = (REPOSITORY / "deploy/spinkube/overlays/example/settings.env").read_text()
        def values(text):
            return dict(line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))
        printed = values(result.stdout)
        self.assertEqual(printed.keys(), values(example).keys())
        self.assertNotIn("FILL-IN", "".join(printed.values()))
        suffix = printed["KEY_VAULT"].rpartition("-")[2]
        self.assertEqual(printed, {
            "HOST": "hook.sms.example.com", "IMAGE": f"croktasms{suffix}.azurecr.io/okta-telephony-acs@{DIGEST}",
            "OUTBOUND_HOST1": "https://westeurope-5.in.applicationinsights.azure.com",
            "OUTBOUND_HOST2": "https://*.communication.azure.com", "OUTBOUND_HOST3": "https://*.communication.azure.com",
            "KEY_VAULT": f"kv-oktasms-{suffix}", "KEY_VAULT_URL": f"https://kv-oktasms-{suffix}.vault.azure.net",
            "CLIENT_ID": "44444444-2222-3333-4444-555555555555", "TENANT_ID": "66666666-2222-3333-4444-555555555555",
            "REDIS_NETWORK": "192.0.2.7/32", "ACME_EMAIL": "ops@example.com", "DNS_SUBSCRIPTION_ID": SUBSCRIPTION,
            "DNS_RESOURCE_GROUP": "hooks", "DNS_ZONE": "sms.example.com",
            "CERT_MANAGER_CLIENT_ID": "44444444-2222-3333-4444-555555555555",
        })
        others = self.succeed(*SETTINGS, "--zone-group", "dns", "--redis-network", "10.1.0.0/16",
                              "--image", "ours.azurecr.io/hook@" + DIGEST).stdout
        for line in ("DNS_RESOURCE_GROUP=dns", "REDIS_NETWORK=10.1.0.0/16", "IMAGE=ours.azurecr.io/hook@" + DIGEST):
            self.assertIn(f"\n{line}\n", others)

    def test_settings_that_can_not_be_had_are_told_with_their_fix(self):
        result = self.run_script(*SETTINGS)
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertIn("fix: run create first", result.stderr)
        self.created()
        (self.folder / "dig").write_text("#!/bin/sh\n")
        result = self.run_script(*SETTINGS)
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertIn("fix: say --redis-network", result.stderr)
        result = self.run_script(*SETTINGS, FAKE_FAIL="acr repository show")
        self.assertIn("fix: bring the image there first", result.stderr)

    def test_what_is_to_be_filled_in_of_the_account_is_named(self):
        self.created()
        known = (REPOSITORY / "docs/settings.md").read_text()
        for provider, key in [("infobip", "base_url"), ("telesign", "customer_id"), ("twilio", "account_sid")]:
            told = self.succeed(*SETTINGS, "--provider", provider).stderr
            # install-aks.md looks for FILL-IN.
            self.assertRegex(told, rf'\n\[\[providers\]\]\nkind = "{provider}"\n{key} = "[^"]*FILL-IN[^"]*"\n\Z')
            self.assertIn(f"`providers[].{key}`", known)
            self.assertEqual('\npublic_url = "https://hook.sms.example.com"\n\n[policy]\n' in told, provider == "twilio")

    def test_whether_okta_falls_back_decides_what_it_is_told_of_a_refusal(self):
        self.created()
        for fallback, status in [("yes", "successful"), ("no", "failed")]:
            told = self.succeed(*SETTINGS[:-1], fallback).stderr
            self.assertIn(f'\n[policy]\n', told)
            self.assertIn(f'\nrefusal_status = "{status}"\n', told)
            self.assertIn('\n[[providers]]\nkind = "acs"\n', told)
        values = (REPOSITORY / "docs/settings.md").read_text()
        self.assertRegex(values, r'`policy\.refusal_status` \|[^\n]*successful')

    def test_the_header_is_in_the_form_that_okta_takes_and_goes_to_a_terminal_alone(self):
        secret = "a+secret/of=the=vault"
        answer = json.dumps({"secret show": secret})
        encoded = base64.b64encode(f"okta:{secret}".encode()).decode()
        result = self.run_script(*HEADER, FAKE_ANSWERS=answer)
        self.assertEqual((result.returncode, result.stdout, self.calls()), (1, "", []))
        self.assertIn("standard output is no terminal", result.stderr)
        code, seen = self.on_terminal(*HEADER, FAKE_ANSWERS=answer)
        self.assertEqual(code, 0, seen)
        self.assertIn(f"Authentication secret  Basic {encoded}\n", seen)
        self.assertIn("URL                    https://hook.sms.example.com/api/okta-telephony\n", seen)
        self.assertNotIn(secret, seen)
        self.assertIn("Basic " + base64.b64encode(f"o:{secret}".encode()).decode(),
                      self.on_terminal(*HEADER, "--okta-user", "o", FAKE_ANSWERS=answer)[1])

    def test_destroy_takes_away_all_that_was_made(self):
        self.created()
        self.succeed(*SUBSCRIBE)
        told = self.succeed(*DESTROY, "--yes").stdout
        left = {thing for thing in (self.folder / "there").read_text().splitlines()
                if not thing.endswith(" registered") and not thing.startswith("secret ")}
        self.assertEqual([thing.split("-")[0] for thing in left], ["deleted kv"])
        self.assertIn("Purge protection keeps it until 2027-02-28", told)
        made = self.made()
        # Roles before those who have them, and each reader before what it reads.
        self.assertLess(made.index("role assignment delete"), made.index("identity delete"))
        self.assertLess(made.index("aks delete"), made.index("keyvault delete"))
        self.assertEqual(made[-1], "group delete")
        again = self.succeed(*DESTROY, "--yes").stdout
        self.assertIn("nothing is there", again)

    def test_destroy_leaves_a_group_that_was_there_and_what_is_not_its_own(self):
        other = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/hooks/providers/Microsoft.Web/sites/other"
        (self.folder / "there").write_text(f"group\n{other}\n")
        self.succeed(*CREATE)
        told = self.succeed(*DESTROY, "--yes").stdout
        self.assertIn(f"which was there before:\n  {other}\n", told)
        self.assertNotIn("group delete", self.made())
        left = (self.folder / "there").read_text().splitlines()
        self.assertEqual([thing for thing in left if thing.startswith("/")], [other])
        self.assertIn("group", left)

    def test_destroy_goes_on_where_it_was_stopped(self):
        self.created()
        result = self.run_script(*DESTROY, "--yes", FAKE_FAIL="acr delete")
        self.assertEqual(result.returncode, 1)
        self.assertIn("then run this again", result.stderr)
        self.succeed(*DESTROY, "--yes")
        self.assertNotIn("aks delete", self.made())
        self.assertIn("acr delete", self.made())

    def test_destroy_asks_first(self):
        self.created()
        result = self.run_script(*DESTROY)
        self.assertEqual(result.returncode, 2)
        self.assertIn("fix: say --yes", result.stderr)
        code, seen = self.on_terminal(*DESTROY, answers="yes\n")
        self.assertEqual(code, 1)
        self.assertIn("nothing was deleted: that is not hooks", seen)
        self.assertEqual([thing for thing in self.made() if "delete" in thing], [])
        code, seen = self.on_terminal(*DESTROY, answers="hooks\n")
        self.assertEqual(code, 0, seen)
        self.assertIn("group delete", self.made())

    def test_what_comes_next_is_told_as_it_is_typed(self):
        told, _ = self.created()
        self.assertIn("Have example.com delegate sms.example.com to these name servers:\n  ns1-01.azure-dns.com.\n  ns2", told)
        self.assertIn("az aks get-credentials --subscription " + SUBSCRIPTION + " --resource-group hooks --name aks-oktasms\n", told)
        self.assertIn("settings with the same options > deploy/spinkube/overlays/mine/settings.env\n", told)
        file = self.work / "azure.env"
        file.write_text("\n".join(f"{option[2:].replace('-', '_')}={value}" for option, value in zip(CREATE[1::2], CREATE[2::2])))
        told = subprocess.run([BASH, str(SCRIPT), "create", "--options", str(file)], env=self.environment(), cwd=REPOSITORY,
                              capture_output=True, text=True, check=True).stdout
        self.assertIn(f"\n  deploy/azure/provision.sh settings --options {file} > deploy/spinkube/", told)

    def test_it_is_written_for_the_bash_of_macos(self):
        # 3.2 has none of these; TEST_BASH runs all tests with one.
        newer = re.compile(r"\$\{\w+(?:,,?|\^\^?|@\w)\}|declare -A|local -[An]|mapfile|readarray|\|&|&>>|;;?&$|wait -n|coproc"
                           r"|\$\{\w+\[-\d|printf -v \S+ ''|EPOCH|BASHPID", re.M)
        for part in PARTS:
            self.assertIsNone(newer.search(part.read_text()), part.name)

    def test_zsh_can_call_it(self):
        if not shutil.which("zsh"):
            self.skipTest("zsh is not installed")
        result = subprocess.run(["zsh", "-c", '"$0" names "$@"', str(SCRIPT), *WHERE], capture_output=True, text=True, check=False)
        self.assertEqual(result.stdout, self.succeed("names", *WHERE).stdout, result.stderr)

    def test_ctrl_c_says_how_to_go_on_and_leaves_nothing_running(self):
        process = subprocess.Popen([BASH, str(SCRIPT), *CREATE], env=self.environment(FAKE_HANG="keyvault create"),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
        for _ in range(200):
            if any(call["args"][:2] == ["keyvault", "create"] for call in self.calls()):
                break
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 130)
        self.assertIn("Run the same command again", errors)

    def test_shellcheck_has_nothing_to_say(self):
        if not shutil.which("shellcheck"):
            self.skipTest("shellcheck is not installed")
        result = subprocess.run(["shellcheck", "-x", *map(str, PARTS)], capture_output=True, text=True, check=False,
                                cwd=REPOSITORY)
        self.assertEqual(result.stdout, "")

    def test_the_real_az_knows_every_command_line(self):
        python = os.environ.get("AZ_PYTHON", sys.executable)
        if subprocess.run([python, "-c", "import azure.cli.core"], capture_output=True, check=False).returncode:
            self.skipTest("azure-cli can't be imported: command lines were not parsed by the real az")
        lines = []
        for command in (CREATE, [*SETTINGS, "--zone-group", "dns"], SUBSCRIBE, [*DESTROY, "--yes"]):
            self.succeed(*command)
            lines += [call["args"] for call in self.calls()]
        self.assertGreater(len(lines), 60)
        result = subprocess.run([python, str(HERE / "parse_with_az.py")], input=json.dumps(lines), text=True,
                                capture_output=True, check=False, timeout=600,
                                env={**os.environ, "AZURE_CONFIG_DIR": str(self.folder / "azure"),
                                     "AZURE_CORE_COLLECT_TELEMETRY": "0"})
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertRegex(result.stdout, r"\A\d+ command lines parsed\n\Z")


if __name__ == "__main__":
    unittest.main()
