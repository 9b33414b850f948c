// What README says of queries and alerts is what is in the files.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { json, path, queries, text } from "./files.js";

const readme = text("README.md");
const { parameters, resources } = json("alerts.json");

test("README lists each query", () => {
  const listed = [...readme.matchAll(/^\| \[([a-z-]+)\]\(queries\/\1\.kql\) \| .+\? \|$/gm)].map(([, name]) => name);
  assert.deepEqual(listed.sort(), Object.keys(queries("queries")));
});

test("README lists each alert, with its threshold, window and severity", () => {
  const rows = [...readme.matchAll(/^\| `([a-z-]+)` \| (.+) \| (\d) \| .+ \|$/gm)];
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

test("each alert's text names a query, where README does", () => {
  const names = Object.keys(queries("queries"));
  for (const [, alert, todo] of readme.matchAll(/^\| `([a-z-]+)` \| .+ \| \d \| (.+) \|$/gm)) {
    const asked = /Ask `([a-z-]+)`/.exec(todo)?.[1];
    if (!asked) continue;
    assert.ok(names.includes(asked), asked);
    const { properties } = resources.find((resource) => resource.name.includes(`'-${alert}'`));
    assert.ok(properties.description.startsWith(`See ${asked}`), `${alert}: ${properties.description}`);
  }
});

test("README names no parameter that is not there", () => {
  for (const [, name] of readme.matchAll(/\b(\w+)=(?:\d+|true|false)\b/g)) assert.ok(name in parameters, name);
});

test("README's links lead somewhere", () => {
  for (const [, link] of readme.matchAll(/\]\(([^)#]+)/g)) assert.ok(existsSync(path(link)), link);
});

/** The default of the parameter that a rule takes. */
function value(expression) {
  return parameters[/^\[parameters\('(\w+)'\)\]$/.exec(expression)[1]].defaultValue;
}
