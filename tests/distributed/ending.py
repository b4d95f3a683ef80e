"""How a script of several processes ends here."""

import gc
from pathlib import Path

import torch.distributed as dist


def end():
    """Ends the process group, and with it gloo's threads: one that outlives Python may abort the process."""
    dist.destroy_process_group()
    gc.collect()
    names = [thread.joinpath("comm").read_text().strip() for thread in Path("/proc/self/task").glob("*")]
    assert not [name for name in names if "gloo" in name]
