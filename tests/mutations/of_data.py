"""Mutations of data, colour, fusing and configs."""

from mutation import Mutation

MUTATIONS = (
    Mutation(
        name="odd item of a batch never exchanged",
        file="metaloss/data/exchange.py",
        find="chosen = size // 2 + int(torch.randint(1 + size % 2, (), generator=generator))",
        replace="chosen = size // 2",
        tests=("tests/data/test_exchange.py",),
    ),
    Mutation(
        name="exchange drawn with one seed for all batches",
        file="metaloss/data/episodes.py",
        find="manual_seed(first.batch_seed)",
        replace="manual_seed(self.seed)",
        tests=("tests/data/test_episodes.py",),
    ),
    Mutation(
        name="tiles not blended",
        file="metaloss/inference/fuse.py",
        find="weights = torch.minimum(rising, falling).clamp(max=overlap + 1.0)",
        replace="weights = torch.ones(tile)",
        tests=("tests/inference/test_fuse.py",),
    ),
    Mutation(
        name="chroma not fitted to the fused image",
        file="metaloss/inference/finish.py",
        find="ycbcr_to_rgb(fused, fitted_chroma(fused, chroma))",
        replace="ycbcr_to_rgb(fused, chroma)",
        tests=("tests/cli/test_fuse_options.py", "tests/cli/test_fuse.py"),
    ),
    Mutation(
        name="settings do not reach their places",
        file="metaloss/engine/settings.py",
        find="for place in [*places(config)[name], name]:",
        replace="for place in [name]:",
        tests=("tests/engine/test_settings.py",),
    ),
    Mutation(
        name="views not checked before a training",
        file="metaloss/cli/train.py",
        find="            check_views(schedule.episodes)",
        replace="            pass",
        tests=("tests/cli/test_train_checks.py", "tests/cli/test_errors.py"),
    ),
)
