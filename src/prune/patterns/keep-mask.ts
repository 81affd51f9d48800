/** 1 for what stays, where `removed` has 1 for what goes. */
export function keepMask(removed: Uint8Array): Uint8Array {
  const mask = new Uint8Array(removed.length);
  for (let i = 0; i < removed.length; i++) mask[i] = 1 - removed[i];
  return mask;
}
