# What every training shares: runner, hooks, logs. Loops, data and networks are in the configs that build on this.
custom_imports = dict(imports=["metaloss.engine"], allow_failed_imports=False)
default_scope = "metaloss"
runner_type = "metaloss.MetaLossRunner"

default_hooks = dict(
    timer=dict(type="IterTimerHook"),
    logger=dict(type="LoggerHook", interval=10),
    param_scheduler=dict(type="metaloss.MetaLossSchedulerHook"),
    checkpoint=dict(type="metaloss.MetaLossCheckpointHook", interval=1, max_keep_ckpts=3),
)
custom_hooks = [
    dict(type="metaloss.ProgressHook"),
    dict(type="metaloss.PicturesHook"),
    dict(type="metaloss.SpreadHook"),
    dict(type="metaloss.SummaryHook"),
]
log_processor = dict(type="metaloss.MetaLossLogProcessor", window_size=10)
loggers = []  # "tensorboard", "wandb", or both, see docs/logging.md
visualizer = dict(type="metaloss.LoggingVisualizer", loggers=loggers, vis_backends=[dict(type="LocalVisBackend")])
env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method="fork"),
    dist_cfg=dict(backend=None, timeout=1800),  # None: nccl where there are CUDA devices, else gloo; in seconds
)
log_level = "INFO"
val_evaluator = dict(type="metaloss.FusionMetric")

settings = dict(loggers="visualizer.loggers")
