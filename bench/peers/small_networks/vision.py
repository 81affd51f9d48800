"""Networks of images, sounds and volumes."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

from .case import Apply, Residual, case, classes, floats, values

relu = nn.ReLU
image = floats(4, 2, 8, 8)
four = classes(4, 4)


def pooled(width, outputs=4):
    return nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, outputs)


def norm_conv(inputs, outputs, kernel=3, **options):
    padding = options.pop("padding", kernel // 2)
    return nn.Conv2d(inputs, outputs, kernel, padding=padding, bias=False, **options), nn.BatchNorm2d(outputs)


plain = lambda: nn.Sequential(
    nn.Conv2d(2, 5, 3), relu(), nn.MaxPool2d(2), nn.Conv2d(5, 6, 3, padding=1), relu(), nn.Flatten(), nn.Linear(54, 4)
)
case("cnn-plain", plain, image, four, training=("sgd", "adam"))
case("cnn-plain-dynamo", plain, image, four, exporter="dynamo", opset=18)

batch_norm = lambda: nn.Sequential(*norm_conv(2, 6), relu(), *norm_conv(6, 8, stride=2), relu(), *pooled(8))
case("cnn-batch-norm", batch_norm, image, four, training=("sgd", "adam", "adamw"))


class ResidualNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(*norm_conv(2, 4), relu())
        self.first = Residual(*norm_conv(4, 4), relu(), *norm_conv(4, 4))
        self.wide = nn.Sequential(*norm_conv(4, 6, stride=2), relu(), *norm_conv(6, 6))
        self.shortcut = nn.Sequential(*norm_conv(4, 6, 1, stride=2))
        self.head = nn.Sequential(*pooled(6))

    def forward(self, x):
        x = torch.relu(self.first(self.stem(x)))
        return self.head(torch.relu(self.wide(x) + self.shortcut(x)))


case("cnn-residual", ResidualNet, image, four, training=("sgd", "adamw"))

separable = lambda: nn.Sequential(
    *norm_conv(2, 4, stride=2),
    nn.ReLU6(),
    Residual(*norm_conv(4, 12, 1), nn.ReLU6(), *norm_conv(12, 12, groups=12), nn.ReLU6(), *norm_conv(12, 4, 1)),
    *pooled(4),
)
case("cnn-separable", separable, image, four, training=("sgd",))


def shuffle_channels(x):
    n, c, h, w = x.shape
    return x.reshape(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


case(
    "cnn-grouped",
    lambda: nn.Sequential(
        nn.Conv2d(2, 8, 3, padding=1, groups=2),
        relu(),
        Apply(shuffle_channels),
        nn.Conv2d(8, 12, (3, 1), padding=(1, 0), stride=(2, 1), groups=4),
        relu(),
        *pooled(12),
    ),
    image,
    four,
)
case(
    "cnn-dilated",
    lambda: nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=2, dilation=2),
        nn.ELU(),
        nn.ReflectionPad2d((1, 2, 2, 1)),
        nn.Conv2d(4, 4, 3, dilation=(1, 3), stride=2),
        nn.ELU(),
        nn.ReplicationPad2d(1),
        nn.Conv2d(4, 5, 3),
        *pooled(5),
    ),
    image,
    four,
)


class SqueezeExcite(nn.Module):
    def __init__(self, width, act, gate):
        super().__init__()
        self.down, self.up = nn.Conv2d(width, 2, 1), nn.Conv2d(2, width, 1)
        self.act, self.gate = act, gate

    def forward(self, x):
        return x * self.gate(self.up(self.act(self.down(x.mean((2, 3), keepdim=True)))))


case(
    "cnn-squeeze-excite",
    lambda: nn.Sequential(
        nn.Conv2d(2, 6, 3),
        nn.Hardswish(),
        SqueezeExcite(6, nn.ReLU(), nn.Hardsigmoid()),
        nn.Conv2d(6, 6, 3),
        nn.SiLU(),
        SqueezeExcite(6, nn.SiLU(), nn.Sigmoid()),
        *pooled(6),
    ),
    image,
    four,
    training=("adamw",),
)


class Dense(nn.Module):
    def __init__(self, inputs, growth):
        super().__init__()
        self.layer = nn.Sequential(nn.BatchNorm2d(inputs), relu(), nn.Conv2d(inputs, growth, 3, padding=1))

    def forward(self, x):
        return torch.cat([x, self.layer(x)], 1)


case(
    "cnn-dense",
    lambda: nn.Sequential(nn.Conv2d(2, 4, 3), Dense(4, 3), Dense(7, 3), nn.AvgPool2d(2), Dense(10, 2), *pooled(12)),
    image,
    four,
)


class Inception(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.Conv2d(2, 2, 1)
        self.wide = nn.Conv2d(2, 3, (1, 5), padding=(0, 2))
        self.tall = nn.Conv2d(2, 3, (5, 1), padding=(2, 0))
        self.after_pool = nn.Conv2d(2, 2, 1)
        self.head = nn.Sequential(*pooled(10))

    def forward(self, x):
        pool = F.max_pool2d(x, 3, 1, 1)
        parts = [self.one(x), self.wide(x), self.tall(x), self.after_pool(pool)]
        return self.head(F.leaky_relu(torch.cat(parts, 1), 0.1))


case("cnn-inception", Inception, image, four)
case(
    "cnn-1d",
    lambda: nn.Sequential(
        nn.Conv1d(2, 6, 5, stride=2, padding=2, bias=False),
        nn.BatchNorm1d(6),
        relu(),
        nn.Conv1d(6, 6, 3, groups=3, dilation=2),
        nn.Tanh(),
        nn.AdaptiveMaxPool1d(1),
        nn.Flatten(),
        nn.Linear(6, 4),
    ),
    floats(4, 2, 20),
    four,
    training=("adam",),
)
case(
    "cnn-3d",
    lambda: nn.Sequential(
        nn.Conv3d(1, 4, 3, padding=1),
        nn.BatchNorm3d(4),
        relu(),
        nn.MaxPool3d(2),
        nn.Conv3d(4, 5, (1, 3, 3), stride=(2, 1, 1)),
        relu(),
        nn.AvgPool3d((1, 2, 2), stride=1),
        nn.Flatten(),
        nn.Linear(5, 4),
    ),
    floats(4, 1, 4, 8, 8),
    four,
)
case(
    "cnn-pooling",
    lambda: nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.AvgPool2d(3, 2, 1, count_include_pad=True),
        nn.Conv2d(4, 4, 1),
        nn.AvgPool2d(2, 1, 1, count_include_pad=False),
        nn.Conv2d(4, 4, 1),
        nn.MaxPool2d(2, 2, ceil_mode=True),
        nn.Conv2d(4, 4, 1),
        nn.AdaptiveAvgPool2d((1, 3)),
        nn.Flatten(),
        nn.Linear(12, 4),
    ),
    image,
    four,
)
case(
    "cnn-global-max",
    lambda: nn.Sequential(nn.Conv2d(2, 6, 3), nn.Softplus(), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(6, 4)),
    image,
    four,
)
case(
    "cnn-group-norm",
    lambda: nn.Sequential(
        nn.Conv2d(2, 6, 3), nn.GroupNorm(3, 6), nn.SiLU(), nn.Conv2d(6, 4, 3), nn.GroupNorm(1, 4), *pooled(4)
    ),
    image,
    four,
    training=("adam",),
    constants=tuple(f"/{layer}/Constant_{i}_output_0" for layer in (1, 4) for i in (1, 2)),
)
case(
    "cnn-group-norm-dynamo",
    lambda: nn.Sequential(nn.Conv2d(2, 6, 3), nn.GroupNorm(3, 6), nn.SiLU(), *pooled(6)),
    image,
    four,
    exporter="dynamo",
    opset=18,
    constants=("val_8", "val_11"),
)
case(
    "cnn-instance-norm",
    lambda: nn.Sequential(
        nn.Conv2d(2, 5, 3), nn.InstanceNorm2d(5, affine=True), relu(), nn.Conv2d(5, 4, 3, stride=2), nn.Flatten(), nn.Linear(16, 4)
    ),
    image,
    four,
)
case(
    "cnn-local-response-norm",
    lambda: nn.Sequential(nn.Conv2d(2, 6, 3), relu(), nn.LocalResponseNorm(3, alpha=0.5), *pooled(6)),
    image,
    four,
)


class ConvNext(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(2, 6, 2, stride=2)
        self.depthwise = nn.Conv2d(6, 6, 3, padding=1, groups=6)
        self.norm = nn.LayerNorm(6)
        self.up, self.down = nn.Linear(6, 12), nn.Linear(12, 6)
        self.scale = nn.Parameter(torch.full([6], 0.3))
        self.head = nn.Sequential(*pooled(6))

    def forward(self, x):
        x = self.stem(x)
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        y = self.scale * self.down(F.gelu(self.up(y)))
        return self.head(x + y.permute(0, 3, 1, 2))


case("cnn-convnext", ConvNext, image, four, training=("adamw",))
case("cnn-convnext-folded", ConvNext, image, four, folded=True)
case("cnn-convnext-dynamo", ConvNext, image, four, exporter="dynamo", opset=18)


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
