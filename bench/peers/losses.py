"""Writes test/fixtures/losses.json: losses and their gradients as PyTorch computes them, on small random tensors."""

import json
import pathlib

import torch
from torch import nn

torch.manual_seed(3)
cases = []


def case(name, options, output, targets, loss, as_given=lambda scores: scores):
    """`as_given` brings scores into the order of axes that PyTorch's loss takes."""
    output = output.clone().requires_grad_()
    value = loss(as_given(output))
    value.backward()
    flat = lambda tensor: {"dims": list(tensor.shape), "values": [round(v, 7) for v in tensor.flatten().tolist()]}
    cases.append(
        {
            "loss": name,
            "options": options,
            "output": flat(output.detach()),
            "targets": {key: flat(tensor) for key, tensor in targets.items()},
            "value": value.item(),
            "gradient": flat(output.grad),
        }
    )


def cross_entropy(dims, class_axis, **options):
    classes = dims[class_axis]
    label_dims = [dim for axis, dim in enumerate(dims) if axis != class_axis % len(dims)]
    labels = torch.randint(classes, label_dims)
    given = {}
    torch_options = {}
    if "smoothing" in options:
        given["labelSmoothing"] = torch_options["label_smoothing"] = options["smoothing"]
    if "weights" in options:
        given["classWeights"] = [round(0.3 + 0.5 * c, 3) for c in range(classes)]
        torch_options["weight"] = torch.tensor(given["classWeights"])
    if "ignore" in options:
        given["ignoreIndex"] = torch_options["ignore_index"] = options["ignore"]
        labels.flatten()[::3] = options["ignore"]
    scores = (2 * torch.randn(dims)).round(decimals=3)
    loss = nn.CrossEntropyLoss(**torch_options)
    move = lambda s: s.movedim(class_axis, 1)
    case("cross-entropy", given, scores, {"class": labels}, lambda s: loss(s, labels), move)


cross_entropy([5, 7], 1)
cross_entropy([5, 7], 1, smoothing=0.1)
cross_entropy([5, 7], 1, weights=True)
cross_entropy([6, 4], 1, ignore=-100)
cross_entropy([6, 4], 1, smoothing=0.2, weights=True, ignore=255)
cross_entropy([2, 3, 4, 5], 1)
cross_entropy([2, 3, 4, 5], 1, smoothing=0.1, weights=True, ignore=-1)
cross_entropy([2, 6, 5], -1, smoothing=0.1, weights=True, ignore=-100)
cross_entropy([2, 6, 5], 1, weights=True)

scores = torch.randn(4, 5).round(decimals=3)
shares = torch.softmax(torch.randn(4, 5), 1)
for options in ({}, {"labelSmoothing": 0.1, "classWeights": [1.0, 2.0, 0.5, 1.5, 0.25]}):
    weight = torch.tensor(options["classWeights"]) if "classWeights" in options else None
    loss = nn.CrossEntropyLoss(weight=weight, label_smoothing=options.get("labelSmoothing", 0.0))
    case("cross-entropy", options, scores, {"class": shares}, lambda s: loss(s, shares))

output = (3 * torch.randn(4, 3)).round(decimals=3)
wanted = torch.rand(4, 3).round(decimals=3)
case("binary-cross-entropy", {}, output, {"value": wanted}, lambda s: nn.BCEWithLogitsLoss()(s, wanted))
weighted = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(3.0))
case("binary-cross-entropy", {"positiveWeight": 3}, 20 * output, {"value": wanted.round()}, lambda s: weighted(s, wanted.round()))
case("huber", {}, output, {"value": wanted}, lambda s: nn.HuberLoss()(s, wanted))
case("huber", {"delta": 2.5}, output, {"value": wanted}, lambda s: nn.HuberLoss(delta=2.5)(s, wanted))
case("mean-square", {}, output, {"value": wanted}, lambda s: nn.MSELoss()(s, wanted))
ones = torch.ones(4)
case("cosine", {}, output, {"value": wanted}, lambda s: nn.CosineEmbeddingLoss()(s, wanted, ones))

for labels, steps, classes, blank in (
    ([[1, 2, 2], [3, 1, 0], [1, 0, 0], [2, 2, 2]], 7, 4, 0),
    ([[0, 1], [1, 1], [2, 2]], 5, 4, 3),
    ([[1, 1, 1, 2], [1, 2, 3, 1]], 4, 5, 0),
    ([[2], [1]], 1, 3, 0),
    ([[0, 0], [1, 0]], 4, 3, 0),
):
    targets = torch.tensor(labels)
    if blank != 0:
        targets[targets == 3] = blank
    lengths = (targets != blank).sum(1)
    loss = nn.CTCLoss(blank=blank, zero_infinity=True)
    scores = (2 * torch.randn(len(labels), steps, classes)).round(decimals=3)
    times = torch.full([len(labels)], steps)
    given = {"blank": blank} if blank else {}
    log_probabilities = lambda s: torch.log_softmax(s, 2).transpose(0, 1)
    case("ctc", given, scores, {"class": targets}, lambda s: loss(log_probabilities(s), targets, times, lengths))

folder = pathlib.Path(__file__).parent.parent.parent / "test" / "fixtures"
(folder / "losses.json").write_text("[\n" + ",\n".join(json.dumps(one) for one in cases) + "\n]\n")
print(len(cases), "cases")
