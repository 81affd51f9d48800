"""Networks of sequences: recurrent, convolutional, attending."""

import math

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


class Attention(nn.Module):
    def __init__(self, width=8, heads=2, bias=True):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.out = (nn.Linear(width, width, bias=bias) for _ in range(4))

    def forward(self, x, memory=None, causal=False):
        memory = x if memory is None else memory
        split = lambda t: t.reshape(*t.shape[:2], self.heads, -1).transpose(1, 2)
        q, k, v = split(self.q(x)), split(self.k(memory)), split(self.v(memory))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        return self.out(y.transpose(1, 2).reshape(x.shape))


class Block(nn.Module):
    def __init__(self, pre_norm=True, causal=False, cross=False, act=nn.GELU, bias=True):
        super().__init__()
        self.pre_norm, self.causal = pre_norm, causal
        self.attention, self.norm1, self.norm2 = Attention(bias=bias), nn.LayerNorm(8), nn.LayerNorm(8)
        self.cross, self.norm3 = (Attention(), nn.LayerNorm(8)) if cross else (None, None)
        self.mlp = nn.Sequential(nn.Linear(8, 12), act(), nn.Linear(12, 8))

    def forward(self, x, memory=None):
        if not self.pre_norm:
            x = self.norm1(x + self.attention(x, causal=self.causal))
            return self.norm2(x + self.mlp(x))
        x = x + self.attention(self.norm1(x), causal=self.causal)
        if self.cross is not None:
            x = x + self.cross(self.norm3(x), memory)
        return x + self.mlp(self.norm2(x))


class Classifier(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.embed = nn.Embedding(11, 8)
        self.positions = nn.Parameter(0.1 * torch.randn(1, 6, 8))
        self.blocks = nn.Sequential(Block(**options), Block(**options))
        self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.norm(self.blocks(self.embed(x) + self.positions)).mean(1))


case("transformer-pre-norm", lambda: Classifier(bias=False), words, three, training=("sgd", "adam", "adamw"))
case("transformer-pre-norm-folded", Classifier, words, three, folded=True)
case("transformer-pre-norm-dynamo", Classifier, words, three, exporter="dynamo", opset=18)
case("transformer-post-norm", lambda: Classifier(pre_norm=False, act=nn.ReLU), words, three, training=("sgd",))


class Language(nn.Module):
    """The words that are read and those that are said share one matrix."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(11, 8)
        self.positions = nn.Embedding(6, 8)
        self.block, self.norm = Block(causal=True), nn.LayerNorm(8)
        self.head = nn.Linear(8, 11, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, x):
        x = self.embed(x) + self.positions(torch.arange(6))
        return self.head(self.norm(self.block(x)))


case("transformer-causal", Language, words, classes(11, 3, 6), loss="cross-entropy of tokens", training=("sgd",))


class Translator(nn.Module):
    def __init__(self):
        super().__init__()
        self.source, self.goal = nn.Embedding(11, 8), nn.Embedding(7, 8)
        self.encoder, self.decoder = Block(), Block(causal=True, cross=True)
        self.head = nn.Linear(8, 7)

    def forward(self, x, y):
        return self.head(self.decoder(self.goal(y), self.encoder(self.source(x))))


case("transformer-cross-attention", Translator, both, classes(7, 3, 5), loss="cross-entropy of tokens")


class TorchEncoder(nn.Module):
    """PyTorch's own layers, whose attention keeps query, key and value in one matrix."""

    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        # Copies of one layer would be stored once.
        for weight in self.encoder.layers[1].parameters():
            weight.data += 0.1 * torch.randn(weight.shape)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.encoder(x).mean(1))


case("transformer-torch-layers", TorchEncoder, floats(3, 6, 8), three)
case("transformer-torch-layers-dynamo", TorchEncoder, floats(3, 6, 8), three, exporter="dynamo", opset=18)


class Vit(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(2, 8, 4, stride=4)
        self.token = nn.Parameter(torch.randn(1, 1, 8))
        self.positions = nn.Parameter(0.1 * torch.randn(1, 5, 8))
        self.blocks = nn.Sequential(Block(bias=False), Block(bias=False))
        self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, 4)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.positions
        return self.head(self.norm(self.blocks(x))[:, 0])


case("vit", Vit, floats(3, 2, 8, 8), classes(4, 3), training=("adamw",))


class Rms(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))


class Llama(nn.Module):
    """RMSNorm, rotary positions, keys and values shared by two heads each, SwiGLU (Touvron et al., 2023)."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(11, 8)
        self.norm1, self.norm2, self.norm3 = Rms(8), Rms(8), Rms(8)
        linear = lambda i, o: nn.Linear(i, o, bias=False)
        self.q, self.k, self.v, self.o = linear(8, 8), linear(8, 4), linear(8, 4), linear(8, 8)
        self.gate, self.up, self.down = linear(8, 12), linear(8, 12), linear(12, 8)
        self.head = linear(8, 11)
        angles = torch.outer(torch.arange(6.0), torch.tensor([1.0])).repeat(1, 2)
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())
        self.register_buffer("mask", torch.full([6, 6], -1e9).triu(1))

    def turn(self, x):
        a, b = x.chunk(2, -1)
        return x * self.cos + torch.cat([-b, a], -1) * self.sin

    def attend(self, x):
        n, t, _ = x.shape
        q = self.turn(self.q(x).reshape(n, t, 4, 2).transpose(1, 2))
        k = self.turn(self.k(x).reshape(n, t, 2, 2).transpose(1, 2)).repeat_interleave(2, 1)
        v = self.v(x).reshape(n, t, 2, 2).transpose(1, 2).repeat_interleave(2, 1)
        shares = torch.softmax(q @ k.transpose(2, 3) / math.sqrt(2) + self.mask, -1)
        return self.o((shares @ v).transpose(1, 2).reshape(n, t, 8))

    def forward(self, x):
        x = self.embed(x)
        x = x + self.attend(self.norm1(x))
        y = self.norm2(x)
        x = x + self.down(F.silu(self.gate(y)) * self.up(y))
        return self.head(self.norm3(x))


case("llama", Llama, words, classes(11, 3, 6), loss="cross-entropy of tokens", constants=("cos", "sin", "mask"))
case(
    "llama-dynamo",
    Llama,
    words,
    classes(11, 3, 6),
    loss="cross-entropy of tokens",
    exporter="dynamo",
    opset=18,
    constants=("cos", "sin", "mask"),
)


class Bert(nn.Module):
    """With the mask of padding given, and relative positions looked up in a table (Raffel et al., 2020)."""

    def __init__(self):
        super().__init__()
        self.words, self.kinds = nn.Embedding(11, 8, padding_idx=0), nn.Embedding(2, 8)
        self.relative = nn.Embedding(11, 2)
        self.norm, self.after = nn.LayerNorm(8), nn.LayerNorm(8)
        self.qkv, self.out, self.pool, self.head = nn.Linear(8, 24), nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 3)
        steps = torch.arange(6)
        self.register_buffer("distances", steps[:, None] - steps[None, :] + 5)

    def forward(self, x, kind, mask):
        h = self.norm(self.words(x) + self.kinds(kind))
        n, t, _ = h.shape
        q, k, v = self.qkv(h).reshape(n, t, 3, 2, 4).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(2, 3) / 2 + self.relative(self.distances).permute(2, 0, 1)
        scores = scores.masked_fill(mask[:, None, None, :] == 0, -1e4)
        h = self.after(h + self.out((torch.softmax(scores, -1) @ v).transpose(1, 2).reshape(n, t, 8)))
        return self.head(torch.tanh(self.pool(h[:, 0])))


def padded():
    mask = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0]])
    return {"x": torch.randint(1, 11, [3, 6]) * mask, "kind": torch.randint(2, [3, 6]), "mask": mask}


case("bert", Bert, padded, three)


class Perceiver(nn.Module):
    """A few latents look at a long input (Jaegle et al., 2021)."""

    def __init__(self):
        super().__init__()
        self.latents = nn.Parameter(torch.randn(3, 8))
        self.read = nn.Linear(4, 8)
        self.attention, self.norm, self.head = Attention(), nn.LayerNorm(8), nn.Linear(24, 3)

    def forward(self, x):
        latents = self.latents.expand(x.shape[0], -1, -1)
        return self.head(self.norm(latents + self.attention(latents, self.read(x))).flatten(1))


case("perceiver", Perceiver, sequence, three)


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
