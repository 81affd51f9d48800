import { existsSync } from "node:fs";
import { Command } from "@commander-js/extra-typings";
import { EspalierError } from "../../base/errors.js";
import { makeFolder } from "../../base/files.js";
import { holdsCheckpoints } from "../../prune/checkpoints.js";
import { type CommandBuilder, type CommandContext, defineCommand } from "../command.js";
import { commandLine } from "../run-facts.js";
import { Terminal } from "../terminal.js";
import { pruneCommand } from "./prune.js";
import { trainCommand } from "./train.js";

const folder = "out/demo";
const dense = `${folder}/lenet-5.onnx`;
const pruned = `${folder}/lenet-5-pruned.onnx`;
const report = `${folder}/report.html`;
const data = ["--data", "fashion-mnist-small"];
// Started again after Ctrl-C it goes on; started again after it was done it begins anew.
const again = ["--resume", "--force"];

const training = ["lenet-5", ...data, "--epochs", "12", "-o", dense, ...again];
const pruning = [
  ...[dense, ...data, "--sparsity", "0.95", "--epochs", "15", "--rate", "0.005"],
  ...["--sparse", "-o", pruned, "--report", report, ...again],
];

const next = `Look at ${report} in a browser. Then try:

  npx espalier inspect ${pruned}
  npx espalier bench ${dense} ${pruned}
  npx espalier prune ${dense} ${data.join(" ")} --max-drop 1 --sparse -o ${folder}/smallest.onnx
  npx espalier prune --help`;

/** Nothing but two commands that anybody could type, shown before they run. */
export const demoCommand = defineCommand((command, context) => {
  command.action(async () => {
    const terminal = new Terminal();
    makeFolder(folder);
    // Stopped in its second half it has no need to train again.
    if (!existsSync(dense) || !holdsCheckpoints(`${pruned}.checkpoint`)) {
      await run(["train", ...training], trainCommand, context, terminal);
    }
    await run(["prune", ...pruning], pruneCommand, context, terminal);
    process.stdout.write(`\n${next}\n`);
  });
});

async function run(
  argv: readonly string[],
  build: CommandBuilder,
  { signal }: CommandContext,
  terminal: Terminal,
): Promise<void> {
  terminal.note(`\n$ ${commandLine(argv)}`);
  const program = new Command("espalier").exitOverride();
  build(program.command(argv[0]), { signal, argv });
  try {
    await program.parseAsync([...argv], { from: "user" });
  } catch (error) {
    if (!(error instanceof EspalierError) || error.code !== "interrupted") throw error;
    throw new EspalierError(error.code, error.what, { who: error.who, hint: "Start the demo again to go on." });
  }
}
