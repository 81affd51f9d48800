import picomatch from "picomatch";

/**
 * Whether a name fits a glob pattern, as in `conv*`, `layer[12].*` or `*.{query,key}.weight`. The stars of names with
 * slashes match across them: they are names, not paths. A name always fits itself, whatever characters it has.
 */
export function globMatcher(pattern: string): (name: string) => boolean {
  const matches = picomatch(pattern, { bash: true, dot: true });
  return (name) => name === pattern || matches(name);
}
