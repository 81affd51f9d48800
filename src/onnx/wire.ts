// Just enough of protobuf's wire format to join encoded pieces without copying them: a length-delimited field is a
// tag, a length and the bytes; fields may stand in any order.

/** Bytes of a file, or a thing whose bytes are fetched when they are written (a Tensor) and not kept. */
export type Piece = Uint8Array | LazyPiece;

export interface LazyPiece {
  readonly byteLength: number;
  readonly bytes: Uint8Array;
}

export function lazyPiece(byteLength: number, make: () => Uint8Array): LazyPiece {
  return {
    byteLength,
    get bytes() {
      return make();
    },
  };
}

/** A length-delimited field made of pieces: tag and length, then the pieces as they are. */
export function lengthDelimited(number: number, pieces: readonly Piece[]): Piece[] {
  const tag = (number << 3) | 2;
  const length = byteLengthOfPieces(pieces);
  const start = new Uint8Array(varintLength(tag) + varintLength(length));
  putVarint(start, putVarint(start, 0, tag), length);
  return [start, ...pieces];
}

export function byteLengthOfPieces(pieces: readonly Piece[]): number {
  let sum = 0;
  for (const piece of pieces) sum += piece.byteLength;
  return sum;
}

/** The bytes of the pieces one after the other, each fetched when its turn comes. */
export function* fetchPieces(pieces: Iterable<Piece>): Generator<Uint8Array> {
  for (const piece of pieces) yield piece instanceof Uint8Array ? piece : piece.bytes;
}

export function joinPieces(pieces: readonly Piece[]): Uint8Array {
  const bytes = new Uint8Array(byteLengthOfPieces(pieces));
  let offset = 0;
  for (const piece of fetchPieces(pieces)) {
    bytes.set(piece, offset);
    offset += piece.byteLength;
  }
  return bytes;
}

/** Writes a number base 128, least significant group first: 300 -> [0xac, 0x02]. Returns where it ends. */
function putVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = value;
  let end = at;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes[end++] = (rest % 128) + 128;
  bytes[end++] = rest;
  return end;
}

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) length++;
  return length;
}
