// Microsoft's own KQL parser, with the tables of ../schema.json: a table, column or function that is not there is an
// error, as it is in Log Analytics. It knows all of Kusto, of which Log Analytics lacks a little: what this accepts
// is sound, but the last word is Azure's.
import { createRequire } from "node:module";

// The package is C# compiled to JavaScript for browsers. Its two files share globals, and the runtime comes first.
// Its `main` lacks the runtime, so it can't be imported by name.
const require = createRequire(import.meta.url);
require("@kusto/language-service-next/bridge.min");
require("@kusto/language-service-next/Kusto.Language.Bridge.min");
const { Bridge, Kusto } = globalThis;
const { GlobalState, KustoCode, Symbols, Syntax } = Kusto.Language;

const TYPES = {
  bool: Symbols.ScalarTypes.Bool,
  datetime: Symbols.ScalarTypes.DateTime,
  dynamic: Symbols.ScalarTypes.Dynamic,
  int: Symbols.ScalarTypes.Int,
  real: Symbols.ScalarTypes.Real,
  string: Symbols.ScalarTypes.String,
};
const BAGS = { Properties: "properties", Measurements: "measurements" };

/**
 * What one query says, read by the real parser.
 *
 * - `problems`: what the parser objects to, as text.
 * - `columns`: the names of the result's columns, with their types.
 * - `tables`: the tables it reads, each time it reads one.
 * - `keys`: every `Properties.key` and `Measurements.key`, with the tables that it may come from.
 * - `comparisons`: every comparison of a column or a key with literal text.
 * - `ago`: the literal arguments of `ago`.
 */
export function parser(schema) {
  const owners = new Map();
  const tables = Object.entries(schema.tables).map(([table, { columns }]) => {
    const symbols = Object.entries({ ...schema.columns, ...columns }).map(([name, type]) => {
      if (!(type in TYPES)) throw new Error(`${table}.${name} has the unknown type ${type}`);
      const column = new Symbols.ColumnSymbol(name, TYPES[type], null, null, null, null);
      owners.set(column, table);
      return column;
    });
    return new Symbols.TableSymbol.$ctor4(table, symbols);
  });
  const state = GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.ctor("workspace", tables));

  /** A column of a `union` or a `join` is a new one, made of those of the tables. */
  function tablesOf(column) {
    if (owners.has(column)) return [owners.get(column)];
    return list(column.OriginalColumns).flatMap(tablesOf);
  }

  return function parse(text) {
    const code = KustoCode.ParseAndAnalyze(text, state);
    const found = { problems: [], columns: {}, tables: [], keys: [], comparisons: [], ago: [] };
    found.problems = list(code.GetDiagnostics()).map(
      (diagnostic) => `line ${lineOf(text, diagnostic.Start)}: ${diagnostic.Message} (${diagnostic.Code})`,
    );
    for (const column of list(code.ResultType?.Columns)) found.columns[column.Name] = column.Type.Name;
    visit(code.Syntax, (node) => {
      if (Bridge.is(node, Syntax.NameReference)) {
        const symbol = node.ReferencedSymbol;
        if (tables.includes(symbol)) found.tables.push(symbol.Name);
        // A bag may be read by `.key` only: only then can the key be checked.
        if (node.SimpleName in BAGS && Bridge.is(symbol, Symbols.ColumnSymbol)) {
          const path = node.Parent;
          if (Bridge.is(path, Syntax.PathExpression) && path.Expression === node) {
            const bag = BAGS[node.SimpleName];
            found.keys.push({ bag, key: words(path.Selector), tables: tablesOf(symbol) });
          } else {
            found.problems.push(`${node.SimpleName} is read otherwise than by .key: ${words(path)}`);
          }
        }
      }
      if (Bridge.is(node, Syntax.BinaryExpression) || Bridge.is(node, Syntax.InExpression)) {
        const operator = words(node.Operator);
        const literals = ["and", "or"].includes(operator) ? [] : literalsIn(node.Right);
        if (literals.length > 0) found.comparisons.push({ ...subject(node.Left), operator, literals });
      }
      if (Bridge.is(node, Syntax.FunctionCallExpression) && node.Name.SimpleName === "ago") {
        found.ago.push(words(node.ArgumentList).slice(1, -1));
      }
    });
    return found;
  };

  /** What is compared: the name, without the cast around it, and the tables that it is a column of. */
  function subject(node) {
    if (Bridge.is(node, Syntax.FunctionCallExpression) && node.Name.SimpleName === "tostring") {
      return subject(node.ArgumentList.Expressions.getItem(0).Element);
    }
    if (Bridge.is(node, Syntax.PathExpression)) return { name: words(node.Selector), tables: [] };
    const symbol = node.ReferencedSymbol;
    return { name: words(node), tables: Bridge.is(symbol, Symbols.ColumnSymbol) ? tablesOf(symbol) : [] };
  }
}

function literalsIn(node) {
  const literals = [];
  visit(node, (inner) => {
    if (Bridge.is(inner, Syntax.LiteralExpression) && typeof inner.LiteralValue === "string") {
      literals.push(inner.LiteralValue);
    }
  });
  return literals;
}

function visit(node, see) {
  see(node);
  for (let index = 0; index < node.ChildCount; index += 1) {
    const child = node.GetChild(index);
    if (child) visit(child, see);
  }
}

/** The text of a node, without the comments and line breaks before it. */
function words(node) {
  return node.toString().replace(/\/\/.*$/gm, "").trim();
}

/** C#'s lists have no iterator here. */
function list(items) {
  return Array.from({ length: items?.Count ?? 0 }, (_, index) => items.getItem(index));
}

function lineOf(text, offset) {
  return text.slice(0, offset).split("\n").length;
}
