"""Times Torch-Pruning on torchvision's networks; prints one JSON line per name read from stdin.

Half of every layer by L1 norm: building the dependency graph, the step, and the export to ONNX. No hints are given.
"""

import io
import json
import signal
import sys
import time
import warnings

import torch
import torch_pruning
import torchvision

warnings.filterwarnings("ignore")
torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 2)


def prune(name):
    build = getattr(torchvision.models.segmentation, name, None) or getattr(torchvision.models.video, name, None)
    options = {"weights": None}
    if name in ("fcn_resnet50", "deeplabv3_resnet50"):
        options["weights_backbone"] = None
    if name == "inception_v3":
        options["init_weights"] = False
    model = (build or getattr(torchvision.models, name))(**options).eval()
    size = 299 if name == "inception_v3" else 224
    example = torch.randn(1, 3, 8, 112, 112) if name == "r3d_18" else torch.randn(1, 3, size, size)
    last = [m for m in model.modules() if isinstance(m, torch.nn.Linear)][-1:]
    if name == "squeezenet1_1":
        last = [model.classifier[1]]
    times = []
    start = time.perf_counter()

    def lap():
        nonlocal start
        now = time.perf_counter()
        times.append(now - start)
        start = now

    pruner = torch_pruning.pruner.MagnitudePruner(
        model,
        example,
        importance=torch_pruning.importance.MagnitudeImportance(p=1),
        pruning_ratio=0.5,
        ignored_layers=last,
    )
    lap()
    pruner.step()
    lap()
    torch.onnx.export(model, example, io.BytesIO(), dynamo=False)
    lap()
    parameters = sum(p.numel() for p in model.parameters())
    return {"name": name, "seconds": times, "parameters": parameters}


limit = 90


def give_up(*_):
    raise TimeoutError(f"not done after {limit} s")


signal.signal(signal.SIGALRM, give_up)
for line in sys.stdin:
    name = line.strip()
    signal.alarm(limit)
    try:
        print(json.dumps(prune(name)), flush=True)
    except Exception as error:  # what it cannot do is a result, too
        print(json.dumps({"name": name, "error": f"{type(error).__name__}: {error}".split("\n")[0][:200]}), flush=True)
