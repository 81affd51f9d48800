"""Networks of vectors."""

import torch
from torch import nn
from torch.nn import functional as F

from .case import Apply, Residual, case, classes, floats, values

vectors = floats(6, 5)
three = classes(3, 6)


def mlp(*activations):
    layers = []
    for activation in activations:
        layers += [nn.Linear(8 if layers else 5, 8), activation]
    return nn.Sequential(*layers, nn.Linear(8, 3))


activations = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "gelu-tanh": lambda: nn.GELU(approximate="tanh"),
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "elu": lambda: nn.ELU(0.7),
    "selu": nn.SELU,
    "celu": lambda: nn.CELU(0.5),
    "softplus": nn.Softplus,
    "hard-swish": nn.Hardswish,
    "hard-tanh": nn.Hardtanh,
    "leaky-relu": nn.LeakyReLU,
    "prelu": lambda: nn.PReLU(8),
    "prelu-shared": nn.PReLU,
    "softsign": nn.Softsign,
    "log-sigmoid": nn.LogSigmoid,
    "tanhshrink": nn.Tanhshrink,
    "softshrink": lambda: nn.Softshrink(0.2),
    "hardshrink": lambda: nn.Hardshrink(0.2),
}
for name, activation in activations.items():
    case(f"mlp-{name}", lambda activation=activation: mlp(activation(), activation()), vectors, three)
case(
    "mlp-mixed-dynamo",
    lambda: mlp(nn.GELU(), nn.GELU(approximate="tanh"), nn.SiLU(), nn.Mish(), nn.Hardswish(), nn.SELU(), nn.PReLU()),
    vectors,
    three,
    exporter="dynamo",
    opset=18,
)
case(
    "mlp-batch-norm",
    lambda: nn.Sequential(
        nn.Linear(5, 8, bias=False),
        nn.BatchNorm1d(8),
        nn.ReLU(),
        nn.Linear(8, 8, bias=False),
        nn.BatchNorm1d(8),
        nn.Tanh(),
        nn.Linear(8, 3),
    ),
    vectors,
    three,
    training=("sgd", "adam"),
)
case(
    "mlp-regression",
    lambda: mlp(nn.Tanh(), nn.ReLU()),
    vectors,
    values(6, 3),
    loss="mean-square",
    training=("sgd", "adam", "adamw"),
)
case("mlp-huber", lambda: mlp(nn.Tanh()), vectors, values(6, 3), loss="huber")
case("mlp-glu", lambda: nn.Sequential(nn.Linear(5, 8), nn.GLU(), nn.Linear(4, 3)), vectors, three, training=("adamw",))
case("mlp-layer-norm", lambda: nn.Sequential(nn.Linear(5, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 3)), vectors, three)


class Highway(nn.Module):
    def __init__(self):
        super().__init__()
        self.start = nn.Linear(5, 8)
        self.new, self.gate, self.head = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, x):
        x = self.start(x)
        gate = torch.sigmoid(self.gate(x))
        return self.head(gate * torch.relu(self.new(x)) + (1 - gate) * x)


case("highway", Highway, vectors, three, training=("adam",))


class Experts(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(5, 4)
        self.first = nn.Parameter(0.4 * torch.randn(4, 5, 6))
        self.second = nn.Parameter(0.4 * torch.randn(4, 6, 3))
        self.bias = nn.Parameter(0.1 * torch.randn(4, 1, 3))

    def forward(self, x):
        shares = torch.softmax(self.gate(x), 1)
        hidden = torch.relu(torch.matmul(x, self.first))
        answers = torch.matmul(hidden, self.second) + self.bias
        return (shares.t().unsqueeze(2) * answers).sum(0)


case("mixture-of-experts", Experts, vectors, three)


class Bilinear(nn.Module):
    def __init__(self):
        super().__init__()
        self.form = nn.Parameter(0.3 * torch.randn(3, 5, 4))
        self.mixing = nn.Parameter(0.3 * torch.randn(3, 2, 3))

    def forward(self, a, b):
        scores = torch.einsum("ni,oij,nj->no", a, self.form, b)
        return torch.einsum("no,ohk->nhk", scores, self.mixing).sum(1)


case("einsum", Bilinear, lambda: {"a": torch.randn(6, 5), "b": torch.randn(6, 4)}, three)


class Recommender(nn.Module):
    """Factors of users and items, beside a wide part (Cheng et al., 2016)."""

    def __init__(self):
        super().__init__()
        self.users, self.items = nn.Embedding(7, 4), nn.Embedding(9, 4, padding_idx=0)
        self.bias = nn.Embedding(9, 1)
        self.deep = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 1))

    def forward(self, user, item):
        u, i = self.users(user), self.items(item)
        return (u * i).sum(1, keepdim=True) + self.bias(item) + self.deep(torch.cat([u, i], 1))


pairs = lambda: {"user": torch.randint(7, [6]), "item": torch.randint(1, 9, [6])}
case("recommender", Recommender, pairs, ("value", lambda: torch.randn(6, 1)), loss="mean-square", training=("adam",))


class Radial(nn.Module):
    def __init__(self):
        super().__init__()
        self.centres = nn.Parameter(torch.randn(8, 5))
        self.widths = nn.Parameter(torch.rand(8))
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        distances = (x.unsqueeze(1) - self.centres).pow(2).sum(2)
        return self.head(torch.exp(-0.2 * F.softplus(self.widths) * distances))


case("radial-basis", Radial, vectors, three)


class Cosine(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(5, 6)
        self.prototypes = nn.Parameter(torch.randn(3, 6))
        self.scale = nn.Parameter(torch.full([1], 4.0))

    def forward(self, x):
        return self.scale * F.normalize(self.layer(x)) @ F.normalize(self.prototypes).t()


case("cosine-classifier", Cosine, vectors, three, numbers=("scale",))
case(
    "maxout",
    lambda: nn.Sequential(
        nn.Linear(5, 24),
        Apply(lambda x: x.reshape(-1, 8, 3).amax(2)),
        nn.Linear(8, 12),
        Apply(lambda x: x.reshape(-1, 6, 2).logsumexp(2)),
        nn.Linear(6, 3),
    ),
    vectors,
    three,
)
case(
    "top-k",
    lambda: nn.Sequential(nn.Linear(5, 10), Apply(lambda x: torch.topk(x, 4, 1).values), nn.Linear(4, 3)),
    vectors,
    three,
)


class Coupling(nn.Module):
    """One half scales and shifts the other (Dinh et al., 2017)."""

    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 6))
        self.second = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 6))

    def forward(self, x):
        a, b = x.chunk(2, 1)
        scale, shift = self.first(a).chunk(2, 1)
        b = b * torch.exp(torch.tanh(scale)) + shift
        scale, shift = self.second(b).split(3, 1)
        return torch.cat([a * torch.exp(torch.tanh(scale)) + shift, b], 1)


case("flow-coupling", Coupling, floats(6, 6), values(6, 6), loss="mean-square")


class Sines(nn.Module):
    def __init__(self):
        super().__init__()
        self.frequencies = nn.Parameter(torch.randn(2, 6))
        self.hidden, self.head = nn.Linear(12, 8), nn.Linear(8, 3)

    def forward(self, x):
        angles = x @ self.frequencies
        return self.head(torch.sin(3 * self.hidden(torch.cat([angles.sin(), angles.cos()], 1))))


case("fourier-features", Sines, floats(6, 2), values(6, 3), loss="mean-square")


class Graph(nn.Module):
    """Sums over neighbours, by a matrix and by lists of edges."""

    def __init__(self):
        super().__init__()
        self.first, self.own, self.head = nn.Linear(4, 6), nn.Linear(6, 6), nn.Linear(6, 3)

    def forward(self, x, adjacency, sources, goals):
        degree = adjacency.sum(1, keepdim=True).clamp(min=1)
        x = torch.relu(self.first(adjacency @ x / degree))
        messages = x[sources]
        summed = torch.zeros_like(x).index_add(0, goals, messages)
        return self.head(torch.relu(self.own(x) + summed))


graphs = lambda: {
    "x": torch.randn(6, 4),
    "adjacency": torch.randint(2, [6, 6]).float(),
    "sources": torch.randint(6, [9]),
    "goals": torch.randint(6, [9]),
}
case("graph-network", Graph, graphs, three, exporter="dynamo", opset=18)


class Mixer(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(2, 6, 4, stride=4)
        self.tokens = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 4))
        self.channels = Residual(nn.LayerNorm(6), nn.Linear(6, 10), nn.GELU(), nn.Linear(10, 6))
        self.norm, self.head = nn.LayerNorm(6), nn.Linear(6, 4)

    def forward(self, x):
        x = self.patches(x).flatten(2)
        x = x + self.tokens(self.norm(x.transpose(1, 2)).transpose(1, 2))
        return self.head(self.channels(x.transpose(1, 2)).mean(1))


case("mlp-mixer", Mixer, floats(4, 2, 8, 8), classes(4, 4))


class Variational(nn.Module):
    """With the noise given, so that both sides draw the same."""

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = nn.Linear(5, 8), nn.Linear(4, 5)

    def forward(self, x, noise):
        mean, spread = self.encoder(x).chunk(2, 1)
        return self.decoder(mean + noise * torch.exp(0.5 * spread))


case(
    "variational",
    Variational,
    lambda: {"x": torch.randn(6, 5), "noise": torch.randn(6, 4)},
    values(6, 5),
    loss="mean-square",
)
