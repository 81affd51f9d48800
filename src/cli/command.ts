import type { Command } from "@commander-js/extra-typings";

/** What a command gets from the program around it. */
export interface CommandContext {
  /** Aborted when the user presses Ctrl-C for the first time. */
  signal: AbortSignal;
  /** The words of the command line behind `espalier`. */
  argv: readonly string[];
}

/** Declares a verb's arguments and options on `command`, and what happens when it is called. */
export type CommandBuilder = (command: Command, context: CommandContext) => void;

/** Checks that the builder has the right type where it is written. */
export function defineCommand(build: CommandBuilder): CommandBuilder {
  return build;
}
