"""Networks of sequences: recurrent, convolutional, of running sums."""

import torch
from torch import nn
from torch.nn import functional as F

from .case import case, classes, floats, tokens

sequence = floats(3, 6, 4)
three = classes(3, 3)
words = tokens(11, 3, 6)


class Recurrent(nn.Module):
    """Vectors, or words behind an embedding, read by a recurrent network whose states are pooled."""

    def __init__(self, kind, pooling="last", words=False, **options):
        super().__init__()
        self.embed = nn.Embedding(11, 4) if words else nn.Identity()
        self.rnn = kind(4, 5, batch_first=True, **options)
        self.pooling = pooling
        self.head = nn.Linear(10 if options.get("bidirectional") else 5, 3)

    def forward(self, x):
        states, _ = self.rnn(self.embed(x))
        if self.pooling == "all":
            return self.head(states)
        pools = {"last": lambda: states[:, -1], "mean": lambda: states.mean(1), "max": lambda: states.amax(1)}
        return self.head(pools[self.pooling]())


begins = ("/rnn/Constant_output_0",)
two_begin = tuple(f"/rnn/Constant{i}_output_0" for i in ("", "_1", "_7", "_8"))


def recurrent(name, kind, net_options={}, constants=begins, **options):
    inputs = words if net_options.get("words") else sequence
    case(name, lambda: Recurrent(kind, **net_options), inputs, three, folded=True, constants=constants, **options)


recurrent("lstm", nn.LSTM, training=("sgd", "adam", "adamw"))
recurrent("lstm-bidirectional", nn.LSTM, {"bidirectional": True, "pooling": "mean"})
recurrent("lstm-two-layers", nn.LSTM, {"num_layers": 2, "words": True, "pooling": "max"}, two_begin, training=("adam",))
recurrent("lstm-two-layers-bidirectional", nn.LSTM, {"num_layers": 2, "bidirectional": True}, two_begin)
recurrent("lstm-no-bias", nn.LSTM, {"bias": False})
recurrent("gru", nn.GRU, {"words": True}, training=("sgd", "adam"))
recurrent("gru-bidirectional", nn.GRU, {"bidirectional": True, "pooling": "max"})
recurrent("rnn-tanh", nn.RNN, {"pooling": "mean"}, training=("sgd",))
recurrent("rnn-relu", nn.RNN, {"nonlinearity": "relu"})
case("lstm-unfolded", lambda: Recurrent(nn.LSTM), sequence, three, constants=begins)
case("gru-unfolded", lambda: Recurrent(nn.GRU), sequence, three, constants=begins)
case("lstm-dynamo", lambda: Recurrent(nn.LSTM), sequence, three, exporter="dynamo", opset=18)
case("gru-dynamo", lambda: Recurrent(nn.GRU), sequence, three, exporter="dynamo", opset=18)
case(
    "lstm-tagger",
    lambda: Recurrent(nn.LSTM, "all", words=True, bidirectional=True),
    words,
    classes(3, 3, 6),
    loss="cross-entropy of tokens",
    folded=True,
    constants=begins,
)


class Cells(nn.Module):
    """Written out step by step, with the state given."""

    def __init__(self):
        super().__init__()
        self.cell, self.head = nn.LSTMCell(4, 5), nn.Linear(5, 3)

    def forward(self, x, h, c):
        for t in range(x.shape[1]):
            h, c = self.cell(x[:, t], (h, c))
        return self.head(h)


cell_inputs = lambda: {"x": torch.randn(3, 4, 4), "h": torch.randn(3, 5), "c": torch.randn(3, 5)}
case("lstm-cells", Cells, cell_inputs, three)


class EncoderDecoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.source, self.goal = nn.Embedding(11, 4), nn.Embedding(7, 4)
        self.encoder, self.decoder = nn.GRU(4, 5, batch_first=True), nn.GRU(4, 5, batch_first=True)
        self.head = nn.Linear(5, 7)

    def forward(self, x, y):
        _, state = self.encoder(self.source(x))
        states, _ = self.decoder(self.goal(y), state)
        return self.head(states)


both = lambda: {"x": torch.randint(11, [3, 6]), "y": torch.randint(7, [3, 5])}
case(
    "encoder-decoder",
    EncoderDecoder,
    both,
    classes(7, 3, 5),
    loss="cross-entropy of tokens",
    folded=True,
    constants=("/encoder/Constant_output_0",),
)


class Crnn(nn.Module):
    """Reads text in a picture: convolutions, a recurrent network along the width, CTC (Shi et al., 2017)."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d((2, 1)), nn.Conv2d(4, 4, 3, padding=1))
        self.rnn = nn.LSTM(8, 5, bidirectional=True, batch_first=True)
        self.head = nn.Linear(10, 4)

    def forward(self, x):
        x = self.conv(x)
        states, _ = self.rnn(x.permute(0, 3, 1, 2).flatten(2))
        return self.head(states)


read = ("class", lambda: torch.tensor([[1, 2, 2], [3, 1, 0]]))
case("crnn", Crnn, floats(2, 1, 4, 9), read, loss="ctc", folded=True, constants=begins)


class Causal(nn.Module):
    """Gated dilated convolutions that see only the past (van den Oord et al., 2016)."""

    def __init__(self):
        super().__init__()
        self.start = nn.Conv1d(4, 6, 1)
        self.filters = nn.ModuleList(nn.Conv1d(6, 6, 2, dilation=d) for d in (1, 2))
        self.gates = nn.ModuleList(nn.Conv1d(6, 6, 2, dilation=d) for d in (1, 2))
        self.skips = nn.ModuleList(nn.Conv1d(6, 6, 1) for _ in range(2))
        self.head = nn.Conv1d(6, 3, 1)

    def forward(self, x):
        x = self.start(x.transpose(1, 2))
        for d, f, g, s in zip((1, 2), self.filters, self.gates, self.skips):
            past = F.pad(x, (d, 0))
            x = x + s(torch.tanh(f(past)) * torch.sigmoid(g(past)))
        return self.head(x)


case("wavenet", Causal, sequence, classes(3, 3, 6), training=("adamw",))


class Linearized(nn.Module):
    """Attention without a softmax over pairs (Katharopoulos et al., 2020), causal by running sums."""

    def __init__(self):
        super().__init__()
        self.q, self.k, self.v, self.head = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x):
        q, k, v = F.elu(self.q(x)) + 1, F.elu(self.k(x)) + 1, self.v(x)
        memory = (k.unsqueeze(3) * v.unsqueeze(2)).cumsum(1)
        total = (q * k.cumsum(1)).sum(2, keepdim=True)
        return self.head((q.unsqueeze(2) @ memory).squeeze(2) / total).mean(1)


case("linear-attention", Linearized, sequence, three)


class Conformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(4)
        self.wide = nn.Conv1d(4, 8, 1)
        self.depthwise = nn.Conv1d(4, 4, 3, padding=1, groups=4)
        self.batch_norm = nn.BatchNorm1d(4)
        self.narrow = nn.Conv1d(4, 4, 1)
        self.scores, self.head = nn.Linear(4, 1), nn.Linear(4, 3)

    def forward(self, x):
        y = F.glu(self.wide(self.norm(x).transpose(1, 2)), 1)
        x = x + self.narrow(F.silu(self.batch_norm(self.depthwise(y)))).transpose(1, 2)
        shares = torch.softmax(self.scores(x), 1)
        return self.head((shares * x).sum(1))


case("conformer", Conformer, sequence, three)


class StateSpace(nn.Module):
    """A linear recurrence, as a convolution with the powers of its decay."""

    def __init__(self):
        super().__init__()
        self.decay = nn.Parameter(torch.rand(4))
        self.read, self.head = nn.Linear(4, 4), nn.Linear(4, 3)
        self.register_buffer("lags", (torch.arange(6.0)[:, None] - torch.arange(6.0)[None, :]).clamp(min=0))
        self.register_buffer("past", torch.ones(6, 6).tril())

    def forward(self, x):
        kernel = torch.exp(-F.softplus(self.decay)[:, None, None] * self.lags) * self.past
        y = torch.einsum("cts,nsc->ntc", kernel, self.read(x))
        return self.head(torch.tanh(y)[:, -1])


case("state-space", StateSpace, sequence, three, constants=("lags", "past"))
