// Puts the queries' texts into the two templates and the workbook, which can't refer to files. `npm run build` after
// a change of a query; the test fails while it is still to be done. All else in the three files is written by hand.
import { writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { json, path, queries } from "./files.js";

/** The line that says how far back a query looks, which in the workbook is for whoever reads it to choose. */
const WINDOW = /^let window = \w+;$/m;
const PICKED = "let window = {TimeRange:seconds} * 1s;";

/** What the files should be, by name. */
export function built() {
  const alerts = json("alerts.json");
  alerts.variables.queries = queries("alerts");

  const workbook = json("workbook.json");
  const texts = queries("queries");
  for (const item of workbook.items.filter(({ type }) => type === 3)) {
    if (!(item.name in texts)) throw new Error(`workbook.json: there is no queries/${item.name}.kql`);
    item.content.query = texts[item.name].replace(WINDOW, PICKED);
  }

  const template = json("workbook-template.json");
  template.variables.workbook = workbook;

  const files = { "alerts.json": alerts, "workbook.json": workbook, "workbook-template.json": template };
  return Object.fromEntries(
    Object.entries(files).map(([name, content]) => [name, `${JSON.stringify(content, null, 2)}\n`]),
  );
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const [name, content] of Object.entries(built())) writeFileSync(path(name), content);
}
