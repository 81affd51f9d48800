"""Networks of sequences, and of images cut into patches, whose elements look at each other."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from .case import case, classes, floats
from .sequences import both, sequence, three, words


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
