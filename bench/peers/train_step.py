"""Times a PyTorch training step of the reference networks; prints one JSON line per request read from stdin.

The benchmark starts this once and sends `NAME STEPS` lines, so that its runs alternate with espalier's.
"""

import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
torch.manual_seed(1)


class Residual(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity()
        if inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


def resnet20():
    layers = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    width = 16
    for outputs, stride in [(16, 1), (32, 2), (64, 2)]:
        for block in range(3):
            layers.append(Residual(width, outputs, stride if block == 0 else 1))
            width = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def lenet5():
    return nn.Sequential(
        nn.Conv2d(1, 20, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(20, 50, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(800, 500), nn.ReLU(), nn.Linear(500, 10),
    )  # fmt: skip


def lenet300():
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10)
    )


def conv_norm(inputs, outputs, kernel, stride=1, groups=1):
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]


class InvertedResidual(nn.Module):
    def __init__(self, inputs, outputs, expand, stride):
        super().__init__()
        wide = inputs * expand
        parts = [] if expand == 1 else [*conv_norm(inputs, wide, 1), nn.ReLU6()]
        parts += [*conv_norm(wide, wide, 3, stride, wide), nn.ReLU6(), *conv_norm(wide, outputs, 1)]
        self.parts = nn.Sequential(*parts)
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.parts(x) if self.adds else self.parts(x)


def mobilenet_v2():
    layers = [*conv_norm(3, 32, 3), nn.ReLU6()]
    width = 32
    stages = [(1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    for expand, outputs, blocks, stride in stages:
        for block in range(blocks):
            layers.append(InvertedResidual(width, outputs, expand, stride if block == 0 else 1))
            width = outputs
    layers += [*conv_norm(width, 1280, 1), nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(1280, 10))


class LstmClassifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(1000, 128)
        self.lstm = nn.LSTM(128, 128, batch_first=True)
        self.fc = nn.Linear(128, 10)

    def forward(self, ids):
        return self.fc(self.lstm(self.embedding(ids))[0][:, -1])


class TextTransformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(1000, 128)
        self.positions = nn.Parameter(torch.randn(64, 128))
        layer = nn.TransformerEncoderLayer(
            128, 4, 512, dropout=0, activation=F.gelu, batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(layer, 4, nn.LayerNorm(128), enable_nested_tensor=False)
        self.fc = nn.Linear(128, 10)

    def forward(self, ids):
        return self.fc(self.blocks(self.embedding(ids) + self.positions).mean(1))


networks = {
    "lenet-5": (lenet5, (64, 1, 28, 28)),
    "lenet-300-100": (lenet300, (128, 1, 28, 28)),
    "resnet-20": (resnet20, (64, 3, 32, 32)),
    "mobilenet-v2": (mobilenet_v2, (32, 3, 32, 32)),
    "lstm-classifier": (LstmClassifier, (32, 64)),
    "text-transformer": (TextTransformer, (16, 64)),
}
ready = {}


def prepare(name):
    build, dims = networks[name]
    model = build().train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    inputs = torch.randn(dims) if len(dims) == 4 else torch.randint(0, 1000, dims)
    return model, optimizer, inputs, torch.randint(0, 10, (dims[0],))


for line in sys.stdin:
    name, steps = line.split()
    if name not in ready:
        ready[name] = prepare(name)
    model, optimizer, images, labels = ready[name]
    times = []
    for _ in range(int(steps)):
        start = time.perf_counter()
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        loss.item()
        times.append((time.perf_counter() - start) * 1000)
    print(json.dumps({"name": name, "milliseconds": times}), flush=True)
