"""The value network: a small U-Net from rotated height maps to values of every cell.

Fully convolutional, as Zeng et al. 2018, but with a trunk of 100 thousand weights and a value
every 4 mm instead of four DenseNets with one every 32 mm.
"""

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from vpg_ros.choices import HIERARCHICAL
from vpg_ros.policy.config import NetworkConfig
from vpg_ros.policy.heads import make_head
from vpg_ros.policy.layers import block
from vpg_ros.policy.meta import MetaNetwork

DOWNSAMPLING = 4  # input height and width, in cells, must be multiples of this
# Cells: nothing as far from a cell has any say in its value. A level's two convolutions reach 2 of
# its cells: 2 + 4 + 8 + 4 + 2, and 3 more for where the cells of coarser levels lie.
SEEN = 24


class ValueNetwork(nn.Module):
    """B×input_channels×H×W cells → head parameters, B×outputs·k×H×W.

    meta: the network of a hierarchical strategy's meta-policy, beside what values the pixels.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        first, second, third = config.widths
        self.encode_fine = block(config.input_channels, first)
        self.encode_middle = block(first, second)
        self.encode_coarse = block(second, third)
        self.lift_middle = nn.Conv2d(third, second, 1)
        self.decode_middle = block(second, second)
        self.lift_fine = nn.Conv2d(second, first, 1)
        self.decode_fine = block(first, first)
        self.head = make_head(config.head, first, config.outputs)
        self.meta = _make_meta(config)

    def part(self, name: str) -> "ValueNetwork":
        """The network that values a primitive: this one."""
        return self

    @property
    def members(self) -> tuple["ValueNetwork", ...]:
        """The networks whose outputs follow each other: this one."""
        return (self,)

    def forward(self, inputs: Tensor) -> Tensor:
        """Parameters of the values for actions along the inputs' +x."""
        parameters: Tensor = self.head(self.features(inputs))
        return parameters

    def features(self, inputs: Tensor) -> Tensor:
        """What the head reads: B×widths[0]×H×W."""
        fine = self.encode_fine(inputs)
        middle = self.encode_middle(functional.max_pool2d(fine, 2))
        coarse = self.encode_coarse(functional.max_pool2d(middle, 2))
        middle = self.decode_middle(middle + _doubled(self.lift_middle(coarse)))
        features: Tensor = self.decode_fine(fine + _doubled(self.lift_fine(middle)))
        return features


class SeparateNetworks(nn.Module):
    """One network for each primitive behind the interface of one for all of them.

    meta: as of ValueNetwork.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.parts = nn.ModuleDict(
            {_key(name): ValueNetwork(config.only(name)) for name in config.names}
        )
        self.meta = _make_meta(config)

    def part(self, name: str) -> ValueNetwork:
        """The network of one primitive."""
        network = self.parts[_key(name)]
        assert isinstance(network, ValueNetwork)
        return network

    @property
    def members(self) -> tuple[ValueNetwork, ...]:
        """The networks whose outputs follow each other."""
        return tuple(self.part(name) for name in self.config.names)

    def forward(self, inputs: Tensor) -> Tensor:
        """Parameters of all primitives, in the order of the configuration."""
        return torch.cat([member(inputs) for member in self.members], dim=1)


def _key(name: str) -> str:
    """Of a primitive's network among others: its name, but for names of what modules have."""
    return f"{name}-" if hasattr(nn.ModuleDict(), name) else name


Network = ValueNetwork | SeparateNetworks


def make_network(config: NetworkConfig) -> Network:
    """A network with random weights as ``config`` describes it."""
    return SeparateNetworks(config) if config.trunks == "separate" else ValueNetwork(config)


def _make_meta(config: NetworkConfig) -> MetaNetwork | None:
    """The meta-policy's network, where the strategy has one."""
    if config.strategy != HIERARCHICAL:
        return None
    return MetaNetwork(len(config.names), config.head, config.colour)


def _doubled(x: Tensor) -> Tensor:
    """Twice the height and width, nearest neighbour."""
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


def fold_batch_norm(network: Network) -> Network:
    """The same function with every batch norm folded into the convolution before it (eval mode)."""
    folded = copy.deepcopy(network).eval()
    for _, layers, i in [*_normalised(folded)]:
        convolution = layers[i]
        assert isinstance(convolution, nn.Conv2d)
        convolution.bias = nn.Parameter(convolution.weight.new_zeros(convolution.out_channels))
        layers[i + 1] = nn.Identity()
    folded.load_state_dict(folded_weights(network))
    return folded


def folded_weights(network: Network) -> dict[str, Tensor]:
    """What ``fold_batch_norm`` of a network has for its state."""
    state = dict(network.state_dict())
    for name, layers, i in _normalised(network):
        for key in layers[i + 1].state_dict():
            del state[f"{name}.{i + 1}.{key}"]
        weight, bias = _fused(layers[i], layers[i + 1])
        state[f"{name}.{i}.weight"], state[f"{name}.{i}.bias"] = weight, bias
    return state


def _normalised(network: Network) -> Iterator[tuple[str, nn.Sequential, int]]:
    """Every block by its name, with the index of each convolution; its batch norm is the next."""
    for name, layers in network.named_modules():
        if isinstance(layers, nn.Sequential):
            yield from ((name, layers, i) for i in range(0, len(layers), 3))


def _fused(convolution: nn.Module, norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution without a bias and the batch norm after it."""
    assert isinstance(convolution, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None
    assert variance is not None
    with torch.no_grad():
        return torch.nn.utils.fusion.fuse_conv_bn_weights(
            convolution.weight, None, mean, variance, norm.eps, norm.weight, norm.bias
        )


def channels_last(network: Network) -> Network:
    """The same network with its weights laid out channels last, a third faster on a CPU."""
    for parameter in network.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network
