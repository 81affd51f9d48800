import { Option } from "@commander-js/extra-typings";
import { formatBytes, formatCount, formatPercent, formatShort } from "../../base/format.js";
import { readModel } from "../../onnx/file.js";
import { measureSizes, type Sizes } from "../../pack/sizes.js";
import { buildGroups } from "../../prune/structured/build-groups.js";
import { describeLayers } from "../../prune/structured/depth/describe-layers.js";
import { describeGroups } from "../../prune/structured/describe-groups.js";
import { usualTrace } from "../../prune/structured/usual-trace.js";
import { type Inspection, inspectModel, type Port, trainingInfo } from "../../report/inspect.js";
import type { LayerInfo } from "../../report/layers.js";
import { nodeEngine } from "../../run/node.js";
import { defineCommand } from "../command.js";
import { formatDims } from "../format.js";
import { renderGroups } from "../groups.js";
import { renderHistogram } from "../histogram.js";
import { jsonOption, seedOption, shapeOption } from "../options.js";
import { renderFacts, renderTable } from "../table.js";
import { Terminal } from "../terminal.js";
import { renderTrainable, renderTraining } from "../trainable.js";
import { wishOption } from "../units.js";

export const inspectCommand = defineCommand((command) => {
  command
    .argument("<model>", "ONNX file")
    .option("--layer <glob>", "show the histogram of these tensors or nodes only")
    .option("--groups", "show what can be cut out of the network, what hangs together, and what cannot and why")
    .addOption(wishOption)
    .addOption(
      new Option("--trainable", "show what can be trained, and what keeps the rest from it").conflicts("groups"),
    )
    .addOption(shapeOption)
    .addOption(seedOption)
    .addOption(jsonOption)
    .action(async (path, { layer, groups, granularity, trainable, shape, seed, json }) => {
      const terminal = new Terminal({ json });
      const model = readModel(path);
      if (groups) {
        const grouping = await buildGroups(model, {
          engine: nodeEngine,
          shapes: shape,
          prefer: granularity && [granularity],
        });
        const { model: prepared, trace } = grouping;
        const usual = await usualTrace(grouping, nodeEngine, shape);
        const description = {
          ...describeGroups(grouping, usual),
          layers: describeLayers(prepared, trace, usual),
          inputs: Object.fromEntries(prepared.graph.requiredInputs.map((input) => [input.name, usual.dims(input)])),
        };
        terminal.result({ model: path, ...description }, () => renderGroups(description, terminal));
        return;
      }
      if (trainable) {
        const training = trainingInfo(model);
        terminal.result({ model: path, training }, () => renderTrainable(training, terminal));
        return;
      }
      // Compression runs on a thread of its own.
      const [inspection, sizes] = await Promise.all([
        inspectModel(model, { engine: nodeEngine, shapes: shape, layer, seed }),
        measureSizes(path, model),
      ]);
      terminal.result({ model: path, ...inspection, ...sizes }, () => render(path, inspection, sizes, terminal));
    });
});

function render(path: string, inspection: Inspection, sizes: Sizes, terminal: Terminal): string {
  const { operators, opsets, irVersion, inputs, outputs } = inspection;
  const title = (text: string) => terminal.style("bold", text);
  const facts: [string, string][] = [
    [
      "operator sets",
      Object.entries(opsets)
        .map(([domain, version]) => `${domain} ${version}`)
        .join(", "),
    ],
    ["IR version", String(irVersion)],
    ...inputs.map((port): [string, string] => ["input", renderPort(port)]),
    ...outputs.map((port): [string, string] => ["output", renderPort(port)]),
    [
      "operators",
      Object.entries(operators)
        .map(([name, count]) => `${name} ${count}`)
        .join(", "),
    ],
    [
      "parameters",
      `${formatCount(sizes.parameters)}, not zero ${formatCount(sizes.nonzeros)} (${share(sizes.nonzeros, sizes.parameters)})`,
    ],
    ["file", `${formatBytes(sizes.bytes)}, after brotli ${formatBytes(sizes.brotliBytes)}`],
    ["MACs", renderMacs(inspection)],
  ];
  return [
    title(path),
    renderFacts(facts),
    "",
    renderLayers(inspection, terminal),
    "",
    title("Weights by |w|, bars logarithmic"),
    renderHistogram(inspection.histogram),
    "",
    title("Training"),
    renderTraining(inspection.training),
  ].join("\n");
}

function share(part: number, whole: number): string {
  return whole === 0 ? "–" : formatPercent(part / whole);
}

function renderPort({ name, dtype, dims }: Port): string {
  return dtype ? `${name}: ${dtype} ${formatDims(dims)}` : `${name}: no tensor`;
}

function renderMacs({ macs, effectiveMacs, macsUnknown, uncounted }: Inspection): string {
  if (macs === null || effectiveMacs === null) return `not counted: ${macsUnknown}`;
  const counted = `${formatShort(macs)}, effective ${formatShort(effectiveMacs)} (${share(effectiveMacs, macs)})`;
  return uncounted.length === 0 ? counted : `${counted}, without ${uncounted.join(", ")}`;
}

function renderLayers({ layers, parameters, nonzeros, macs, effectiveMacs }: Inspection, terminal: Terminal): string {
  const count = (value: number | null) => (value === null ? "–" : formatCount(value));
  const row = ({ name, op, dims, ...layer }: LayerInfo) => [
    name,
    op,
    dims ? dims.join("x") : "",
    count(layer.parameters),
    count(layer.nonzeros),
    count(layer.macs),
    count(layer.effectiveMacs),
  ];
  const total = ["total", "", "", count(parameters), count(nonzeros), count(macs), count(effectiveMacs)];
  return renderTable(
    [
      { title: "layer" },
      { title: "operator" },
      { title: "weight" },
      { title: "parameters", align: "right" },
      { title: "not zero", align: "right" },
      { title: "MACs", align: "right" },
      { title: "effective", align: "right" },
    ],
    [...layers.map(row), total],
    { totals: 1, strong: (text) => terminal.style("bold", text) },
  );
}
