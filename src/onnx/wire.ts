// Just enough of protobuf's wire format to join encoded pieces without copying them: a length-delimited field is a
// tag, a length and the bytes; fields may stand in any order.

/** A length-delimited field made of pieces: tag and length, then the pieces as they are. */
export function lengthDelimited(number: number, pieces: readonly Uint8Array[]): Uint8Array[] {
  return [Uint8Array.from([...varint((number << 3) | 2), ...varint(byteLengthOfPieces(pieces))]), ...pieces];
}

export function byteLengthOfPieces(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
}

export function joinPieces(pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(byteLengthOfPieces(pieces));
  let offset = 0;
  for (const piece of pieces) {
    bytes.set(piece, offset);
    offset += piece.byteLength;
  }
  return bytes;
}

/** Base-128, least significant group first: 300 -> [0xac, 0x02]. */
function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 127) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  return [...bytes, rest];
}
