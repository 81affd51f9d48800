import { formatCount, formatShort } from "../base/format.js";
import type { LayerDescription } from "../prune/structured/depth/describe-layers.js";
import type { GroupsDescription } from "../prune/structured/describe-groups.js";
import { describeRun } from "../report/comparison.js";
import type { Shapes } from "../run/example.js";
import { renderTable } from "./table.js";
import type { Terminal } from "./terminal.js";

const most = 3;

/** The first names, and how many more there are. */
function some(names: readonly string[]): string {
  const distinct = [...new Set(names)];
  const more = distinct.length - most;
  return [...distinct.slice(0, most), ...(more > 0 ? [`${more} more`] : [])].join(", ");
}

/** What can be cut, what hangs together, and what is frozen, for people. */
export function renderGroups(
  { sets, frozen, layers, inputs }: GroupsDescription & { layers: readonly LayerDescription[]; inputs: Shapes },
  terminal: Terminal,
): string {
  const strong = (text: string) => terminal.style("bold", text);
  const rows = sets.map((set) => [
    set.name,
    set.unit,
    formatCount(set.groups),
    formatCount(set.parameters),
    formatShort(set.macs),
    some(set.coupled.slice(1).map(({ name }) => name)),
  ]);
  const columns = [
    { title: "units of" },
    { title: "kind" },
    { title: "there are", align: "right" as const },
    { title: "each has", align: "right" as const },
    { title: "MACs", align: "right" as const },
    { title: "together with" },
  ];
  const layerColumns = [
    { title: "layer" },
    { title: "block" },
    { title: "attention" },
    { title: "parameters", align: "right" as const },
    { title: "MACs", align: "right" as const },
  ];
  const layerRows = layers.map(({ name, block, attention, parameters, macs }) => [
    name,
    String(block + 1),
    attention ? "yes" : "",
    formatCount(parameters),
    formatShort(macs),
  ]);
  const reasons = frozen.map(({ reason, axes }) => [
    some(axes.map(({ name, axis }) => `${name} axis ${axis}`)),
    formatCount(axes.length),
    reason,
  ]);
  // The reason comes last and in full: it is what one reads this for, and where lines are wrapped nothing else moves.
  const reasonColumns = [
    { title: "axes of" },
    { title: "there are", align: "right" as const },
    { title: "reason", widest: 200 },
  ];
  return [
    strong("What can be cut"),
    renderTable(columns, rows, { strong }),
    `MACs: ${describeRun({ inputs })}`,
    "",
    strong("What cannot, and why"),
    renderTable(reasonColumns, reasons, { strong }),
    ...(layers.length === 0
      ? []
      : ["", strong("Layers that can be bypassed"), renderTable(layerColumns, layerRows, { strong })]),
  ].join("\n");
}
