// Preloaded to see which CommonJS packages a run has loaded by its end.
process.on("exit", () => {
  process.stderr.write(`${Object.keys(require.cache).join("\n")}\n`);
});
