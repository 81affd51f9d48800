import { opaque } from "./coupling.js";
import { none, withoutWeights } from "./define.js";
import { stopped } from "./elementwise.js";

// What is no tensor of numbers: sequences, values that may be absent, text, pictures in a file.

const list = opaque("keeps it in a sequence");
const inLists = none("gradients pass tensors, not sequences and optional values");

export const sequenceOps = [
  ...[
    "SequenceConstruct",
    "SequenceEmpty",
    "SequenceInsert",
    "SequenceErase",
    "SequenceAt",
    "SequenceMap",
    "SplitToSequence",
    "ConcatFromSequence",
    "Optional",
    "OptionalGetElement",
  ].map((type) => withoutWeights(type, inLists, list)),
  ...stopped(["SequenceLength", "OptionalHasElement"], list),
  ...stopped(
    ["StringNormalizer", "StringConcat", "StringSplit", "RegexFullMatch", "TfIdfVectorizer"],
    opaque("reads it as text"),
  ),
  ...stopped(["ImageDecoder"], opaque("decodes a picture")),
];
