"""What a small network is: a module, batches to feed it, what its outputs are compared with."""

from dataclasses import dataclass
from typing import Callable

import torch
from torch import nn
from torch.nn import functional as F

cases: list["Case"] = []


@dataclass
class Case:
    name: str
    net: Callable[[], nn.Module]
    # One batch, by the name of the input; called as often as there are batches.
    inputs: Callable[[], dict[str, torch.Tensor]]
    # "class" or "value", and the tensor, for one batch.
    target: tuple[str, Callable[[], torch.Tensor]]
    loss: str = "cross-entropy"
    # Names of the optimizers that take ten steps. Adam makes steps of any size out of the rounding errors of a gradient
    # that is 0: no bias before a BatchNormalization, none of keys.
    training: tuple[str, ...] = ()
    exporter: str = "classic"
    opset: int = 17
    # As exports are by default; else weights are as PyTorch has them, and nodes rearrange them.
    folded: bool = False
    # Tensors of the file that are no parameters, but that nothing tells from parameters: buffers that are multiplied or
    # added, the zeros that recurrent networks begin with, the ones that a normalization without a scale has.
    constants: tuple[str, ...] = ()
    # Parameters of one number, which nothing tells from the 0.5 of a GELU.
    numbers: tuple[str, ...] = ()


def case(name, net, inputs, target, **options):
    cases.append(Case(name, net, inputs, target, **options))


def floats(*dims, name="x"):
    return lambda: {name: torch.randn(*dims)}


def tokens(vocabulary, *dims, name="x"):
    return lambda: {name: torch.randint(vocabulary, dims)}


def classes(count, *dims):
    return "class", lambda: torch.randint(count, dims)


def values(*dims):
    return "value", lambda: torch.randn(*dims)


def ctc(scores, labels):
    """Scores [N, T, C], labels [N, L], blank 0."""
    logs = torch.log_softmax(scores, 2).transpose(0, 1)
    times = torch.full([len(labels)], scores.shape[1])
    return F.ctc_loss(logs, labels, times, (labels != 0).sum(1), zero_infinity=True)


def class_last(scores, labels):
    return F.cross_entropy(scores.movedim(-1, 1), labels)


losses = {
    "cross-entropy": F.cross_entropy,
    "cross-entropy of tokens": class_last,
    "mean-square": F.mse_loss,
    "binary-cross-entropy": F.binary_cross_entropy_with_logits,
    "huber": F.huber_loss,
    "ctc": ctc,
}


class Apply(nn.Module):
    """A function as a layer."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


class Residual(nn.Module):
    def __init__(self, *layers):
        super().__init__()
        self.branch = nn.Sequential(*layers)

    def forward(self, x):
        return x + self.branch(x)
