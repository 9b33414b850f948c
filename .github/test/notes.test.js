// Which tags are released, and with which notes: scripts/release-notes.sh.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
const versioned = ["Cargo.toml", "numbering/Cargo.toml", "dev/Cargo.toml", "Cargo.lock", "spin.toml"];
const folder = mkdtempSync(join(tmpdir(), "release-notes-"));
after(() => rmSync(folder, { recursive: true }));
for (const file of [...versioned, "scripts/release-notes.sh"]) {
  mkdirSync(dirname(join(folder, file)), { recursive: true });
  cpSync(join(root, file), join(folder, file));
}
const version = /^version = "(.+)"$/m.exec(readFileSync(join(root, "Cargo.toml"), "utf8"))[1];

function notes(tag, changelog) {
  writeFileSync(join(folder, "CHANGELOG.md"), changelog);
  const { status, stdout, stderr } = spawnSync(join(folder, "scripts/release-notes.sh"), [tag], { encoding: "utf8" });
  return { status, stdout, stderr };
}

const changelog = `# Changelog

## [Unreleased]

## [${version}] - 2026-11-24

### Added

- All of it, with [a link](README.md).

## [0.0.1] - 2026-11-01

### Added

- Little.

[Unreleased]: https://example.com/compare
`;

test("a version's own section are its notes", () => {
  const { status, stdout, stderr } = notes(`v${version}`, changelog);
  assert.equal(stderr, "");
  assert.equal(stdout, "### Added\n\n- All of it, with [a link](README.md).\n");
  assert.equal(status, 0);
});

for (const [what, tag, text, message] of [
  ["a tag that is no version", `${version}`, changelog, /name it like v1\.2\.3/],
  ["a tag with a zero in front", "v01.2.3", changelog, /name it like v1\.2\.3/],
  ["another version than Cargo.toml's", "v9.9.9", changelog, /^release-notes\.sh: Cargo\.toml has version .+: set it to 9\.9\.9/],
  ["a version without a section", `v${version}`, changelog.replace(`[${version}]`, "[9.9.9]"), /no section/],
  ["a section without a date", `v${version}`, changelog.replace(" - 2026-11-24", ""), /no section/],
  ["a section with a day that is none", `v${version}`, changelog.replace("2026-11-24", "soon"), /no section/],
  ["a section with nothing in it", `v${version}`, changelog.replace(/### Added\n\n- All.*\n/, ""), /is empty/],
]) {
  test(`${what} is refused`, () => {
    const { status, stdout, stderr } = notes(tag, text);
    assert.equal(status, 1);
    assert.equal(stdout, "");
    assert.match(stderr, message);
  });
}

for (const file of versioned.slice(1)) {
  test(`a version that ${file} has not is refused`, () => {
    const path = join(folder, file);
    const was = readFileSync(path, "utf8");
    writeFileSync(path, was.replace(new RegExp(`((?:name = "(?:okta-telephony-(?:acs|dev)|numbering)"\n)version = )"${version}"`, "g"), '$1"8.8.8"'));
    const { status, stderr } = notes(`v${version}`, changelog);
    writeFileSync(path, was);
    assert.equal(status, 1);
    assert.match(stderr, new RegExp(`^release-notes\\.sh: ${file.replace(".", "\\.")} has .*8\\.8\\.8`));
  });
}
