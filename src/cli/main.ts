#!/usr/bin/env node
import { Command, CommanderError } from "@commander-js/extra-typings";
import { EspalierError, messageOf } from "../base/errors.js";
import type { CommandBuilder } from "./command.js";
import { exitCodes, reportFailure } from "./failure.js";
import { packageVersion } from "./version.js";

interface Verb {
  summary: string;
  load(): Promise<CommandBuilder>;
}

/** Each is loaded when it is called: onnxruntime takes longer to load than most of what is said about it. */
const verbs: Readonly<Record<string, Verb>> = {
  inspect: {
    summary: "show what a model is made of, layer by layer, and what of it can be trained",
    load: async () => (await import("./commands/inspect.js")).inspectCommand,
  },
  train: {
    summary: "train a reference network from nothing, or a model file further",
    load: async () => (await import("./commands/train.js")).trainCommand,
  },
  evaluate: {
    summary: "measure accuracy and loss of a model on labelled data",
    load: async () => (await import("./commands/evaluate.js")).evaluateCommand,
  },
  bench: {
    summary: "measure size and speed of models side by side",
    load: async () => (await import("./commands/bench.js")).benchCommand,
  },
  prune: {
    summary: "remove weights of a trained model, train the rest back, write the smaller model",
    load: async () => (await import("./commands/prune.js")).pruneCommand,
  },
  demo: {
    summary: "train and prune a small network on data that come with espalier",
    load: async () => (await import("./commands/demo.js")).demoCommand,
  },
};

/** Ends the process on purpose. */
type EndProcess = (code: number) => void;

async function main(argv: readonly string[], end: EndProcess): Promise<number> {
  const signal = watchInterrupts(end);
  ignoreClosedPipes(end);
  const program = new Command("espalier")
    .description("Prunes trained neural networks: ONNX in, smaller and faster ONNX out.")
    .version(packageVersion())
    .exitOverride()
    .showHelpAfterError("Run with --help to see what is possible.");
  const asked = argv.filter((argument) => Object.hasOwn(verbs, argument));
  for (const [name, verb] of Object.entries(verbs)) {
    const command = program.command(name).description(verb.summary);
    // Commands that are not asked for appear in the list only.
    if (asked.includes(name)) (await verb.load())(command, { signal, argv });
  }
  try {
    await program.parseAsync(argv, { from: "user" });
    return exitCodes.done;
  } catch (error) {
    // Commander has said what it has to say: help and version end with 0, everything else is bad usage.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.badUsage;
    return reportFailure(error);
  }
}

/**
 * The first Ctrl-C asks the work to stop at the next safe point, the second one ends the process. A terminal that closes
 * and a system that shuts down ask in the same way.
 */
function watchInterrupts(end: EndProcess): AbortSignal {
  const controller = new AbortController();
  const stop = () => {
    if (controller.signal.aborted) end(exitCodes.interrupted);
    controller.abort();
    process.stderr.write("\nstopping; press Ctrl-C again to end at once\n");
  };
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, stop);
  return controller.signal;
}

/** Whoever reads the output may stop reading (`| head`): the work goes on, the rest of the output is dropped. */
function ignoreClosedPipes(end: EndProcess): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (cause: NodeJS.ErrnoException) => {
      if (cause.code === "EPIPE") return;
      const failure = new EspalierError("io", `the output cannot be written (${messageOf(cause)})`, { cause });
      end(reportFailure(failure));
    });
  }
}

/**
 * A module with data may end the process, and one whose promise never settles leaves Node with nothing to wait for. Neither
 * may look like a command that is done.
 */
function watchEarlyEnd(): EndProcess {
  let ended = false;
  const end = (code: number) => {
    ended = true;
    process.exit(code);
  };
  const refuse = (what: string) =>
    reportFailure(
      new EspalierError("bad-data", what, {
        hint: "Is there a module in --data? It must settle its promises and not call process.exit.",
      }),
    );
  // Comes when there is nothing left to wait for, and not when somebody ends the process.
  process.on("beforeExit", () => end(refuse("the command waits for something that never comes")));
  process.on("exit", (code) => {
    if (!ended)
      process.exitCode = refuse(`something ended the process with exit code ${code} before the command was done`);
  });
  return end;
}

const end = watchEarlyEnd();
process.on("uncaughtException", (error) => end(reportFailure(error)));
const code = await main(process.argv.slice(2), end);
// onnxruntime-web's threads may keep the process alive. What is still in the pipe goes out before, and whether that failed
// is known one round of the event loop later.
process.stdout.write("", () => setImmediate(() => end(code)));
