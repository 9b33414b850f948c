// The templates are what Azure Resource Manager takes, as far as can be told without Azure.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createRequire } from "node:module";
import { built } from "./build.js";
import { json, queries, text } from "./files.js";
import { parser } from "./kusto.js";

const Ajv = createRequire(import.meta.url)("ajv");
const parse = parser(json("schema.json"));
const alerts = json("alerts.json");
const rules = alerts.resources.map(({ name, properties }) => ({
  name: /'-([a-z-]+)'/.exec(name)[1],
  ...properties,
  ...properties.criteria.allOf[0],
}));

for (const [name, content] of Object.entries(built())) {
  test(`${name} has the queries as they are in their files`, () => {
    assert.ok(text(name) === content, `${name} is to be made anew: npm run build --prefix deploy/azure-monitor/test`);
  });

  test(`${name} has the form that Azure takes`, () => {
    assert.equal(objections(name, json(name)), "");
  });
}

for (const name of ["alerts.json", "workbook-template.json"]) {
  test(`${name} uses each parameter and variable that it declares, and no other`, () => {
    assert.deepEqual(undeclared(json(name)), []);
  });
}

test("the workbook of the template is workbook.json", () => {
  assert.deepEqual(json("workbook-template.json").variables.workbook, json("workbook.json"));
});

test("Azure takes no text of the workbook for an expression", () => {
  JSON.stringify(json("workbook.json"), (key, value) => {
    if (typeof value === "string") assert.ok(!value.startsWith("["), `${key}: ${value}`);
    return value;
  });
});

test("every query is shown in the workbook, once", () => {
  const shown = json("workbook.json").items.filter(({ type }) => type === 3).map(({ name }) => name);
  assert.deepEqual(shown.sort(), Object.keys(queries("queries")));
});

test("the time that is picked in the workbook reaches each query, save those with a time of their own", () => {
  for (const { name, content } of json("workbook.json").items.filter(({ type }) => type === 3)) {
    assert.equal(content.query.includes("{TimeRange:seconds}"), !content.timeContext, name);
    for (const back of content.timeContext ? parse(content.query).ago : []) {
      assert.ok(span(back) * 1000 <= content.timeContext.durationMs, `${name} looks ${back} back`);
    }
  }
});

test("each chart of the workbook shows columns that its query has", () => {
  for (const { name, content } of json("workbook.json").items) {
    if (!content.chartSettings) continue;
    const { columns } = parse(content.query.replaceAll("{TimeRange:seconds}", "86400"));
    const { xAxis, yAxis, group } = content.chartSettings;
    for (const column of [xAxis, ...yAxis, ...(group ? [group] : [])]) assert.ok(column in columns, `${name}: ${column}`);
  }
});

test("each alert has a rule, and each rule the alert's query", () => {
  assert.deepEqual(rules.map(({ name }) => name).sort(), Object.keys(queries("alerts")));
  for (const { name, query } of rules) assert.equal(query, `[variables('queries')['${name}']]`);
});

for (const rule of rules) {
  test(`the rule ${rule.name} can be evaluated`, () => {
    assert.deepEqual(contradictions(rule, alerts.variables.queries[rule.name]), []);
  });
}

// The checks themselves: each of these is wrong in one way.
const [sound] = alerts.resources;
for (const [what, spoil, objection] of [
  ["a duration that is none", ({ properties }) => (properties.windowSize = "5M"), /windowSize/],
  ["a duration that Azure does not take", ({ properties }) => (properties.windowSize = "PT7M"), /windowSize/],
  ["a property with a typo", ({ properties }) => (properties.autoMitigated = true), /additional properties/],
  ["a severity of 5", ({ properties }) => (properties.severity = 5), /severity/],
  ["mute beside auto-resolve", ({ properties }) => (properties.muteActionsDuration = "PT1H"), /must NOT be valid/],
  ["another api-version", (resource) => (resource.apiVersion = "2018-04-16"), /apiVersion/],
]) {
  test(`refused: ${what}`, () => {
    const template = structuredClone(alerts);
    template.resources = [structuredClone(sound)];
    spoil(template.resources[0]);
    assert.match(objections("alerts.json", template), objection);
  });
}

for (const [change, objection] of [
  [{ evaluationFrequency: "PT15M" }, /evaluated less often than its window is long/],
  [{ evaluationFrequency: "PT10M" }, /evaluated but once in its window/],
  [{ metricMeasureColumn: "failed" }, /no column failed/],
  [{ metricMeasureColumn: "country" }, /country is no number/],
  [{ dimensions: [{ name: "region" }] }, /no column region/],
  [{ overrideQueryTimeRange: "PT5M", windowSize: "PT15M" }, /range is shorter than its window/],
  [{ autoMitigate: false, muteActionsDuration: "PT5M", evaluationFrequency: "PT10M", windowSize: "PT10M" }, /muted for less/],
]) {
  test(`refused: a rule with ${JSON.stringify(change)}`, () => {
    const query = `AppEvents | summarize failedPercent = 1.0 * count() by country = tostring(Properties.country)`;
    const rule = { ...rules.find(({ name }) => name === "hook-failing"), ...change };
    assert.match(contradictions(rule, query).join("\n"), objection);
  });
}

test("refused: a query that looks further back than its rule lets it", () => {
  const rule = rules.find(({ name }) => name === "hook-failing");
  const query = alerts.variables.queries["hook-failing"].replace("\n| where", "\n| where TimeGenerated > ago(7d) and");
  assert.match(contradictions(rule, query).join("\n"), /looks 7d back/);
});

test("refused: a parameter that nobody uses, and one that nobody declared", () => {
  const template = structuredClone(alerts);
  template.parameters.unused = template.parameters.enabled;
  template.resources[0].properties.displayName = "[parameters('title')]";
  assert.deepEqual(undeclared(template), ["parameters: title is not declared", "parameters: unused is not used"]);
});

/** What the schema of a file says against its content. */
function objections(name, content) {
  const ajv = new Ajv({ allErrors: true, strictTypes: false });
  return ajv.validate(json(`test/schemas/${name}`), content) ? "" : ajv.errorsText(undefined, { separator: "\n" });
}

/** What a schema can't tell: whether a rule's parts go together. */
function contradictions(rule, query) {
  const found = [];
  const frequency = seconds(rule.evaluationFrequency);
  const window = seconds(rule.windowSize);
  const range = rule.overrideQueryTimeRange ? seconds(rule.overrideQueryTimeRange) : window;
  if (frequency > window) found.push("evaluated less often than its window is long, so something would be missed");
  if (2 * frequency > window) found.push("evaluated but once in its window, so what comes late would be missed");
  if (range < window) found.push("its query's range is shorter than its window");
  if (rule.muteActionsDuration && seconds(rule.muteActionsDuration) < frequency) found.push("muted for less than its frequency");
  const { columns, ago } = parse(query);
  for (const column of [rule.metricMeasureColumn, ...rule.dimensions.map(({ name }) => name)]) {
    if (!(column in columns)) found.push(`its query has no column ${column}`);
  }
  if (!["int", "long", "real"].includes(columns[rule.metricMeasureColumn] ?? "long")) {
    found.push(`${rule.metricMeasureColumn} is no number`);
  }
  // Azure cuts a query's time to the rule's, whatever the query says.
  for (const back of ago) {
    if (span(back) > range) found.push(`its query looks ${back} back`);
  }
  return found;
}

/** The seconds of a literal of KQL, such as 70m. */
function span(literal) {
  const [, count, unit] = /^(\d+)([smhd])$/.exec(literal);
  return count * { s: 1, m: 60, h: 3600, d: 86400 }[unit];
}

/** ISO 8601, as far as rules have it: days, hours and minutes. */
function seconds(duration) {
  const [, days = 0, hours = 0, minutes = 0] = /^P(?=.)(?:(\d+)D)?(?:T(?=.)(?:(\d+)H)?(?:(\d+)M)?)?$/.exec(duration);
  return ((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60;
}

/** The parameters and variables that are used without being declared, or declared without being used. */
function undeclared(template) {
  const whole = JSON.stringify(template);
  return ["parameters", "variables"].flatMap((kind) => {
    const used = new Set([...whole.matchAll(new RegExp(`${kind}\\('(\\w+)'\\)`, "g"))].map(([, name]) => name));
    const declared = Object.keys(template[kind]);
    return [
      ...[...used].filter((name) => !declared.includes(name)).map((name) => `${kind}: ${name} is not declared`),
      ...declared.filter((name) => !used.has(name)).map((name) => `${kind}: ${name} is not used`),
    ];
  });
}
