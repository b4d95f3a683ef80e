"""Weight files in the forms in which the networks' authors publish them, with any numbers in them."""

import numpy as np
import torch


def write(folder, name, state):
    """Writes a network's weights as its authors do.

    Args:
        folder: where to.
        name: of the network.
        state: its weights, under the names of the published files.

    Returns:
        The files.
    """
    folder.mkdir(exist_ok=True)
    content = {"file.pth": dict(state)}
    if name == "u2fusion":  # losses as NumPy computed them
        losses = [np.float64(0.25), np.mean([0.5, 1.0])]
        content = {"model.pth": {"model": state, "train_loss_1": losses, "train_loss_2": losses, "lr": 1e-5}}
    if name == "didfuse":
        parts = {"Encoder.pkl": ("cov1", "cov2", "cov3", "cov4"), "Decoder.pkl": ("cov5", "cov6", "cov7")}
        content = {
            file: {"weight": {key: state[key] for key in state if key.startswith(layers)}, "epoch": 120}
            for file, layers in parts.items()
        }
    if name == "ifcnn":  # older than the counters
        content = {"file.pth": {key: value for key, value in state.items() if "num_batches" not in key}}
    if name == "tardal":
        content = {"tardal-dt.pth": {"fuse": {**state, "use_eval": True}, "disc": {"t": {"x": torch.ones(2)}}}}
    if name == "cddfuse":
        content = {"CDDFuse.pth": in_parallel(cddfuse_parts())} if state is None else {"CDDFuse.pth": state}
    for file, saved in content.items():
        # the old form of torch's files, which most authors' are of
        torch.save(saved, folder / file, _use_new_zipfile_serialization=name not in ("u2fusion", "didfuse", "ifcnn"))
    return [folder / file for file in content]


def in_parallel(parts):
    """The parts of a file as ``DataParallel`` names their weights."""
    return {part: {f"module.{key}": value for key, value in state.items()} for part, state in parts.items()}


def cddfuse_parts():
    """Random weights of CDDFuse by part, under the published names."""
    restormer = {
        **_norms(64),
        "attn.temperature": (8, 1, 1),
        "attn.qkv.weight": (192, 64, 1, 1),
        "attn.qkv_dwconv.weight": (192, 1, 3, 3),
        "attn.project_out.weight": (64, 64, 1, 1),
        "ffn.project_in.weight": (256, 64, 1, 1),
        "ffn.dwconv.weight": (256, 1, 3, 3),
        "ffn.project_out.weight": (64, 128, 1, 1),
    }
    base = {
        **_norms(64),
        "attn.scale": (8, 1, 1),
        "attn.qkv1.weight": (192, 64, 1, 1),
        "attn.qkv2.weight": (192, 192, 3, 3),
        "attn.proj.weight": (64, 64, 1, 1),
        "mlp.project_in.weight": (128, 64, 1, 1),
        "mlp.dwconv.weight": (128, 2, 3, 3),
        "mlp.project_out.weight": (64, 64, 1, 1),
    }
    residual = {"0.weight": (64, 32, 1, 1), "3.weight": (64, 1, 3, 3), "5.weight": (32, 64, 1, 1)}
    node = {
        **_below("theta_phi.bottleneckBlock", residual),
        **_below("theta_rho.bottleneckBlock", residual),
        **_below("theta_eta.bottleneckBlock", residual),
        "shffleconv.weight": (64, 64, 1, 1),
        "shffleconv.bias": (64,),
    }
    shapes = {
        "DIDF_Encoder": {
            "patch_embed.proj.weight": (64, 1, 3, 3),
            **_repeated("encoder_level1", restormer, 4),
            **_below("baseFeature", base),
            **_below("detailFeature", _repeated("net", node, 3)),
        },
        "DIDF_Decoder": {
            "reduce_channel.weight": (64, 128, 1, 1),
            **_repeated("encoder_level2", restormer, 4),
            "output.0.weight": (32, 64, 3, 3),
            "output.2.weight": (1, 32, 3, 3),
        },
        "BaseFuseLayer": base,
        "DetailFuseLayer": _repeated("net", node, 1),
    }
    return {part: {key: _random(shape) for key, shape in names.items()} for part, names in shapes.items()}


def _norms(width):
    return {f"norm{number}.body.{name}": (width,) for number in (1, 2) for name in ("weight", "bias")}


def _below(prefix, shapes):
    return {f"{prefix}.{key}": shape for key, shape in shapes.items()}


def _repeated(prefix, shapes, count):
    return {name: shape for number in range(count) for name, shape in _below(f"{prefix}.{number}", shapes).items()}


def _random(shape):
    fan_in = max(np.prod(shape[1:]), 1)
    return torch.randn(shape) / fan_in**0.5 if len(shape) == 4 else 1 + 0.1 * torch.randn(shape)
