"""provision.sh, with an az that only writes down what it is called with.

    python3 -m unittest discover --start-directory deploy/azure/test

Where the real azure-cli can be imported by the Python that AZ_PYTHON names, or by this one, each recorded
command line is parsed by it as well; elsewhere that is skipped, with a line that says so.
"""

import json
import os
import pathlib
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
SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
CREATE = ["create", "--subscription", SUBSCRIPTION, "--group", "hooks", "--location", "westeurope",
          "--data-location", "Europe", "--aks", "cluster"]
SUBSCRIBE = ["subscribe", "--subscription", SUBSCRIPTION, "--group", "hooks", "--hook", "https://hook.example.com"]
SECRETS = ["acs-connection-string", "okta-basic-secret", "records-redis-url", "secrets"]
# What the fake's resources hold, and what may be neither shown nor an argument.
KEPT = ["ACS+KEY/one==", "REDIS+KEY/one=", "01234567-89ab-cdef-0123-456789abcdef", "the+report/secret="]

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
}
for kind, place in kinds.items():
    if words.startswith(kind):
        add(place + (value("--name") or value("--workspace-name")))
if words.startswith("group show"):
    "group" in things or absent()
elif words.startswith("group create"):
    add("group")
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
elif words.startswith("provider show"):
    print("Registered" if "Storage" in words else "NotRegistered")
elif words.startswith("role assignment list"):
    role = "role %s %s %s" % (value("--assignee-object-id"), value("--role"), value("--scope"))
    print("id" if role in things else "")
elif words.startswith("role assignment create"):
    add("role %s %s %s" % (value("--assignee-object-id"), value("--role"), value("--scope")))
elif words.startswith("keyvault secret list"):
    print("\n".join(thing[7:] for thing in things if thing.startswith("secret ")))
elif words.startswith("keyvault secret set"):
    add("secret " + value("--name"))
elif words.startswith("keyvault secret show"):
    print(os.environ.get("FAKE_SECRETS", "[operator]\nsecret = \"another\"\n\n[reports]\nsecret = \"the+report/secret=\"\n"))
elif words.startswith("aks show"):
    print("https://westeurope.oic.prod-aks.azure.com/tenant/cluster/")
elif words.startswith("ad signed-in-user show"):
    print("55555555-2222-3333-4444-555555555555")
'''

CURL = "#!/bin/sh\nprintf %s \"${FAKE_STATUS:-200}\"\n"


class Provision(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.work = self.folder / "work"
        self.work.mkdir()
        self.document = self.work / "secrets.toml"
        for name, text in [("az", FAKE.replace("/usr/bin/env python3", sys.executable + " -IS")), ("curl", CURL)]:
            tool = self.folder / name
            tool.write_text(text)
            tool.chmod(tool.stat().st_mode | stat.S_IXUSR)

    def environment(self, **more):
        return {**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}", "FAKE_STATE": str(self.folder),
                "PROVISION_WAIT_SECONDS": "0", **more}

    def run_script(self, *arguments, **environment):
        (self.folder / "calls").unlink(missing_ok=True)
        return subprocess.run(["bash", str(SCRIPT), *arguments], env=self.environment(**environment),
                              capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120, check=False,
                              cwd=self.work)

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
            elif words[-1:] in (["create"], ["set"], ["register"]):
                name = " " + args[args.index("--name") + 1] if words[0] == "keyvault" and words[-1] == "set" else ""
                changes.append(" ".join(words) + name)
        return changes

    def test_a_dry_run_prints_the_commands_and_runs_none(self):
        for command in (CREATE, SUBSCRIBE):
            result = self.succeed(*command, "--dry-run")
            self.assertEqual(self.calls(), [])
            shown = [line for line in result.stdout.splitlines() if re.search(r"(^|\| )az ", line)]
            self.succeed(*command)
            # Each command that was run, less those that only wait or tell, is one that was shown.
            heads = {tuple(word for word in re.sub(r"^.*\| ", "", line).split()[1:4]) for line in shown}
            for call in self.calls():
                self.assertIn(tuple(call["args"][:3]), heads)

    def test_a_dry_run_needs_no_az(self):
        bare = self.folder / "bare"
        bare.mkdir()
        for tool in ("bash", "cksum", "cut", "tr", "cat"):
            (bare / tool).symlink_to(shutil.which(tool))
        result = subprocess.run(["bash", str(SCRIPT), *CREATE, "--dry-run"], env={"PATH": str(bare)},
                                capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        result = subprocess.run(["bash", str(SCRIPT), *CREATE], env={"PATH": str(bare)},
                                capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("az is not installed", result.stderr)

    def test_what_is_needed_comes_before_what_needs_it(self):
        self.succeed(*CREATE)
        made = [thing for thing in self.made() if thing != "provider register"]
        self.assertEqual(made, [
            "group create",
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
            "identity federated-credential create",
        ])

    def test_a_cluster_that_is_not_there_yet_stops_nothing_else(self):
        result = self.run_script(*CREATE, FAKE_FAIL="aks show", FAKE_CODE="3")
        self.assertEqual(result.returncode, 1)
        self.assertIn("fix: make the cluster first, or leave --aks out", result.stderr)
        self.assertIn("keyvault secret set records-redis-url", self.made())
        told = self.succeed(*CREATE[:-2]).stdout
        self.assertRegex(told, r"service account +none yet: run create again with --aks")
        self.assertRegex(self.succeed(*CREATE).stdout, r"service account +okta-telephony:okta-telephony\n")

    def test_where_deliveries_are_seen_is_told(self):
        told = self.succeed(*SUBSCRIBE).stdout
        self.assertIn("https://hook.example.com/api/deliveries", told)
        self.assertIn("kubectl --namespace okta-telephony port-forward service/okta-telephony 3000:80", told)

    def test_what_is_there_is_not_made_again(self):
        self.succeed(*CREATE)
        self.succeed(*CREATE)
        made = [thing for thing in self.made() if thing != "provider register"]
        # This one az writes over what is there, so that a new cluster can take the old one's place.
        self.assertEqual(made, ["identity federated-credential create"])
        # What was begun by a run that was stopped may still be in the making.
        awaited = [call["args"][3] for call in self.calls() if call["args"][:2] == ["resource", "wait"]]
        self.assertEqual([id.split("/")[-2] for id in awaited],
                         ["communicationServices", "components", "redisEnterprise", "databases"])
        registered = [call["args"] for call in self.calls() if call["args"][:2] == ["provider", "register"]]
        self.assertFalse(any("Microsoft.Storage" in args for args in registered))

    def test_a_run_that_was_stopped_goes_on_where_it_stopped(self):
        result = self.run_script(*CREATE, FAKE_FAIL="storage account create")
        self.assertEqual(result.returncode, 1)
        self.succeed(*CREATE)
        made = [thing for thing in self.made() if thing != "provider register"]
        self.assertEqual(made[0], "storage account create")

    def written(self):
        """What was written into the vault."""
        sets = [call for call in self.calls() if call["args"][:3] == ["keyvault", "secret", "set"]]
        return {call["args"][call["args"].index("--name") + 1]: call["input"] for call in sets}

    def test_the_four_secrets_have_their_names_and_their_values(self):
        self.succeed(*CREATE)
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
        told = self.succeed(*CREATE).stdout
        self.assertEqual(stat.S_IMODE(self.document.stat().st_mode), 0o600)
        text = self.document.read_text()
        self.assertEqual(self.written()["secrets"], text)
        self.assertEqual(re.findall(r"^(?:\[.+\]|\w+)", text, re.M),
                         ["[operator]", "secret", "[reports]", "secret", "[store]", "secret",
                          "[application_insights]", "connection_string"])
        self.assertIn('\nconnection_string = "InstrumentationKey=', text)
        self.assertIn("so it can go", told)
        # The keys are those that the hook knows.
        known = re.findall(r"^\| `([^`]+)` \|", (HERE.parents[2] / "docs/settings.md").read_text(), re.M)
        for key in ("operator.secret", "reports.secret", "store.secret", "application_insights.connection_string"):
            self.assertIn(key, known)

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
        for command in (CREATE, [*CREATE, "--refresh-secrets"], SUBSCRIBE):
            result = self.succeed(*command)
            secrets = list(KEPT)
            for text in self.written().values():
                secrets += re.findall(r'"(.+)"', text) or [text]
            for secret in secrets:
                self.assertNotIn(secret, result.stdout)
                self.assertNotIn(secret, result.stderr)
                for call in self.calls():
                    self.assertFalse(any(secret in argument for argument in call["args"]), call["args"][:4])
            dry = self.succeed(*command, "--dry-run").stdout
            self.assertFalse(any(secret in dry for secret in secrets))

    def test_secrets_of_resources_are_written_anew_only_when_asked(self):
        self.succeed(*CREATE)
        self.succeed(*CREATE, "--refresh-secrets")
        made = [thing for thing in self.made() if thing.startswith("keyvault")]
        self.assertEqual(made, [
            "keyvault secret set acs-connection-string",
            "keyvault secret set records-redis-url",
        ])

    def test_each_identity_has_one_role_on_one_thing(self):
        self.succeed(*CREATE)
        self.check_roles([("55555555", "User", "Key Vault Secrets Officer", "/vaults/kv-oktasms-"),
                          ("22222222", "ServicePrincipal", "Key Vault Secrets User", "/vaults/kv-oktasms-")])
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
        self.succeed(*CREATE)
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
        self.assertIn("dead-letters/", json.loads(rule["input"])["rules"][0]["definition"]["filters"]["prefixMatch"])

    def test_options_leave_out_what_they_say(self):
        self.succeed(*CREATE, "--without-redis")
        self.assertFalse([call for call in self.calls() if "redis" in " ".join(call["args"]).lower()])
        shown = self.succeed(*CREATE, "--private-redis", "--dry-run").stdout
        self.assertIn('"publicNetworkAccess":"Disabled"', shown)
        without_cluster = self.succeed(*CREATE[:-2])
        self.assertIn("no cluster may read the secrets yet", without_cluster.stdout)

    def test_a_redis_that_is_there_is_not_passed_off_as_another(self):
        self.succeed(*CREATE)
        for option, complaint in [(["--private-redis"], "has a public endpoint, although --private-redis"),
                                  (["--redis-sku", "Balanced_B3"], "is Balanced_B0, although --redis-sku Balanced_B3")]:
            result = self.run_script(*CREATE, *option)
            self.assertEqual(result.returncode, 1, result.stdout)
            self.assertIn(complaint, result.stderr)
            self.assertIn("or leave " + option[0] + " out", result.stderr.splitlines()[-1])
        self.succeed(*CREATE, "--redis-sku", "Balanced_B0")

    def test_names_fit_and_are_the_same_at_each_run(self):
        first, second = (self.succeed(*CREATE, "--name", "a2345678901", "--dry-run").stdout for _ in range(2))
        self.assertEqual(first, second)
        vault = re.search(r"/vaults/([^ /']+)", first).group(1)
        storage = re.search(r"/storageAccounts/([^ /']+)", first).group(1)
        self.assertRegex(vault, r"\A[a-z][a-z0-9-]{1,22}[a-z0-9]\Z")
        self.assertRegex(storage, r"\A[a-z0-9]{3,24}\Z")
        other = self.succeed(*[*CREATE[:4], "others", *CREATE[5:]], "--dry-run").stdout
        self.assertNotIn(re.search(r"/vaults/([^ /']+)", self.succeed(*CREATE, "--dry-run").stdout).group(1), other)

    def test_whatever_fails_stops_it_and_is_told_with_its_fix(self):
        for command, fail in [
            (CREATE, "provider register"), (CREATE, "group create"), (CREATE, "communicationServices"),
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
            result = self.run_script(*CREATE, FAKE_MAKING="Canceled")
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
            (["destroy"], "no command destroy"),
            (["create"], "--subscription is missing"),
            ([*CREATE, "--colour", "red"], "no option --colour"),
            ([*CREATE, "--hook"], "--hook has no value"),
            ([*CREATE, "--name", "Hook"], "--name is Hook"),
            ([*CREATE, "--name", "x\";rm"], "--name is"),
            ([*CREATE, "--group", "a/b"], "--group is a/b"),
            ([*CREATE, "--data-location", "Eu\"rope"], "--data-location is"),
            ([*CREATE, "--oidc-issuer", "https://issuer/"], "both --aks and --oidc-issuer"),
            ([*CREATE, "--service-account", "hook"], "--service-account is hook"),
            ([*CREATE[:-2], "--service-account", "a:b"], "--service-account is given, and no cluster"),
            ([*SUBSCRIBE, "--hook", "http://hook.example.com"], "--hook is http://"),
            ([*SUBSCRIBE, "--hook", "https://hook.example.com/api"], "--hook is https://"),
        ]:
            with self.subTest(arguments=arguments):
                result = self.run_script(*arguments)
                self.assertEqual(result.returncode, 1, result.stderr)
                self.assertIn(complaint, result.stderr)
                self.assertEqual(self.calls(), [])

    def test_help_names_every_option(self):
        text = self.succeed("--help").stdout
        known = set(re.findall(r"^ +(--[a-z-]+)\b(?:\)| \|)", SCRIPT.read_text(), re.M))
        known |= set(re.findall(r"\| (--[a-z-]+)", SCRIPT.read_text()))
        self.assertGreater(len(known), 12)
        for option in known:
            self.assertIn(option, text)
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
        for status, complaint in [("503", "not in order"), ("302", "redirects"), ("404", "answers 404"), ("000", "reached")]:
            result = self.run_script(*SUBSCRIBE, FAKE_STATUS=status)
            self.assertEqual(result.returncode, 1)
            self.assertIn(complaint, result.stderr)
            self.assertEqual(self.calls(), [])
        self.succeed(*SUBSCRIBE, "--no-check", FAKE_STATUS="503")

    def test_ctrl_c_says_how_to_go_on_and_leaves_nothing_running(self):
        process = subprocess.Popen(["bash", str(SCRIPT), *CREATE], env=self.environment(FAKE_HANG="keyvault create"),
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
        result = subprocess.run(["shellcheck", str(SCRIPT)], capture_output=True, text=True, check=False)
        self.assertEqual(result.stdout, "")

    def test_the_real_az_knows_every_command_line(self):
        python = os.environ.get("AZ_PYTHON", sys.executable)
        if subprocess.run([python, "-c", "import azure.cli.core"], capture_output=True, check=False).returncode:
            self.skipTest("azure-cli can't be imported: command lines were not parsed by the real az")
        lines = []
        for command in (CREATE, SUBSCRIBE):
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
