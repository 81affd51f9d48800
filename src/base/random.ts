/** A seeded stream of random numbers. The same seed and path give the same numbers on every machine. */
export interface Random {
  /** Uniform in [0, 1). */
  uniform(): number;
  /** Standard normal. */
  normal(): number;
  /** Uniform integer in [0, below). */
  integer(below: number): number;
  /** 0 .. size-1 in random order (Fisher-Yates). */
  permutation(size: number): Uint32Array;
}

/**
 * A stream of its own for each purpose: `randomStream(seed, "shuffle", epoch)` needs no stored state, so that a resumed
 * run draws what the uninterrupted one did. Generator: sfc32 (PractRand), seeded through FNV-1a of seed and path.
 */
export function randomStream(seed: number, ...path: (string | number)[]): Random {
  const hash = (salt: number) => {
    let h = 0x811c9dc5 ^ salt;
    for (const char of `${seed}/${path.join("/")}`) h = Math.imul(h ^ char.charCodeAt(0), 0x01000193);
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    return (h ^ (h >>> 16)) | 0;
  };
  let a = hash(1);
  let b = hash(2);
  let c = hash(3);
  let counter = 1;
  const next = () => {
    const t = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + t) | 0;
    return t >>> 0;
  };
  for (let i = 0; i < 12; i++) next();
  const uniform = () => next() / 2 ** 32;
  const integer = (below: number) => Math.floor(uniform() * below);
  return {
    uniform,
    integer,
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    permutation(size) {
      const order = Uint32Array.from({ length: size }, (_, i) => i);
      for (let i = size - 1; i > 0; i--) {
        const j = integer(i + 1);
        const held = order[i];
        order[i] = order[j];
        order[j] = held;
      }
      return order;
    },
  };
}
