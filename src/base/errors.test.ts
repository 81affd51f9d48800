import { expect, test } from "vitest";
import { EspalierError, quoted } from "./errors.js";

test("the message is one sentence built from the fields", () => {
  const error = new EspalierError("io", "the disk is full", { who: "a.onnx", hint: "Make room." });
  expect(error.message).toBe("a.onnx: the disk is full. Make room.");
  expect(new EspalierError("io", "really?").message).toBe("really?");
  expect(error).toMatchObject({ code: "io", what: "the disk is full", who: "a.onnx", hint: "Make room." });
});

test("a name cannot move the cursor, reverse the text, break the line or fill the screen", () => {
  expect(quoted("\u001b[2Jx")).toBe("'\\u001b[2Jx'");
  expect(quoted("a\u202eb\u0000")).toBe("'a\\u202eb\\u0000'");
  expect(quoted("a\r\nb")).toBe("'a b'");
  expect(quoted("\ud800")).toBe("'\\ud800'");
  expect(quoted("größe/日本")).toBe("'größe/日本'");
  expect(quoted("x".repeat(1e6))).toBe(`'${"x".repeat(39)}…${"x".repeat(39)}'`);
});

test("an error as a whole is held to a screenful, whatever its parts quote", () => {
  const error = new EspalierError("bad-model", `${"w".repeat(1e6)} is bad`, { who: `${"v".repeat(1e6)}\u0007` });
  expect(error.message.length).toBeLessThan(1600);
  expect(error.message).toMatch(/^v+…v+\\u0007: w+…w+ is bad\.$/);
});
