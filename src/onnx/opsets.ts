import type { OperatorSetIdProto } from "onnx-buf";

/** Version of each operator set by domain, the last entry winning; `ai.onnx` is the standard domain "" by its name. */
export function opsetsOf(entries: readonly OperatorSetIdProto[]): Map<string, number> {
  return new Map(entries.map(({ domain, version }) => [standardDomain(domain), Number(version)]));
}

export function standardDomain(domain: string): string {
  return domain === "ai.onnx" ? "" : domain;
}
