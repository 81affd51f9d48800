import type { DType } from "../base/dtype.js";
import { brief, EspalierError, quoted } from "../base/errors.js";
import type { Tensor } from "../base/tensor.js";

/** The value behind each kind of attribute. Integers are numbers: int64 beyond 2^53 loses its last digits. */
export interface AttributeValues {
  int: number;
  float: number;
  string: string;
  tensor: Tensor;
  graph: Graph;
  ints: readonly number[];
  floats: readonly number[];
  strings: readonly string[];
  tensors: readonly Tensor[];
  graphs: readonly Graph[];
  /** Anything else (types, sparse tensors, references of functions): carried along, not understood. */
  opaque: null;
}

export type AttributeKind = keyof AttributeValues;

/** A named constant of a node. `origin` is what the reader keeps so that the writer loses nothing. */
export type Attribute = {
  [K in AttributeKind]: { readonly kind: K; readonly value: AttributeValues[K]; readonly origin?: unknown };
}[AttributeKind];

const kindNames: Record<AttributeKind, string> = {
  int: "an integer",
  float: "a float",
  string: "a string",
  tensor: "a tensor",
  graph: "a graph",
  ints: "a list of integers",
  floats: "a list of floats",
  strings: "a list of strings",
  tensors: "a list of tensors",
  graphs: "a list of graphs",
  opaque: "something espalier does not read",
};

export type Attributes = Readonly<Record<string, Attribute>>;

/** A declared tensor type. A dim is a number, a symbolic name, or null where the file says nothing. */
export interface ValueType {
  dtype: DType;
  /** Null when the rank is unknown. */
  dims: readonly (number | string | null)[] | null;
}

/** Shared by the many values that no graph returns; `edit.ts` replaces it before it adds. */
export const nowhere: ReadonlySet<Graph> = new Set();

/**
 * A tensor that flows along the graph's edges: a graph input, an initializer or a node's output.
 * Read-only here; `edit.ts` holds every mutation.
 */
export class Value {
  readonly graph: Graph;
  readonly name: string;
  /** The node that computes it; null for graph inputs and initializers. */
  readonly producer: Node | null = null;
  /** Nodes that read it, those of nested graphs included; each once, however often it reads it. */
  readonly uses: ReadonlySet<Node> = new Set();
  /** The graphs that list it as an output: its own, or a body of a node that hands an outer value on. */
  readonly returnedBy: ReadonlySet<Graph> = nowhere;
  readonly isGraphInput: boolean = false;
  /** The constant it holds, when it is an initializer. */
  readonly initializer: Tensor | null = null;
  /** The declared type, when the file or the trace knows it. */
  readonly type: ValueType | null = null;
  /** What the reader keeps so that the writer loses nothing; opaque elsewhere. */
  readonly origin: unknown = undefined;

  constructor(graph: Graph, name: string) {
    this.graph = graph;
    this.name = name;
  }

  get isGraphOutput(): boolean {
    return this.returnedBy.has(this.graph);
  }

  /** Whether a node reads it or a graph returns it. */
  get isRead(): boolean {
    return this.uses.size > 0 || this.returnedBy.size > 0;
  }
}

export function operatorName(domain: string, type: string): string {
  return domain ? `${domain}.${type}` : type;
}

/** One operator call. Optional inputs and outputs that are left out are null. */
export class Node {
  readonly graph: Graph;
  readonly type: string;
  /** "" for the standard operators; `ai.onnx` is read as "". */
  readonly domain: string;
  readonly name: string;
  readonly inputs: readonly (Value | null)[] = [];
  readonly outputs: readonly (Value | null)[] = [];
  readonly attributes: ReadonlyMap<string, Attribute> = new Map();
  readonly origin: unknown = undefined;

  constructor(graph: Graph, type: string, domain: string, name: string) {
    this.graph = graph;
    this.type = type;
    this.domain = domain;
    this.name = name;
  }

  /** Its type with its domain, as in `com.microsoft.Gelu`; standard operators go by their type alone. */
  get operator(): string {
    return operatorName(this.domain, this.type);
  }

  /** `Conv 'layer1.conv2'`: how messages name the node. */
  get label(): string {
    const name = this.name || this.outputs.find((output) => output !== null)?.name || "";
    return `${brief(this.operator)} ${quoted(name)}`;
  }

  /** The attribute's value, or undefined when absent. Throws when it has another kind than asked for. */
  attribute<K extends keyof AttributeValues>(name: string, kind: K): AttributeValues[K] | undefined {
    const attribute = this.attributes.get(name);
    if (!attribute) return undefined;
    if (attribute.kind !== kind) {
      throw new EspalierError(
        "bad-model",
        `attribute ${name} should be ${kindNames[kind]}, is ${kindNames[attribute.kind]}`,
        { who: this.label },
      );
    }
    return attribute.value as AttributeValues[K];
  }

  int(name: string, absent: number): number {
    return this.attribute(name, "int") ?? absent;
  }

  ints(name: string, absent: readonly number[]): readonly number[] {
    return this.attribute(name, "ints") ?? absent;
  }

  float(name: string, absent: number): number {
    return this.attribute(name, "float") ?? absent;
  }

  string(name: string, absent: string): string {
    return this.attribute(name, "string") ?? absent;
  }

  /** The graphs held in attributes: bodies of If, Loop, Scan. */
  get subgraphs(): Graph[] {
    const found: Graph[] = [];
    for (const attribute of this.attributes.values()) found.push(...bodiesOf(attribute));
    return found;
  }
}

const noBodies: readonly Graph[] = [];

/** The graphs an attribute holds. */
export function bodiesOf(attribute: Attribute): readonly Graph[] {
  if (attribute.kind === "graph") return [attribute.value];
  return attribute.kind === "graphs" ? attribute.value : noBodies;
}

/** The main graph or the body of a control-flow node. Bodies may read the values of the graphs around them. */
export class Graph {
  readonly model: Model;
  /** The graph around this one; null for the main graph. */
  readonly outer: Graph | null;
  /** The node that holds this body in an attribute; null for the main graph and for a body not yet given away. */
  readonly owner: Node | null = null;
  readonly name: string;
  readonly inputs: readonly Value[] = [];
  readonly outputs: readonly Value[] = [];
  /** In an order that can run after reading and after `sortNodes`; an edit may leave another one. */
  readonly nodes: ReadonlySet<Node> = new Set();
  /** Every value that lives here, by name. */
  readonly values: ReadonlyMap<string, Value> = new Map();
  readonly origin: unknown = undefined;

  constructor(model: Model, outer: Graph | null, name: string) {
    this.model = model;
    this.outer = outer;
    this.name = name;
  }

  /** The value of that name, here or in a graph around this one. */
  find(name: string): Value | undefined {
    return this.values.get(name) ?? this.outer?.find(name);
  }

  /** Values that hold an initializer, in the file's order. */
  *initializers(): Generator<Value & { readonly initializer: Tensor }> {
    for (const value of this.values.values()) {
      if (value.initializer) yield value as Value & { readonly initializer: Tensor };
    }
  }

  /** Inputs that the caller must feed: those without an initializer as their default. */
  get requiredInputs(): Value[] {
    return this.inputs.filter((input) => input.initializer === null);
  }
}

export class Model {
  readonly irVersion: number;
  /** Version of each operator set by domain; "" is the standard one. */
  readonly opsets: ReadonlyMap<string, number> = new Map();
  readonly graph: Graph;
  readonly origin: unknown = undefined;
  #fresh = 0;

  constructor(irVersion: number, opset: number, graphName = "main") {
    this.irVersion = irVersion;
    this.opsets = new Map([["", opset]]);
    this.graph = new Graph(this, null, graphName);
  }

  /** Version of the standard operator set. */
  get opset(): number {
    return this.opsets.get("") ?? 1;
  }

  /** A number no earlier call returned, for unique names. */
  nextId(): number {
    return this.#fresh++;
  }
}
