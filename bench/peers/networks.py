"""Writes test/fixtures/peers: small networks, and what PyTorch makes of their loss, gradients and training steps.

    python bench/peers/networks.py [NAME ...]

Each network is NAME.onnx and NAME.npz; index.jsonl tells what there is. PyTorch computes in double precision, from the
float32 weights in the file, so that what is left of a difference is ours.
"""

import copy
import io
import json
import pathlib
import sys
import warnings
import zlib

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

from small_networks import dense, pictures, sequences, transformers, vision  # noqa: F401  they list their networks
from small_networks.case import cases, losses

warnings.filterwarnings("ignore")
folder = pathlib.Path(__file__).parent.parent.parent / "test" / "fixtures" / "peers"
steps, batches = 10, 2
optimizers = {
    "sgd": lambda weights: torch.optim.SGD(weights, lr=0.05, momentum=0.9, weight_decay=0.001),
    "adam": lambda weights: torch.optim.Adam(weights, lr=0.01),
    "adamw": lambda weights: torch.optim.AdamW(weights, lr=0.01, weight_decay=0.05),
}


def shaken(net):
    """As training leaves it: where all numbers are still alike, many a mistake would not show."""
    for module in net.modules():
        if getattr(module, "running_mean", None) is not None:
            nn.init.normal_(module.running_mean, 0, 0.3)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    for weight in net.parameters():
        if (weight == weight.flatten()[0]).all():
            weight.data += 0.2 * torch.randn(weight.shape)
    return net


def exported(case, net, inputs):
    file = io.BytesIO()
    given = {"input_names": list(inputs), "output_names": ["output"], "opset_version": case.opset}
    if case.exporter == "dynamo":
        program = torch.onnx.export(net, tuple(inputs.values()), dynamo=True, verbose=False, **given)
        model = program.model_proto
    else:
        # PRESERVE, as EVAL would merge each BatchNormalization into the convolution before it.
        kept = {"dynamo": False, "training": torch.onnx.TrainingMode.PRESERVE, "do_constant_folding": case.folded}
        torch.onnx.export(net, tuple(inputs.values()), file, **given, **kept)
        model = onnx.load_from_string(file.getvalue())
    strip(model.graph)
    del model.metadata_props[:]
    return model


def strip(graph):
    """Traces of the exporter, which are longer than the network."""
    graph.doc_string = ""
    del graph.metadata_props[:]
    del graph.value_info[:]
    for element in [*graph.node, *graph.input, *graph.output, *graph.initializer]:
        element.doc_string = ""
        if hasattr(element, "metadata_props"):
            del element.metadata_props[:]
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                strip(attribute.g)


gates = {"LSTM": [0, 3, 1, 2], "GRU": [1, 0, 2], "RNN": [0]}


def packed(net):
    """How ONNX has the weights of recurrent networks: gates in another order, directions and biases in one tensor."""
    for prefix, module in net.named_modules():
        kind = type(module).__name__
        if kind not in gates:
            continue
        for layer in range(module.num_layers):
            ends = ["", "_reverse"] if module.bidirectional else [""]
            names = lambda part: [f"{prefix}.{part}_l{layer}{end}" for end in ends]

            def order(tensor, kind=kind):
                return torch.cat([tensor.chunk(len(gates[kind]))[gate] for gate in gates[kind]])

            def stacked(*tensors):
                return torch.stack([order(tensor) for tensor in tensors])

            def biases(*tensors):
                half = len(tensors) // 2
                return torch.stack([torch.cat([order(a), order(b)]) for a, b in zip(tensors[:half], tensors[half:])])

            yield names("weight_ih"), stacked
            yield names("weight_hh"), stacked
            if module.bias:
                yield names("bias_ih") + names("bias_hh"), biases


def matched(net, model):
    """By initializer: the parameters that are in it, and how they are brought into it. Every parameter is in one."""
    parameters = dict(net.named_parameters())
    stored = {one.name: torch.tensor(numpy_helper.to_array(one)) for one in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            stored[node.output[0]] = torch.tensor(numpy_helper.to_array(node.attribute[0].t))
    same = lambda a, b: a.shape == b.shape and a.dtype == b.dtype and torch.equal(a, b)
    ways = [([name], lambda tensor: tensor) for name in parameters]
    ways += list(packed(net))
    ways += [([name], lambda tensor: tensor.t()) for name, tensor in parameters.items() if tensor.dim() == 2]
    ways += [([name], lambda tensor: tensor.reshape(1, *tensor.shape)) for name in parameters]
    ways += [([name], lambda tensor: tensor.reshape(*tensor.shape, 1, 1)) for name in parameters]
    ways += [([name], lambda tensor: tensor.reshape(*tensor.shape, 1)) for name in parameters]
    found = {}
    missing = set(parameters)
    for names, way in ways:
        if not missing.issuperset(names):
            continue
        wanted = way(*(parameters[name].detach() for name in names))
        by_name = [name for name in names if name in stored and same(stored[name], wanted)]
        by_value = [name for name, tensor in stored.items() if name not in found and same(tensor, wanted)]
        for place in (by_name or by_value)[:1]:
            found[place] = (names, way)
            missing -= set(names)
    if missing:
        raise SystemExit(f"not in the file: {sorted(missing)}, which has {[(n, list(t.shape)) for n, t in stored.items()]}")
    return found


def with_population_variance(net):
    """
    Lets BatchNormalization average the variance of a batch as the ONNX operator defines it, divided by N; PyTorch
    divides by N - 1 there, though not where it normalizes.
    """
    for module in net.modules():
        if getattr(module, "running_var", None) is not None:
            module.register_forward_pre_hook(average_variance)
    return net


def average_variance(module, inputs):
    others = [axis for axis in range(inputs[0].dim()) if axis != 1]
    if not hasattr(module, "population"):
        module.population = module.running_var.clone()
    variance = inputs[0].detach().var(others, unbiased=False)
    module.population += module.momentum * (variance - module.population)


def as_stored(found, tensors):
    return {place: way(*(tensors[name] for name in names)) for place, (names, way) in found.items()}


def double(tensors):
    return {name: tensor.double() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}


def written(case):
    torch.manual_seed(zlib.crc32(case.name.encode()))
    net = shaken(case.net()).eval()
    count = batches if case.training else 1
    given = [case.inputs() for _ in range(count)]
    kind, draw = case.target
    targets = [draw() for _ in range(count)]
    model = exported(case, copy.deepcopy(net), given[0])
    found = matched(net, model)
    loss_of = losses[case.loss]

    def loss_at(module, batch):
        output = module(*double(given[batch]).values())
        return loss_of(output, double({"": targets[batch]})[""])

    arrays = {f"input/{name}": torch.stack([batch[name] for batch in given]) for name in given[0]}
    arrays["target"] = torch.stack(targets)
    precise = copy.deepcopy(net).double()
    loss = loss_at(precise, 0)
    loss.backward()
    gradients = as_stored(found, {name: weight.grad for name, weight in precise.named_parameters()})
    arrays |= {f"gradient/{name}": tensor for name, tensor in gradients.items()}
    for optimizer in case.training:
        trained = with_population_variance(copy.deepcopy(net).double()).train()
        step = optimizers[optimizer](trained.parameters())
        trace = []
        for i in range(steps):
            step.zero_grad()
            value = loss_at(trained, i % batches)
            value.backward()
            step.step()
            trace.append(value.detach())
        arrays[f"{optimizer}/losses"] = torch.stack(trace)
        after = as_stored(found, {name: weight.detach() for name, weight in trained.named_parameters()})
        arrays |= {f"{optimizer}/after/{name}": tensor for name, tensor in after.items()}
        buffers = {name: value for name, value in trained.named_buffers() if name.endswith("running_mean")}
        for name, module in trained.named_modules():
            if hasattr(module, "population"):
                buffers[f"{name}.running_var"] = module.population
        arrays |= {f"{optimizer}/after/{name}": tensor for name, tensor in buffers.items()}
    single = lambda tensor: tensor.float() if tensor.is_floating_point() else tensor
    np.savez_compressed(folder / f"{case.name}.npz", **{name: single(t).detach().numpy() for name, t in arrays.items()})
    onnx.save(model, folder / f"{case.name}.onnx")
    return {
        "name": case.name,
        "loss": case.loss.split(" ")[0],
        "target": kind,
        "value": loss.item(),
        "parameters": {place: names for place, (names, _) in found.items()},
        "constants": list(case.constants),
        "numbers": list(case.numbers),
        "training": list(case.training),
    }


folder.mkdir(parents=True, exist_ok=True)
wanted = sys.argv[1:]
index = {}
failed = []
if wanted:
    index = {one["name"]: one for one in map(json.loads, (folder / "index.jsonl").read_text().splitlines())}
for case in cases:
    if wanted and case.name not in wanted:
        continue
    try:
        index[case.name] = written(case)
    except (SystemExit, Exception) as error:
        failed.append(case.name)
        print(case.name, "FAILED", type(error).__name__, str(error)[:600], file=sys.stderr)
order = {case.name: i for i, case in enumerate(cases)}
entries = sorted((one for one in index.values() if one["name"] in order), key=lambda one: order[one["name"]])
(folder / "index.jsonl").write_text("".join(json.dumps(one) + "\n" for one in entries))
size = sum(file.stat().st_size for file in folder.iterdir())
print(f"{len(entries)} networks, {size} bytes, failed: {failed}")
