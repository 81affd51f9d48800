"""Networks that give images, or look at them in other ways than a stack of convolutions."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

from .case import case, classes, floats, values
from .vision import four, image, norm_conv, pooled, relu


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down1 = nn.Sequential(*norm_conv(2, 4), relu())
        self.down2 = nn.Sequential(nn.MaxPool2d(2), *norm_conv(4, 6), relu())
        self.up = nn.ConvTranspose2d(6, 4, 2, stride=2)
        self.last = nn.Sequential(*norm_conv(8, 4), relu(), nn.Conv2d(4, 3, 1))

    def forward(self, x):
        fine = self.down1(x)
        return self.last(torch.cat([fine, self.up(self.down2(fine))], 1))


case("unet", UNet, floats(2, 2, 8, 8), classes(3, 2, 8, 8), training=("sgd", "adam"))


class Resize(nn.Module):
    def __init__(self):
        super().__init__()
        self.nearest, self.linear, self.corners = (nn.Conv2d(i, 3, 3, padding=1) for i in (2, 3, 3))
        self.last = nn.Conv2d(3, 2, 1)

    def forward(self, x):
        x = F.interpolate(torch.tanh(self.nearest(x)), scale_factor=2.0, mode="nearest")
        x = F.interpolate(torch.tanh(self.linear(x)), size=(7, 11), mode="bilinear", align_corners=False)
        x = F.interpolate(torch.tanh(self.corners(x)), scale_factor=2.0, mode="bilinear", align_corners=True)
        return self.last(x)


case("resize", Resize, floats(2, 2, 5, 4), values(2, 2, 14, 22), loss="mean-square", folded=True)
case("resize-dynamo", Resize, floats(2, 2, 5, 4), values(2, 2, 14, 22), loss="mean-square", exporter="dynamo", opset=18)


class SpatialTransformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.where = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 6))
        self.head = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), *pooled(4))
        self.register_buffer("start", torch.tensor([0.9, 0.1, 0.05, -0.1, 0.8, 0.1]))
        ys, xs = torch.meshgrid(torch.linspace(-1, 1, 6), torch.linspace(-1, 1, 7), indexing="ij")
        self.register_buffer("positions", torch.stack([xs, ys, torch.ones_like(xs)], 2).reshape(-1, 3))

    def forward(self, x):
        matrix = (0.3 * self.where(x) + self.start).reshape(-1, 2, 3)
        grid = (self.positions @ matrix.transpose(1, 2)).reshape(-1, 6, 7, 2)
        return self.head(F.grid_sample(x, grid, align_corners=False))


case("grid-sample", SpatialTransformer, image, four, constants=("start", "positions"))
case(
    "pixel-shuffle",
    lambda: nn.Sequential(
        nn.PixelUnshuffle(2), nn.Conv2d(8, 8, 3, padding=1), nn.PReLU(8), nn.Conv2d(8, 8, 1), nn.PixelShuffle(2)
    ),
    image,
    values(4, 2, 8, 8),
    loss="mean-square",
)
case(
    "autoencoder",
    lambda: nn.Sequential(
        nn.Conv2d(2, 4, 3, stride=2, padding=1),
        relu(),
        nn.Conv2d(4, 6, 3, stride=2, padding=1),
        relu(),
        nn.ConvTranspose2d(6, 4, 3, stride=2, padding=1, output_padding=1),
        relu(),
        nn.ConvTranspose2d(4, 2, 3, stride=2, padding=1, output_padding=1, groups=2),
        nn.Sigmoid(),
    ),
    image,
    ("value", lambda: torch.rand(4, 2, 8, 8)),
    loss="mean-square",
    training=("adam",),
)
case(
    "transposed-1d",
    lambda: nn.Sequential(
        nn.ConvTranspose1d(2, 4, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.ConvTranspose1d(4, 2, 3, dilation=2, padding=1),
    ),
    floats(3, 2, 6),
    values(3, 2, 14),
    loss="huber",
)


class Siamese(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(2, 4, 3), relu(), *pooled(4, 6))
        self.head = nn.Linear(6, 1)

    def forward(self, a, b):
        return self.head((self.net(a) - self.net(b)).abs())


two_images = lambda: {"a": torch.randn(4, 2, 8, 8), "b": torch.randn(4, 2, 8, 8)}
yes_or_no = ("value", lambda: torch.randint(2, (4, 1)).float())
case("siamese", Siamese, two_images, yes_or_no, loss="binary-cross-entropy", training=("sgd",))


class FeaturePyramid(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1, self.c2 = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 6, 3, padding=1, stride=2)
        self.lateral1, self.lateral2 = nn.Conv2d(4, 5, 1), nn.Conv2d(6, 5, 1)
        self.smooth = nn.Conv2d(5, 3, 3, padding=1)

    def forward(self, x):
        fine = torch.relu(self.c1(x))
        coarse = torch.relu(self.c2(fine))
        up = F.interpolate(self.lateral2(coarse), size=fine.shape[2:], mode="nearest")
        return self.smooth(self.lateral1(fine) + up)


case("feature-pyramid", FeaturePyramid, floats(2, 2, 7, 7), classes(3, 2, 7, 7))


class NonLocal(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(2, 4, 3, stride=2)
        self.queries, self.keys, self.values = (nn.Conv2d(4, 4, 1) for _ in range(3))
        self.head = nn.Sequential(*pooled(4))

    def forward(self, x):
        x = self.stem(x)
        q, k, v = (layer(x).flatten(2) for layer in (self.queries, self.keys, self.values))
        shares = torch.softmax(torch.bmm(q.transpose(1, 2), k) / 2, -1)
        return self.head(x + torch.bmm(v, shares.transpose(1, 2)).reshape(x.shape))


case("non-local", NonLocal, image, four)
case(
    "weight-norm",
    lambda: nn.Sequential(
        parametrizations.weight_norm(nn.Conv2d(2, 4, 3)),
        relu(),
        nn.Flatten(),
        parametrizations.weight_norm(nn.Linear(144, 4)),
    ),
    image,
    four,
)


class Film(nn.Module):
    """A class, given as a number, scales and shifts the channels."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3)
        self.norm = nn.InstanceNorm2d(4)
        self.condition = nn.Embedding(5, 8)
        self.head = nn.Sequential(relu(), nn.Conv2d(4, 4, 2, stride=2), *pooled(4))

    def forward(self, x, label):
        scale, shift = self.condition(label).chunk(2, 1)
        return self.head(self.norm(self.conv(x)) * scale[:, :, None, None] + shift[:, :, None, None])


film_inputs = lambda: {"x": torch.randn(4, 2, 8, 8), "label": torch.randint(5, [4])}
case("film", Film, film_inputs, four, constants=("/norm/Constant_output_0", "/norm/Constant_1_output_0"))
