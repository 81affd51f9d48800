import type { Piece } from "./wire.js";

/** The layout of a data file beside a model: tensors one after the other, their bytes fetched when written. */
export class ExternalData {
  /** Name of the file, as the model refers to it. */
  readonly location: string;
  /** Tensors of fewer bytes stay in the model. */
  readonly threshold: number;
  readonly pieces: Piece[] = [];
  #end = 0;

  constructor(location: string, threshold: number) {
    this.location = location;
    this.threshold = threshold;
  }

  /**
   * Reserves room for a tensor's bytes and returns their offset. ONNX asks for offsets at page boundaries so that
   * runtimes can map the file; for small tensors, where that would be mostly padding, a cache line.
   */
  place(tensor: Piece): number {
    const alignment = tensor.byteLength >= 2 ** 16 ? 4096 : 64;
    const padding = (alignment - (this.#end % alignment)) % alignment;
    const offset = this.#end + padding;
    this.pieces.push(new Uint8Array(padding), tensor);
    this.#end = offset + tensor.byteLength;
    return offset;
  }
}
