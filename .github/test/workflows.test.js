// The workflows are in order, and what is not would be found.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { hasShellcheck, problems } from "./lint.js";

const root = fileURLToPath(new URL("../../", import.meta.url));
const folder = ".github/workflows";
const names = readdirSync(root + folder).filter((name) => /\.ya?ml$/.test(name)).sort();
const text = (path) => readFileSync(root + path, "utf8");

test("there are workflows, and scripts are looked at where all must be proven", () => {
  assert.deepEqual(names, ["release.yml", "test.yml"]);
  assert.ok(hasShellcheck || !process.env.CI, "shellcheck is not installed");
});

for (const name of names) {
  test(`${name} is in order`, () => {
    const path = `${folder}/${name}`;
    assert.equal(problems(text(path), path).join("\n"), "");
  });
}

test("an action is of one version everywhere", () => {
  const versions = {};
  for (const name of names) {
    for (const [, action, version] of text(`${folder}/${name}`).matchAll(/uses: ([^@\s]+)@(.+)/g)) {
      assert.equal((versions[action] ??= version), version, `${name}: ${action}`);
    }
  }
  assert.ok(Object.keys(versions).length > 4);
});

test("cargo-deny is of one version in the release and before a change lands", () => {
  const release = /CARGO_DENY: (\S+)/.exec(text(`${folder}/release.yml`))[1];
  const [, version] = /^deny=(\S+)$/m.exec(text(".ci/run"));
  assert.equal(version, release);
});

test("what was built twice is uploaded before anything else runs", () => {
  const { jobs } = parse(text(`${folder}/release.yml`));
  const steps = Object.values(jobs).flatMap((job) => job.steps ?? []);
  const built = steps.findIndex(({ run }) => run?.includes("reproducible.sh"));
  assert.match(steps[built + 1].uses, /^actions\/upload-artifact@/);
});

const sound = `name: Sound
on: push
permissions: {}
concurrency: sound
defaults:
  run:
    shell: bash
jobs:
  one:
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    permissions:
      contents: read
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
        with:
          persist-credentials: false
      - run: echo "$GITHUB_REF_NAME"
`;

test("a sound workflow has no problems", () => {
  assert.deepEqual(problems(sound, "sound.yml"), []);
});

const broken = [
  ["a job that needs one that is not there", "    runs-on: ubuntu-24.04\n", "    runs-on: ubuntu-24.04\n    needs: two\n", 9, /needs job "two"/],
  ["a key that GitHub doesn't know", "timeout-minutes", "timeout-minute", 11, /timeout-minute/],
  ["a property of a context that is not there", 'echo "$GITHUB_REF_NAME"', "echo\n        if: github.reff == 'a'", 19, /reff/],
  ["text that is no YAML", "on: push", "on: [push", 3, /sequence/],
  ["a tag in place of a commit", "@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1", "@v7", 15, /not pinned/],
  ["half of a commit", "@3d3c42e5aac5ba805825da76410c181273ba90b1", "@3d3c42e", 15, /not pinned/],
  ["a commit without its version", " # v7.0.1", "", 15, /which version/],
  ["rights for the whole workflow", "permissions: {}", "permissions: write-all", 3, /permissions must be \{\}/],
  ["a job without rights of its own", "    permissions:\n      contents: read\n", "", 9, /no permissions of its own/],
  ["a job without an end", "    timeout-minutes: 5\n", "", 9, /no timeout-minutes/],
  ["a token that is left lying about", "persist-credentials: false", "persist-credentials: true", 15, /persist-credentials/],
  ["a name from outside in a script", '"$GITHUB_REF_NAME"', "${{ github.head_ref }}", 18, /hand it over in env/],
  ["pipes that fail unnoticed", "    shell: bash", "    shell: sh", 1, /shell must be bash/],
  ["a build where there are rights to publish", "      contents: read\n    steps:\n", "      contents: write\n    steps:\n      - run: cargo install x\n", 15, /must not build/],
  ["a Spin that is known by its version where there are rights to publish", "      contents: read\n    steps:\n", "      packages: write\n    steps:\n      - uses: spinframework/actions/spin/setup@06319d3612303cb558fabe9b13cc0d7256d0aeb9 # main\n        with:\n          version: v3.6.3\n", 15, /check Spin's signature/],
  ["two runs at once", "concurrency: sound\n", "", 1, /concurrency is missing/],
];
if (hasShellcheck) broken.push(["a script that splits words", '"$GITHUB_REF_NAME"', "$GITHUB_REF_NAME", 18, /SC2086/]);

for (const [what, right, wrong, line, message] of broken) {
  test(`${what} is refused with its file and line`, () => {
    assert.ok(sound.includes(right));
    const found = problems(sound.replace(right, () => wrong), "broken.yml");
    assert.ok(found.some((one) => one.startsWith(`broken.yml:${line}: `) && message.test(one)), found.join("\n") || "nothing was found");
  });
}
