/** Time for a person to wait: 65 -> "1:05", 3700 -> "1:01:40". */
export function formatClock(seconds: number): string {
  const whole = Math.round(seconds);
  const two = (value: number) => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** Dims as people write them: [1, 3, 224, 224] -> "1x3x224x224", ["batch", 10] -> "batchx10" reads badly, so "batch x 10". */
export function formatDims(dims: readonly (number | string | null)[] | null): string {
  if (dims === null) return "any rank";
  return `[${dims.map((dim) => dim ?? "?").join(", ")}]`;
}
