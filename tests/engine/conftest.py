import warnings

# torch's own use of torch.jit, at import: nobody can change it from here, and a mark on a test would come too late
with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
    import torch.distributed.optim  # noqa: F401
