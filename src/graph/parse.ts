import { type DType, dtypes } from "../base/dtype.js";
import { EspalierError, quoted } from "../base/errors.js";
import { fromNumbers, Tensor } from "../base/tensor.js";
import { attr } from "./attribute.js";
import { addGraphInput, addGraphOutput, addNode, addValue, createSubgraph, setConstant, setOpsets } from "./edit.js";
import { type Attribute, type Graph, Model, type Value, type ValueType } from "./ir.js";

/**
 * Reads the text that `printModel` and `printGraph` write; a graph alone becomes a model of IR version 8 and opset 17.
 * `#` starts a comment. Throws `bad-model` with the line where it stops.
 */
export function parseText(text: string): Model {
  const parser = new Parser(text);
  try {
    return parser.model();
  } catch (error) {
    // What the graph itself refuses, such as a name that is defined twice.
    if (!(error instanceof EspalierError) || error.who?.startsWith("line ")) throw error;
    throw new EspalierError("bad-model", error.what, { who: parser.place(true), hint: error.hint, cause: error });
  }
}

const words: Record<string, number> = {
  inf: Number.POSITIVE_INFINITY,
  "-inf": Number.NEGATIVE_INFINITY,
  nan: Number.NaN,
};

class Parser {
  readonly #tokens: { text: string; line: number }[] = [];
  #at = 0;

  constructor(text: string) {
    for (const [index, line] of text.split("\n").entries()) {
      // Strings, the arrow, single marks, and words: all that is none of these.
      for (const [token] of line.matchAll(/"(?:[^"\\]|\\.)*"|#.*|=>|[,()<>[\]{}="?]|[^\s,()<>[\]{}="?]+/g)) {
        if (token.startsWith("#")) break;
        this.#tokens.push({ text: token, line: index + 1 });
      }
    }
  }

  model(): Model {
    let irVersion = 8;
    const opsets = new Map<string, number>();
    if (this.#peek() === "model" && this.#peek(1) === "<") {
      this.#at++;
      this.#list("<", ">", () => {
        if (this.#accept("ir")) irVersion = this.#number();
        else {
          this.#expect("opset");
          opsets.set(/^\d+$/.test(this.#peek()) ? "" : this.#name(), this.#number());
        }
      });
    } else opsets.set("", 17);
    const model = new Model(irVersion, 1, this.#name());
    setOpsets(model, opsets);
    this.#graph(model.graph);
    if (this.#at < this.#tokens.length) throw this.#unexpected("the end");
    return model;
  }

  /** From the inputs to the closing brace; the name stands before. */
  #graph(graph: Graph): Graph {
    for (const input of this.#list("(", ")", () => this.#definition(graph))) if (input) addGraphInput(graph, input);
    this.#expect("=>");
    const outputs = this.#list("(", ")", () => ({ name: this.#name(), after: this.#at }));
    this.#expect("{");
    while (!["}", ""].includes(this.#peek())) this.#statement(graph);
    this.#expect("}");
    const end = this.#at;
    for (const { name, after } of outputs) {
      this.#at = after;
      addGraphOutput(graph, this.#find(graph, name));
    }
    this.#at = end;
    return graph;
  }

  /** `outputs = operator "label"<attributes>(inputs)`, or `name = tensor`. */
  #statement(graph: Graph): void {
    if (this.#peek(1) === "=" && this.#peek(3) === "[") {
      const name = this.#name();
      this.#expect("=");
      setConstant(graph.values.get(name) ?? addValue(graph, name), this.#tensor());
      return;
    }
    const outputs: (Value | null)[] = [];
    if (this.#peek() === "(") this.#list("(", ")", () => this.#unexpected("nothing"));
    else {
      do outputs.push(this.#definition(graph));
      while (this.#accept(","));
    }
    this.#expect("=");
    const [type, domain] = this.#name().split("::").reverse();
    const name = this.#peek().startsWith('"') ? this.#name() : "";
    const attributes: Record<string, Attribute> = {};
    if (this.#peek() === "<") {
      this.#list("<", ">", () => {
        const key = this.#name();
        this.#expect("=");
        attributes[key] = this.#attribute(graph);
      });
    }
    const inputs = this.#list("(", ")", () => (this.#accept("_") ? null : this.#find(graph, this.#name())));
    addNode(graph, type, { domain, name, inputs, outputs, attributes });
  }

  /** `_`, `name` or `type name`. */
  #definition(graph: Graph): Value | null {
    if (this.#accept("_")) return null;
    const typed = this.#peek(1) === "[" || !/^[,()=]/.test(this.#peek(1));
    const type = typed ? this.#type() : null;
    return addValue(graph, this.#name(), type);
  }

  #type(): ValueType {
    const dtype = this.#dtype();
    if (this.#peek() !== "[") return { dtype, dims: null };
    const dims = this.#list("[", "]", () => {
      if (this.#accept("?")) return null;
      return /^\d/.test(this.#peek()) ? this.#number() : this.#name();
    });
    return { dtype, dims };
  }

  #dtype(): DType {
    const word = this.#take();
    if (Object.hasOwn(dtypes, word)) return word as DType;
    this.#at--;
    throw this.#unexpected("an element type");
  }

  #tensor(): Tensor {
    const dtype = this.#dtype();
    const dims = this.#list("[", "]", () => this.#number());
    // Of 64 bits, a number would lose the last ones.
    const bigs: bigint[] = [];
    const numbers = this.#list("{", "}", () => {
      const text = this.#peek();
      const number = this.#number();
      if (/^-?\d+$/.test(text)) bigs.push(BigInt(text));
      else if (dtype === "int64" || dtype === "uint64") throw this.#unexpected(`whole numbers, not '${text}'`);
      return number;
    });
    if (dtype === "int64") return Tensor.fromArray(dtype, dims, BigInt64Array.from(bigs));
    if (dtype === "uint64") return Tensor.fromArray(dtype, dims, BigUint64Array.from(bigs));
    return fromNumbers(dtype, dims, numbers);
  }

  #attribute(graph: Graph): Attribute {
    const token = this.#peek();
    if (token.startsWith('"')) return attr.string(this.#name());
    if (token === "[") return this.#attributes(graph);
    if (token === "graph") {
      this.#at++;
      return attr.graph(this.#graph(createSubgraph(graph, this.#name())));
    }
    if (Object.hasOwn(dtypes, token)) return attr.tensor(this.#tensor());
    if (/^(ints|floats|strings|tensors|graphs)$/.test(token)) {
      this.#at++;
      this.#list("[", "]", () => this.#unexpected("nothing"));
      return { kind: token as "ints", value: [] };
    }
    const number = this.#number();
    return /^-?\d+$/.test(token) ? attr.int(number) : attr.float(number);
  }

  /** A list is of the kind of its items. */
  #attributes(graph: Graph): Attribute {
    const items = this.#list("[", "]", () => this.#attribute(graph));
    const mixed = () => this.#unexpected("a list of numbers, strings, tensors or graphs, all of one kind");
    const all = <T>(pick: (item: Attribute) => T | undefined): T[] =>
      items.map((item) => {
        const value = pick(item);
        if (value === undefined) throw mixed();
        return value;
      });
    switch (items[0]?.kind) {
      case "int":
        return attr.ints(all((item) => (item.kind === "int" ? item.value : undefined)));
      case "float":
        return attr.floats(all((item) => (item.kind === "float" ? item.value : undefined)));
      case "string":
        return { kind: "strings", value: all((item) => (item.kind === "string" ? item.value : undefined)) };
      case "tensor":
        return { kind: "tensors", value: all((item) => (item.kind === "tensor" ? item.value : undefined)) };
      case "graph":
        return { kind: "graphs", value: all((item) => (item.kind === "graph" ? item.value : undefined)) };
      default:
        throw mixed();
    }
  }

  #number(): number {
    const text = this.#take();
    const number = words[text] ?? Number(text);
    if (Number.isNaN(number) && text !== "nan") {
      this.#at--;
      throw this.#unexpected("a number");
    }
    return number;
  }

  /** A word, or a string without its quotes. */
  #name(): string {
    const token = this.#take();
    if (token.startsWith('"') && token.length > 1) {
      try {
        return JSON.parse(token) as string;
      } catch {
        // It has an escape that JSON does not know.
      }
    } else if (!/^[,()<>[\]{}="?]|^$/.test(token)) return token;
    this.#at--;
    throw this.#unexpected("a name");
  }

  #find(graph: Graph, name: string): Value {
    const value = graph.find(name);
    if (value) return value;
    this.#at--;
    throw this.#unexpected("the name of a value defined above");
  }

  #list<T>(open: string, close: string, item: () => T): T[] {
    const items: T[] = [];
    this.#expect(open);
    if (this.#accept(close)) return items;
    do items.push(item());
    while (this.#accept(","));
    this.#expect(close);
    return items;
  }

  #peek(ahead = 0): string {
    return this.#tokens[this.#at + ahead]?.text ?? "";
  }

  #take(): string {
    const token = this.#peek();
    this.#at++;
    return token;
  }

  #accept(token: string): boolean {
    if (this.#peek() !== token) return false;
    this.#at++;
    return true;
  }

  #expect(token: string): void {
    if (!this.#accept(token)) throw this.#unexpected(`'${token}'`);
  }

  /** Where it reads now, or what was `taken` last, for messages. */
  place(taken = false): string {
    const token = this.#tokens[Math.min(this.#at - (taken ? 1 : 0), this.#tokens.length - 1)];
    return `line ${token?.line ?? 1}`;
  }

  #unexpected(wanted: string): EspalierError {
    const token = this.#tokens[this.#at];
    const came = token ? quoted(token.text) : "the end";
    return new EspalierError("bad-model", `expected ${wanted}, got ${came}`, { who: this.place() });
  }
}
