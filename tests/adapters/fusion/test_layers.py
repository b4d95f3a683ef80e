"""Layers that are computed otherwise than they are published, against the published way."""

import pytest
import torch
from metaloss_fusion.layers import convolved
from metaloss_fusion.tokens import TokenBlock, TokenBlocks
from torch import nn


@pytest.mark.parametrize("size", [3, 5])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("border", ["zeros", "reflect", "replicate"])
def test_batch_norm_in_the_weights(border, bias, size):
    norm = nn.BatchNorm2d(4).double()
    for value in (norm.weight.data, norm.bias.data, norm.running_mean):
        value.normal_()
    norm.running_var.uniform_(0.1, 2)
    convolution = nn.Conv2d(2, 4, size, padding=size // 2, padding_mode=border, bias=bias).double()
    x = torch.randn(2, 2, 9, 7, dtype=torch.float64)
    assert torch.allclose(convolved(x, convolution, norm.eval(), border=border), norm(convolution(x)), atol=1e-13)
    expected = convolution(x)
    assert torch.allclose(convolved(x, convolution, border=border), expected, atol=1e-13)
    other = nn.BatchNorm2d(4).double()
    other.load_state_dict(norm.state_dict())
    assert torch.allclose(convolved(x, convolution, norm.train(), border=border), other.train()(expected), atol=1e-13)
    assert torch.equal(norm.running_mean, other.running_mean) or torch.allclose(norm.running_mean, other.running_mean)
    assert norm.num_batches_tracked == 1


def test_attention_to_a_single_token():
    width, heads = 16, 8
    block = TokenBlock(width, heads).double()
    nn.init.normal_(block.attn.relative_position_bias_table)
    tokens = torch.randn(2, 5, width, dtype=torch.float64)
    windows = block.norm1(tokens).reshape(10, 1, width)  # each token is a window of its own
    query, key, value = block.attn["qkv"](windows).reshape(10, 1, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
    bias = block.attn.relative_position_bias_table[block.attn.relative_position_index.view(-1)].view(heads, 1, 1)
    weights = (query @ key.transpose(-2, -1) * (width // heads) ** -0.5 + bias).softmax(-1)
    attended = block.attn["proj"]((weights @ value).transpose(1, 2).reshape(10, 1, width)).view(2, 5, width)
    x = tokens + attended
    x = x + block.mlp["fc2"](nn.functional.gelu(block.mlp["fc1"](block.norm2(x))))
    assert torch.allclose(block(tokens), x, atol=1e-13)


def test_a_token_is_a_run_of_neighbouring_numbers():
    blocks = TokenBlocks(16).eval()
    x = torch.rand(2, 16, 5, 7)  # 35 pixels: tokens reach over the borders of channels
    changed = x.clone()
    changed[1, 3, 0, 0] += 1  # number 105 of its image, in the 7th token
    with torch.no_grad():
        moved = (blocks(changed) != blocks(x)).flatten(1)
    assert not moved[0].any()
    assert moved[1].nonzero().flatten().tolist() == list(range(96, 112))
    with torch.no_grad():
        assert torch.equal(blocks(x.to(memory_format=torch.channels_last)), blocks(x))
