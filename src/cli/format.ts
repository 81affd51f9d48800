/** Time for a person to wait: 65 -> "1:05", 3700 -> "1:01:40". */
export function formatClock(seconds: number): string {
  const whole = Math.round(seconds);
  const two = (value: number) => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** Dims for people, "?" where one is free: ["batch", null, 224] -> "[batch, ?, 224]", null -> "any rank". */
export function formatDims(dims: readonly (number | string | null)[] | null): string {
  if (dims === null) return "any rank";
  return `[${dims.map((dim) => dim ?? "?").join(", ")}]`;
}
