"""CDDFuse as its equations read, operator by operator, on weights under their published names."""

import torch
import torch.nn.functional as F


def fuse(parts, ir, vi):
    """Fuses two images (B, 1, H, W) with weights by part and name."""
    vi_base, vi_detail = _encode(parts["DIDF_Encoder"], vi)
    ir_base, ir_detail = _encode(parts["DIDF_Encoder"], ir)
    base = _base(parts["BaseFuseLayer"], "", vi_base + ir_base)
    detail = _detail(parts["DetailFuseLayer"], "", vi_detail + ir_detail)
    decoder = parts["DIDF_Decoder"]
    x = F.conv2d(torch.cat([base, detail], 1), decoder["reduce_channel.weight"])
    x = _restormer(decoder, "encoder_level2", x)
    x = F.leaky_relu(F.conv2d(x, decoder["output.0.weight"], padding=1), 0.01)
    return torch.sigmoid(F.conv2d(x, decoder["output.2.weight"], padding=1) + vi)


def _encode(state, image):
    x = F.conv2d(image, state["patch_embed.proj.weight"], padding=1)
    x = _restormer(state, "encoder_level1", x)
    return _base(state, "baseFeature.", x), _detail(state, "detailFeature.", x)


def _restormer(state, prefix, x):
    for number in range(4):
        own = {key.removeprefix(f"{prefix}.{number}."): value for key, value in state.items()}
        qkv = F.conv2d(_norm(own, "norm1", x), own["attn.qkv.weight"])
        qkv = F.conv2d(qkv, own["attn.qkv_dwconv.weight"], padding=1, groups=192)
        x = x + F.conv2d(_attend(qkv, own["attn.temperature"]), own["attn.project_out.weight"])
        hidden = F.conv2d(_norm(own, "norm2", x), own["ffn.project_in.weight"])
        gate, value = F.conv2d(hidden, own["ffn.dwconv.weight"], padding=1, groups=256).chunk(2, 1)
        x = x + F.conv2d(F.gelu(gate) * value, own["ffn.project_out.weight"])
    return x


def _base(state, prefix, x):
    own = {key.removeprefix(prefix): value for key, value in state.items()}
    qkv = F.conv2d(_norm(own, "norm1", x), own["attn.qkv1.weight"])
    qkv = F.conv2d(qkv, own["attn.qkv2.weight"], padding=1)
    x = x + F.conv2d(_attend(qkv, own["attn.scale"]), own["attn.proj.weight"])
    hidden = F.conv2d(_norm(own, "norm2", x), own["mlp.project_in.weight"])
    gate, value = F.conv2d(hidden, own["mlp.dwconv.weight"], padding=1, groups=64).chunk(2, 1)
    return x + F.conv2d(F.gelu(gate) * value, own["mlp.project_out.weight"])


def _norm(own, name, x):
    deviation = torch.sqrt(x.var(1, keepdim=True, unbiased=False) + 1e-5)
    weight, bias = (own[f"{name}.body.{part}"].view(-1, 1, 1) for part in ("weight", "bias"))
    return (x - x.mean(1, keepdim=True)) / deviation * weight + bias


def _attend(qkv, temperature):
    batch, _, height, width = qkv.shape
    query, key, value = (part.reshape(batch, 8, 8, height * width) for part in qkv.chunk(3, 1))
    cosines = F.normalize(query, dim=-1) @ F.normalize(key, dim=-1).transpose(-2, -1)
    return ((cosines * temperature).softmax(-1) @ value).reshape(batch, 64, height, width)


def _detail(state, prefix, x):
    number = 0
    first, second = x[:, :32], x[:, 32:]
    while f"{prefix}net.{number}.shffleconv.weight" in state:
        own = {key.removeprefix(f"{prefix}net.{number}."): value for key, value in state.items()}
        mixed = F.conv2d(torch.cat([first, second], 1), own["shffleconv.weight"], own["shffleconv.bias"])
        first, second = mixed[:, :32], mixed[:, 32:]
        second = second + _residual(own, "theta_phi", first)
        first = first * torch.exp(_residual(own, "theta_rho", second)) + _residual(own, "theta_eta", second)
        number += 1
    return torch.cat([first, second], 1)


def _residual(own, name, x):
    x = F.relu6(F.conv2d(x, own[f"{name}.bottleneckBlock.0.weight"]))
    x = F.pad(x, (1, 1, 1, 1), mode="reflect")
    x = F.relu6(F.conv2d(x, own[f"{name}.bottleneckBlock.3.weight"], groups=64))
    return F.conv2d(x, own[f"{name}.bottleneckBlock.5.weight"])
