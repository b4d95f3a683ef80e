"""What a step of a learner changes, for tests."""

import torch


def everything(learner):
    """All that a step could change."""
    modules = {"fusion": learner.fusion, "loss": learner.loss, "task": learner.task}
    kept = {}
    for part, module in modules.items():
        kept |= {f"{part}.{name}": value.clone() for name, value in module.state_dict().items()}
        kept |= {f"{part}.{name}.grad": value.grad for name, value in module.named_parameters()}
        kept |= {f"{part}.{name}.training": value.training for name, value in module.named_modules()}
    return kept


def changed(before, after):
    """The parts in which anything is another than before."""
    assert before.keys() == after.keys()
    tensors = [name for name, value in before.items() if isinstance(value, torch.Tensor)]
    different = [name for name in tensors if not torch.equal(before[name], after[name])]
    different += [name for name in before.keys() - set(tensors) if before[name] is not after[name]]
    return {name.partition(".")[0] for name in different}
