"""Cuts half of every layer of a trained lenet-5 by Torch-Pruning's criteria and trains what stays.

Arguments: the training as JSON, the folder of Fashion-MNIST. Each line read from stdin, {"file", "seed"}, is answered
with a JSON list of {"name", "macs", "alone", "trained"}: accuracies on the test set before and after training.
"""

import copy
import gzip
import json
import os
import sys
import warnings

import numpy
import onnx
import torch
import torch_pruning
from torch import nn
from torch.nn import functional as F

warnings.filterwarnings("ignore")
training = json.loads(sys.argv[1])
torch.set_num_threads(training["threads"])


def read(name):
    with gzip.open(os.path.join(sys.argv[2], name)) as file:
        content = file.read()
    rank = content[3]
    dims = [int.from_bytes(content[4 + 4 * i : 8 + 4 * i], "big") for i in range(rank)]
    return torch.from_numpy(numpy.frombuffer(content, numpy.uint8, offset=4 + 4 * rank).reshape(dims).copy())


def images(name):
    return (read(name).float().unsqueeze(1) / 255 - 0.286) / 0.353


train = images("train-images-idx3-ubyte.gz"), read("train-labels-idx1-ubyte.gz").long()
test = images("t10k-images-idx3-ubyte.gz"), read("t10k-labels-idx1-ubyte.gz").long()


class LeNet5(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 20, 5)
        self.conv2 = nn.Conv2d(20, 50, 5)
        self.fc1 = nn.Linear(800, 500)
        self.fc2 = nn.Linear(500, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


def load(file):
    model = LeNet5()
    weights = {w.name: torch.from_numpy(onnx.numpy_helper.to_array(w).copy()) for w in onnx.load(file).graph.initializer}
    model.load_state_dict({name: weights[name] for name in model.state_dict()})
    return model


def accuracy(model):
    model.eval()
    with torch.no_grad():
        hits = sum((model(x).argmax(1) == y).sum().item() for x, y in zip(test[0].split(500), test[1].split(500)))
    return hits / len(test[1])


def finetune(model, seed):
    torch.manual_seed(seed)
    model.train()
    batch, epochs = training["batch"], training["epochs"]
    steps = len(train[1]) // batch
    optimizer = torch.optim.AdamW(model.parameters(), lr=training["rate"])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, training["rate"], total_steps=steps * epochs)
    for _ in range(epochs):
        order = torch.randperm(len(train[1]))
        for i in range(steps):
            chosen = order[i * batch : (i + 1) * batch]
            optimizer.zero_grad()
            F.cross_entropy(model(train[0][chosen]), train[1][chosen]).backward()
            optimizer.step()
            schedule.step()


def importances():
    kinds = torch_pruning.importance
    return {
        "l1": kinds.GroupMagnitudeImportance(p=1),
        "l2": kinds.GroupMagnitudeImportance(p=2),
        "fpgm": kinds.FPGMImportance(p=2),
        "taylor": kinds.GroupTaylorImportance(),
        "hessian": kinds.GroupHessianImportance(),
        "random": kinds.RandomImportance(),
    }


def prune(file, name, importance, seed):
    torch.manual_seed(seed)
    model = load(file)
    example = train[0][:1]
    pruner = torch_pruning.pruner.BasePruner(
        model, example, importance=importance, pruning_ratio=0.5, ignored_layers=[model.fc2]
    )
    order = torch.randperm(len(train[1]))[:6400]
    if name == "taylor":
        # One gradient of the summed loss over 100 batches of 64.
        for chosen in order.split(64):
            F.cross_entropy(model(train[0][chosen]), train[1][chosen]).backward()
    elif name == "hessian":
        importance.zero_grad()
        for chosen in order[:640].split(64):
            losses = F.cross_entropy(model(train[0][chosen]), train[1][chosen], reduction="none")
            for loss in losses:
                model.zero_grad()
                loss.backward(retain_graph=True)
                importance.accumulate_grad(model)
    pruner.step()
    model.zero_grad()
    macs, _ = torch_pruning.utils.count_ops_and_params(copy.deepcopy(model), example)
    alone = accuracy(model)
    finetune(model, seed)
    return {"name": name, "macs": int(macs), "alone": alone, "trained": accuracy(model)}


for line in sys.stdin:
    question = json.loads(line)
    results = [prune(question["file"], name, importance, question["seed"]) for name, importance in importances().items()]
    print(json.dumps(results), flush=True)
