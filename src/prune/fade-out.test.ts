import { expect, it } from "vitest";
import { smallModel, trainerFor } from "../../test/support/small-trainer.js";
import { fadeOut } from "./fade-out.js";

it.each([40, 200, 1000])("takes a weight to a thousandth over %i steps, and leaves the others alone", async (total) => {
  const trainer = await trainerFor(smallModel(), { masked: true });
  const fading = new Float32Array(trainer.weights.length);
  fading[3] = 1;
  const { isDue, act } = fadeOut(fading);
  let left = 1;
  for (let step = 0; step < total; step++) {
    if (isDue(step, total)) act(trainer, step, total);
    const { mask } = trainer.state;
    expect(mask?.every((factor, i) => i === 3 || factor === 1)).toBe(true);
    left *= mask?.[3] ?? 0;
  }
  expect(left).toBeGreaterThan(Math.exp(-8.5));
  expect(left).toBeLessThan(Math.exp(-6));
  await trainer.release();
});
