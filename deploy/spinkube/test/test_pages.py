"""The pages that a reader copies commands from, and the versions that all files name.

    deploy/spinkube/test/run
"""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import yaml

import manifests

DOCS = manifests.ROOT / "docs"
INSTALL = DOCS / "install-aks.md"
PAGES = [INSTALL, DOCS / "upgrade.md", *(DOCS / f"alternatives/{name}.md" for name in ("certificate", "csi-driver", "gitops", "ways-in"))]
# What these mean to zsh, an assignment changes: `path` is $PATH.
ZSH_SPECIAL = {"argv", "cdpath", "commands", "fpath", "functions", "history", "mailpath", "manpath", "options", "parameters",
               "path", "pipestatus", "prompt", "psvar", "signals", "status", "watch", "words"}


def blocks(text, language="sh"):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def without_quotes(block, double=True):
    """A block's text outside of quotes, as far as these pages nest them."""
    text = re.sub(r"'[^']*'", "''", block)
    return re.sub(r'"[^"]*"', '""', text) if double else text


def pasting_problems(block):
    """What pasted into an interactive bash or zsh does something else than in a script."""
    found, text = [], without_quotes(block)
    if re.search(r"(^|\s)#", text):
        found.append("has a comment, which zsh takes for a command or an argument")
    if "!" in re.sub(r"\$!(?=\s)", "", without_quotes(block, double=False)):
        found.append("has a !, which repeats a command of before, in zsh in \"$!\" too")
    if re.search(r"(?<!\$)[\[\]?*]", re.sub(r"\$\{[^}]*\}|\$\([^)]*\)", "", text)):
        found.append("has a pattern without quotes, for which zsh wants a file")
    named = re.findall(r"\b(?:for|read(?: -\w+)*) (\w+)|^\s*(?:export )?(\w+)=", text, re.M)
    found += [f"sets {name}, which is zsh's own" for pair in named for name in pair if name in ZSH_SPECIAL]
    if re.search(r"^\s*read\b", text, re.M):
        found.append("reads a line, which would be the next one that is pasted")
    return found


# What `provision.sh names` prints.
NAMES = ["registry", "cluster", "cluster_group", "vault", "workspace", "insights", "identity"]
COMMANDS = ["az", "cargo", "curl", "date", "dig", "gh", "helm", "jq", "kubectl", "sleep"]
# Writes down how it was called; `names` answers as provision.sh does.
STUB = """#!/bin/sh
{ printf %s "${0##*/}"; for argument; do printf ' <%s>' "$argument"; done; echo; } >>"$CALLS"
case "${0##*/} $1" in
  'provision.sh names') for name in NAMES; do echo "$name=the-$name"; done ;;
  *) echo "answer" ;;
esac
""".replace("NAMES", " ".join(NAMES))


def paste(shell, commands):
    """What a page calls when it is pasted into an interactive shell, with stubs for all that reaches out; and the errors."""
    with tempfile.TemporaryDirectory() as folder:
        home = pathlib.Path(folder)
        example = home / "deploy/spinkube/overlays/example"
        shutil.copytree(manifests.SPINKUBE / "overlays/example", example)
        shutil.copytree(example, example.parent / "mine")
        (values,) = blocks(INSTALL.read_text(), "ini")
        (example.parent / "mine/azure.env").write_text(values)
        (example.parent / "mine/names.env").write_text("".join(f"{name}=the-{name}\n" for name in NAMES))
        stubs = [home / "bin" / name for name in COMMANDS]
        stubs += [home / "deploy/azure/provision.sh"]
        stubs += [home / "scripts" / path.name for path in (manifests.ROOT / "scripts").glob("*.sh")]
        for stub in stubs:
            stub.parent.mkdir(parents=True, exist_ok=True)
            stub.write_text(STUB)
            stub.chmod(0o755)
        calls = home / "calls"
        calls.touch()
        answer = subprocess.run(
            {"bash": ["bash", "--norc", "--noprofile", "-i"], "zsh": ["zsh", "-f", "-i"]}[shell],
            input="\n".join(commands), capture_output=True, text=True, cwd=home, timeout=60, start_new_session=True,
            env={"PATH": f"{home / 'bin'}:{os.environ['PATH']}", "HOME": folder, "CALLS": str(calls), "TERM": "dumb"},
        )
        # In the background they come in any order.
        return "".join(sorted(calls.read_text().splitlines(keepends=True))), answer.stderr


class Commands(unittest.TestCase):
    def test_every_block_is_read_by_bash_and_zsh(self):
        shells = [shell for shell in ("bash", "zsh") if shutil.which(shell)]
        self.assertIn("bash", shells)
        seen = 0
        for page in PAGES:
            for block in blocks(page.read_text()):
                for shell in shells:
                    answer = subprocess.run([shell, "-n"], input=block, capture_output=True, text=True)
                    self.assertEqual((answer.returncode, answer.stderr), (0, ""), f"{page.name}, {shell}:\n{block}")
                self.assertEqual(pasting_problems(block), [], f"{page.name}:\n{block}")
                seen += 1
        self.assertGreater(seen, 25)

    def test_what_works_in_a_script_and_not_at_a_prompt_is_found(self):
        for block, word in [
            ("registry=x   # the world's only one\n", "comment"),
            ("# wait\nsleep 1\n", "comment"),
            ('echo "done!"\n', "!"),
            ('kill "$!"\n', "!"),
            ("curl https://host/api?limit=1\n", "pattern"),
            ("kubectl get pods --output jsonpath={.items[0]}\n", "pattern"),
            ("for path in a b; do echo; done\n", "path"),
            ("status=$(true)\n", "status"),
            ("read -r phone\n", "reads"),
        ]:
            self.assertTrue(any(word in problem for problem in pasting_problems(block)), block)
        self.assertEqual(pasting_problems("""az show --query '[0].id # !' "$x" "${host%".$zone"}" && kill $!\n"""), [])

    def test_pasted_into_bash_and_zsh_the_pages_call_the_same_commands_with_nothing_empty(self):
        script = (manifests.ROOT / "deploy/azure/provision.sh").read_text()
        for name in NAMES:
            self.assertTrue(re.search(rf'(?m)^(  say ")?{name}=\$', script), f"provision.sh names does not print {name}")
        # An upgrade page begins with the files that the install has made.
        begin = [block for block in blocks(INSTALL.read_text()) if '. "$mine/' in block]
        for page in PAGES:
            commands = blocks(page.read_text())
            if page != INSTALL:
                commands = begin + commands
            said = {shell: paste(shell, commands) for shell in ("bash", "zsh") if shutil.which(shell)}
            for shell, (calls, errors) in said.items():
                self.assertEqual(calls, said["bash"][0], f"{page.name}, {shell}")
                self.assertNotIn("<>", calls, page.name)
                self.assertNotRegex(errors, r"(?i)not found|no matches|no such file|parse error|syntax error", f"{page.name}, {shell}")
            self.assertGreater(calls.count("\n"), 1, page.name)

    def test_the_reader_sets_one_phone(self):
        text = INSTALL.read_text()
        self.assertEqual(len(re.findall(r"^phone=\+", text, re.M)), 1)
        self.assertEqual(len(re.findall(r"\+\d{8,}", text)), 1)
        self.assertIn('scripts/explain.sh "$phone"', text)


class Install(unittest.TestCase):
    def test_it_is_one_short_path_that_begins_with_the_plan(self):
        text = INSTALL.read_text()
        self.assertLessEqual(len(text.splitlines()), 200)
        self.assertIn("](plan.md)", text.split("\n## ")[0])
        self.assertNotRegex(text, r"\bcargo |overlays/(?!example|mine)")
        self.assertIn("](okta.md)", text.split("\n## ")[-1])

    def test_each_step_ends_with_its_check(self):
        steps = INSTALL.read_text().split("\n## ")[1:]
        self.assertEqual([step[:2] for step in steps], [f"{number}." for number in range(1, len(steps) + 1)])
        for step in steps:
            self.assertEqual(step.count("**Check:**"), 1, step.splitlines()[0])

    def test_what_is_left_to_fill_in_is_found_and_nothing_else(self):
        (pattern,) = re.findall(r"grep --line-number '(.+)' .+ \|\| echo all set", INSTALL.read_text())
        for file in ("settings.env", "settings.toml"):
            text = (manifests.SPINKUBE / "overlays/example" / file).read_text()
            found = [line for line in text.splitlines() if re.search(pattern, line)]
            self.assertEqual(found, [line for line in text.splitlines() if "FILL-IN" in line and not line.startswith("#")])
            self.assertGreater(len(found), 5)
            filled = [line if line.startswith("#") else line.replace("FILL-IN", "mine") for line in text.splitlines()]
            self.assertEqual([line for line in filled if re.search(pattern, line)], [])

    def test_the_image_comes_by_the_digest_that_was_verified(self):
        (block,) = [block for block in blocks(INSTALL.read_text()) if "az acr import" in block]
        self.assertLess(block.index("gh attestation verify"), block.index("az acr import"))
        self.assertIn("--signer-workflow", block)
        self.assertRegex(block, r'--source "ghcr\.io/\$repository@\$digest"')


class GitOps(unittest.TestCase):
    @unittest.skipUnless(shutil.which("git"), "there is no git")
    def test_an_overlay_in_a_repository_of_its_own_builds_the_same_from_a_tag(self):
        blocks_of_page = blocks((DOCS / "alternatives/gitops.md").read_text(), "yaml")
        (remote,) = [yaml.safe_load(block) for block in blocks_of_page if "?ref=" in block]
        example = manifests.SPINKUBE / "overlays/example"
        with tempfile.TemporaryDirectory() as folder:
            home = pathlib.Path(folder)
            for part in ("base", "components", "values"):
                shutil.copytree(manifests.SPINKUBE / part, home / "theirs/deploy/spinkube" / part)
            git = ["git", "-C", str(home / "theirs"), "-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "init.defaultBranch=main"]
            for command in (["init"], ["add", "--all"], ["commit", "--message", "x"], ["tag", "v0.1.0"]):
                subprocess.run(git + command, check=True, capture_output=True)
            own = home / "own"
            shutil.copytree(example, own)
            kustomization = yaml.safe_load((example / "kustomization.yaml").read_text()) | remote
            text = yaml.safe_dump(kustomization, sort_keys=False)
            text = text.replace("https://github.com/OWNER/REPOSITORY", f"file://{home / 'theirs'}")
            (own / "kustomization.yaml").write_text(text)
            self.assertEqual(manifests.build(own), manifests.build(example))


# Where a file names a version of each. What `newest known` says is for the table alone.
VERSIONS = {
    "Spin shim": [r"containerd-shim-spin/releases/download/v([\d.]+)/", r"\b[Ss]him v?(\d+\.\d+\.\d+)"],
    "SpinKube operator": [
        r"spin-operator/releases/download/v([\d.]+)/", r"charts/spin-operator --version ([\d.]+)", r"\boperator (\d+\.\d+\.\d+)",
    ],
    "Runtime Class Manager": [r"runtime-class-manager --version ([\d.]+)", r"Runtime Class Manager (\d+\.\d+\.\d+)"],
    "cert-manager": [r"cert-manager --version v([\d.]+)", r"cert-manager v?(\d+\.\d+\.\d+)"],
    "External Secrets Operator": [r"external-secrets --version ([\d.]+)", r"External Secrets(?: Operator)? (\d+\.\d+\.\d+)"],
    "Spin": [r"\bSPIN: v([\d.]+)"],
    "Kubernetes": [r"--kubernetes-version ([\d.]+)", r"\bKUBERNETES_VERSION=([\d.]+)"],
    "azure-cli": [r"\bAZ_VERSION=([\d.]+)", r"`?az`? (2\.\d+[.\d]*)\s+or\s+later"],
}


def table():
    """Each component's cells: pinned, newest known, supported until, tried."""
    section = (DOCS / "upgrade.md").read_text().split("## Versions")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in section.splitlines() if line.startswith("| ")]
    return {row[0]: row[1:] for row in rows[1:]}


def version(cell):
    """A cell's first version."""
    return re.search(r"\d+(\.\d+)+", cell)[0]


def files():
    """Whatever names a version for a reader or a machine. What was measured once, and with which, is for the maintainers' pages."""
    root = manifests.ROOT
    roots = [root / name for name in ("README.md", "SECURITY.md", "docs", "deploy", "scripts", ".github/workflows")]
    for path in (path for top in roots for path in ([top] if top.is_file() else sorted(top.rglob("*")))):
        parts = path.relative_to(root).parts
        if path.suffix not in {".md", ".yaml", ".yml", ".sh", ".env", ".toml"} and path.name != "fields.py":
            continue
        if {"node_modules", ".venv", "contributing", "mine"} & set(parts):
            continue
        if "overlays" in parts and not {"example", "dev"} & set(parts):
            continue
        yield "/".join(parts), path.read_text()


def other_versions(name, text):
    """What a text says of a component that is not the pinned version, and how often it says the pinned one."""
    pinned, said = version(table()[name][0]), []
    # The table has the newest ones, too.
    text = re.sub(r"^\| .*$", "", text, flags=re.M) if text.startswith("# Upgrade") else text
    for pattern in VERSIONS[name]:
        said += re.findall(pattern, text.replace("\\\n", " "))
    right = [at for at in said if pinned == at or pinned.startswith(f"{at}.")]
    return [at for at in said if at not in right], len(right)


class Versions(unittest.TestCase):
    def test_no_file_names_another_version_than_the_table(self):
        texts = list(files())
        self.assertGreater(len(texts), 50)
        for name in VERSIONS:
            times = 0
            for path, text in texts:
                others, right = other_versions(name, text)
                self.assertEqual(others, [], f"{path}: {name}")
                times += right
            self.assertGreater(times, 0, f"nothing names {name} as the patterns expect it")

    def test_another_version_is_found(self):
        for name, text in [
            ("Spin shim", "https://github.com/spinframework/containerd-shim-spin/releases/download/v0.23.0/x"),
            ("SpinKube operator", "helm upgrade x oci://ghcr.io/spinframework/charts/spin-operator --version 0.6.0 \\\n"),
            ("cert-manager", "helm upgrade --install cert-manager oci://quay.io/jetstack/charts/cert-manager --version v1.20.0"),
            ("External Secrets Operator", "helm upgrade oci://x/external-secrets --version 2.9.0 --wait"),
            ("Spin", "  SPIN: v3.6.2"),
            ("Kubernetes", "az aks upgrade --kubernetes-version 1.35"),
            ("Kubernetes", "readonly KUBERNETES_VERSION=1.37\n"),
        ]:
            self.assertEqual(len(other_versions(name, text)[0]), 1, name)

    def test_what_is_said_to_be_tried_is_what_the_tests_use(self):
        rows = table()
        requirements = (manifests.HERE / "requirements-kubectl.txt").read_text()
        self.assertIn(f"=={version(rows['kubectl'][3])}\n", requirements)
        tried = re.findall(r"\d+\.\d+", rows["Kubernetes"][3])
        self.assertEqual([f"{at}.0" for at in tried], manifests.KUBERNETES)

    def test_kubectl_and_gateway_api_are_those_of_the_cluster(self):
        rows = table()
        self.assertEqual(version(rows["kubectl"][0]), version(rows["Kubernetes"][0]))
        self.assertIn(f"Kubernetes {version(rows['Kubernetes'][0])}", rows["Gateway API"][0])


if __name__ == "__main__":
    unittest.main()
