// Where the files are, and how they are read.
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The path of a file, as seen from deploy/azure-monitor. */
export function path(name) {
  return fileURLToPath(new URL(`../${name}`, import.meta.url));
}

export function text(name) {
  return readFileSync(path(name), "utf8");
}

export function json(name) {
  return JSON.parse(text(name));
}

/** The queries of a folder, by the names of their files without `.kql`. */
export function queries(folder) {
  const names = readdirSync(path(folder)).filter((name) => name.endsWith(".kql")).sort();
  return Object.fromEntries(names.map((name) => [name.slice(0, -".kql".length), text(`${folder}/${name}`)]));
}
