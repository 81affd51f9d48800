"""Convolutional networks of images, sounds and volumes that tell classes apart."""

import torch
from torch import nn
from torch.nn import functional as F

from .case import Apply, Residual, case, classes, floats

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
