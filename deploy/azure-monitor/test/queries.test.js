// Every query says what Microsoft's parser understands, of the tables, keys and values that the hook sends.
import assert from "node:assert/strict";
import { test } from "node:test";
import { json, queries, text } from "./files.js";
import { parser } from "./kusto.js";

const schema = json("schema.json");
const parse = parser(schema);
const reasons = documentedReasons();

/** All queries, by the file that they are in. Those of the workbook are as they are after a choice of time. */
const all = [
  ...["queries", "alerts"].flatMap((folder) =>
    Object.entries(queries(folder)).map(([name, query]) => [`${folder}/${name}.kql`, query]),
  ),
  ...Object.entries(json("alerts.json").variables.queries).map(([name, query]) => [`alerts.json: ${name}`, query]),
  ...["workbook.json", "workbook-template.json"].flatMap((file) => {
    const content = json(file);
    return (content.variables?.workbook ?? content).items
      .filter(({ type }) => type === 3)
      .map(({ name, content: { query } }) => [`${file}: ${name}`, query.replaceAll("{TimeRange:seconds}", "86400")]);
  }),
];

for (const [file, query] of all) {
  test(`${file} is understood, and asks for what the hook sends`, () => {
    const found = problems(query);
    assert.equal(found.length, 0, [file, ...found].join("\n"));
  });
}

test("every query begins with what it answers", () => {
  for (const [file, query] of all) assert.match(query, /^\/\/ .+\?/, file);
});

// The checker itself. Each of these queries is wrong in one way, and must be refused for it.
const where = `AppRequests | where AppRoleName == "okta-telephony-acs" and Name == "POST /api/okta-telephony"`;
for (const [query, objection] of [
  [`${where} and Sucess == false`, /'Sucess' does not refer to any known column/],
  [`${where} | where frequency(DurationMs) > 1`, /'frequency' does not refer to any known function/],
  [`AppReqests | count`, /'AppReqests' does not refer to any known table/],
  [`${where} | summarize count() by bin(TimeGenerated, 1h`, /Expected: \)/],
  [`${where} | summarize last = max(TimeGenerated)`, /needs to be bracketed/],
  [`${where} | project Target`, /'Target' does not refer to any known column/],
  [`${where} | summarize count() by Properties.country`, /'dynamic' is not allowed/],
  [`${where} | where Properties.contry == "DE"`, /AppRequests has no properties\.contry/],
  [`${where} | where Properties.code == "4000"`, /AppRequests has no properties\.code/],
  [`${where} | where Measurements.deliveryMs > 1`, /AppRequests has no measurements\.deliveryMs/],
  [`${where} | where Properties["country"] == "DE"`, /read otherwise than by \.key/],
  [`${where} | where Properties.reason == "provider_trottled"`, /reason is never provider_trottled/],
  [`${where} | extend reason = tostring(Properties.reason) | where reason in ("paused", "pused")`, /reason is never pused/],
  [`${where} | where tostring(Properties.outcome) != "refuse"`, /outcome is never refuse/],
  [`${where} | where Properties.credential endswith "_old"`, /credential is never _old/],
  [`${where} | where Properties.warnings has "keys_tempered"`, /warnings is never keys_tempered/],
  [`AppRequests | count`, /reads 1 table\(s\), and picks the hook's rows of 0/],
  [`${where.replace("okta-telephony-acs", "okta-telephony")} | count`, /AppRoleName is never okta-telephony/],
  [`${where.replace("/api/", "/")} | count`, /Name is never POST \/okta-telephony/],
]) {
  test(`refused: ${query.replace(where, "…")}`, () => {
    assert.match(problems(query).join("\n"), objection);
  });
}

test("a query without fault passes", () => {
  assert.deepEqual(problems(`${where} | where Properties.reason == "provider_throttled" | count`), []);
});

test("the reasons are read from docs/answers.md", () => {
  for (const reason of ["accepted", "unauthorized", "rate_limited", "misconfigured", "deadline_exceeded"]) {
    assert.ok(reasons.includes(reason), reason);
  }
});

test("docs/monitoring.md tells of the same warnings", () => {
  const page = text("../../docs/monitoring.md");
  for (const warning of schema.tables.AppRequests.properties.warnings) assert.ok(page.includes(`| \`${warning}\` |`), warning);
});

/** What stands before a code, by who gives it. */
const PREFIXES = { Acs: "", Infobip: "infobip-", InfobipStatus: "infobip-status-", Telesign: "telesign-", Twilio: "twilio-" };

/** Codes of messages that arrived, or may have. */
const NO_FAILURES = ["2000", "infobip-5001", "infobip-10002", "telesign-201", "telesign-250", "telesign-251", "telesign-599"];

test("failed-deliveries knows each code of a failure, and says what the hook says", () => {
  const said = Object.fromEntries(
    [...queries("queries")["failed-deliveries"].matchAll(/^ {4}"((?:infobip-(?:status-)?|telesign-|twilio-)?\d+)", "(.+)", "(.+)",?$/gm)].map(
      ([, code, meaning, fix]) => [code, { meaning, fix }],
    ),
  );
  const hook = [...text("../../src/records/code.rs").matchAll(/^ {4}known\(Code::(Acs|Infobip|InfobipStatus|Telesign|Twilio)\((\d+)\), "(.+)", "(.+)"\),$/gm)]
    .map(([, by, code, ...words]) => [PREFIXES[by] + code, ...words.map((word) => word[0].toUpperCase() + word.slice(1))])
    .filter(([code]) => !NO_FAILURES.includes(code));
  assert.ok(hook.length > 10);
  assert.deepEqual(Object.keys(said), hook.map(([code]) => code));
  for (const [code, meaning, fix] of hook) {
    assert.equal(said[code].meaning, meaning, code);
    // It may go on from there, with what else a query can find.
    assert.ok(`${said[code].fix}; `.startsWith(`${fix}; `), `${code}: ${said[code].fix}`);
  }
});

/** All that is wrong with a query, as text. */
function problems(query) {
  const { problems: found, tables, keys, comparisons } = parse(query);
  for (const { bag, key, tables: from } of keys) {
    if (from.length === 0) found.push(`${bag}.${key}: of which table?`);
    for (const table of from) {
      const known = schema.tables[table][bag];
      if (!(Array.isArray(known) ? known.includes(key) : Object.hasOwn(known, key))) {
        found.push(`${table} has no ${bag}.${key} in schema.json`);
      }
    }
  }
  for (const { name, tables: of, operator, literals } of comparisons) {
    const known = values(name, of);
    for (const literal of known ? literals : []) {
      const fits = operator.endsWith("endswith") ? known.some((value) => value.endsWith(literal)) : known.includes(literal);
      if (!fits) found.push(`${name} is never ${literal}`);
    }
  }
  // A workspace may be shared, and other programs send to the same tables.
  const picked = comparisons.filter(({ name, operator }) => name === "AppRoleName" && operator === "==").length;
  if (picked !== tables.length) {
    found.push(`the query reads ${tables.length} table(s), and picks the hook's rows of ${picked}`);
  }
  return found;
}

/** What a column or a key can hold, where it is known. A column made of a key has the key's name, in all queries. */
function values(name, tables) {
  if (name === "AppRoleName") return [schema.appRoleName];
  if (name === "Name") return tables.flatMap((table) => schema.tables[table].name);
  for (const { properties } of Object.values(schema.tables)) {
    if (properties[name] === "a reason") return reasons;
    if (Array.isArray(properties[name])) return properties[name];
  }
  return undefined;
}

function documentedReasons() {
  const [, table] = text("../../docs/answers.md").split("\n## The reasons\n");
  return ["accepted", ...[...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, reason]) => reason)];
}
