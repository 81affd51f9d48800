import { printable } from "../base/errors.js";

export interface Column {
  title: string;
  /** Numbers stand right. Default left. */
  align?: "left" | "right";
  /** Longer cells lose their middle. Default 48. */
  widest?: number;
}

/** Names out of a file may be of any length; a table stays readable. */
const widestCell = 48;

/**
 * A table in plain text: columns two blanks apart, a rule under the titles, and over the last `totals` rows.
 * Cells are made printable, since names come from files.
 */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  { totals = 0, strong = (text: string) => text } = {},
): string {
  const cells = rows.map((row) => row.map((cell, i) => printable(cell, columns[i].widest ?? widestCell)));
  const widths = columns.map(({ title }, i) => Math.max(title.length, ...cells.map((row) => widthOf(row[i] ?? ""))));
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => {
        const blanks = " ".repeat(widths[i] - widthOf(cell));
        return columns[i].align === "right" ? blanks + cell : cell + blanks;
      })
      .join("  ")
      .trimEnd();
  const rule = widths.map((width) => "─".repeat(width)).join("  ");
  const body = cells.map(line);
  if (totals > 0) body.splice(body.length - totals, 0, rule);
  return [strong(line(columns.map(({ title }) => title))), rule, ...body].join("\n");
}

/** Two columns without titles: facts and their values. */
export function renderFacts(facts: readonly (readonly [string, string])[]): string {
  const width = Math.max(...facts.map(([name]) => widthOf(name)));
  return facts.map(([name, value]) => `${name}${" ".repeat(width - widthOf(name))}  ${value}`.trimEnd()).join("\n");
}

function widthOf(text: string): number {
  return [...text].length;
}
