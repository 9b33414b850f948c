// What docs/monitoring.md says of queries and alerts is what is in the files.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { json, path, queries, text } from "./files.js";

const page = text("../../docs/monitoring.md");
const section = page.split("\n## Alerts and workbook\n")[1].split("\n## ")[0];
const { parameters, resources } = json("alerts.json");

test("the page lists each query, once, and each begins with its question", () => {
  const list = page.split("\n## Ask one question\n")[1].split("\n## ")[0].match(/^- .+$/gm).join("\n");
  const listed = [...list.matchAll(/`([^`]+)`/g)].map(([, name]) => name);
  assert.deepEqual(listed.sort(), Object.keys(queries("queries")));
  for (const [name, query] of Object.entries(queries("queries"))) assert.match(query, /^\/\/ .+\?/, name);
});

test("the page lists each alert, with its threshold, window and severity", () => {
  const rows = [...section.matchAll(/^\| `([a-z-]+)` \| (.+) \| (\d) \| .+ \|$/gm)];
  assert.deepEqual(rows.map(([, name]) => name).sort(), Object.keys(queries("alerts")));
  for (const [, name, condition, severity] of rows) {
    const { properties } = resources.find((resource) => resource.name.includes(`'-${name}'`));
    const { threshold } = properties.criteria.allOf[0];
    assert.equal(value(properties.severity), Number(severity), name);
    if (threshold !== 0) assert.match(condition, new RegExp(`more than ${value(threshold)}\\b`), name);
    const [, count, unit] = /(\d+) (minutes|hour)\b/.exec(condition) ?? [];
    if (count) assert.equal(properties.windowSize, `PT${count}${unit[0].toUpperCase()}`, name);
  }
});

test("each alert's text names a query, where the page does", () => {
  const names = Object.keys(queries("queries"));
  for (const [, alert, todo] of section.matchAll(/^\| `([a-z-]+)` \| .+ \| \d \| (.+) \|$/gm)) {
    const asked = /Ask `([a-z-]+)`/.exec(todo)?.[1];
    if (!asked) continue;
    assert.ok(names.includes(asked), asked);
    const { properties } = resources.find((resource) => resource.name.includes(`'-${alert}'`));
    assert.ok(properties.description.startsWith(`See ${asked}`), `${alert}: ${properties.description}`);
  }
});

test("the page names no parameter that is not there", () => {
  for (const [, name] of section.matchAll(/\b(\w+)=(?:\d+|true|false)\b/g)) assert.ok(name in parameters, name);
});

test("README's links lead somewhere", () => {
  for (const [, link] of text("README.md").matchAll(/\]\(([^)#]+)/g)) assert.ok(existsSync(path(link)), link);
});

/** The default of the parameter that a rule takes. */
function value(expression) {
  return parameters[/^\[parameters\('(\w+)'\)\]$/.exec(expression)[1]].defaultValue;
}
