"""MetaLearner: learns a fusion loss, a thin face over pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from torch import Tensor, nn
from torch.optim import Optimizer

from metaloss.batch import FusionBatch, check_sources, check_values
from metaloss.errors import at_least, one_of
from metaloss.hypergradient import MetaGradient
from metaloss.hypergradient.execution import PRECISIONS, Execution, Memory, compiled
from metaloss.hypergradient.random_state import RandomState, own_generators
from metaloss.inference.fuse import fuse_any_size
from metaloss.inner import InnerRate, InnerRule, InnerUpdates
from metaloss.training import checks, finite
from metaloss.training.checkpoint import state_of, take_up
from metaloss.training.fit import fit
from metaloss.training.meta import MetaGradients, method_of
from metaloss.training.optimizers import Optimizers
from metaloss.training.outer import OuterUpdate
from metaloss.training.parts import Phase
from metaloss.training.saving import save
from metaloss.training.signal import signal
from metaloss.training.steps import Gradients, step_all, step_with
from metaloss.training.trained import Trained
from metaloss.training.variants import Variant


class MetaLearner(Trained):
    """Learns the fusion loss that makes a fusion network useful to a task (TDFusion, Algorithm 1).

    Args:
        fusion: F, any ``nn.Module``: ``(*sources) -> fused`` (B, C, H, W). Or ``"weighted_sum"`` (ablation V).
        loss: L_f with its loss generator G, any ``nn.Module``: ``(fused, sources) -> FusionLossTerms``.
        task: T, an adapter or any ``nn.Module``: ``(fused, target) -> loss``.
        hypergradient: ``"auto"``, ``"forward"``, ``"reverse"``, ``"finite_difference"``, or a name
            that a plug-in registered.
        inner_update: ``"network"``, of F's parameters (Eq. 4); or ``"image"``, of the fused image, in which the
            task's wish reaches the loss whole. All ``inner_...`` settings then act on T alone.
        image_lr: the rate of the image's update, per pixel; ``None`` for its first-order limit.
        inner_rule: ``"sgd"`` (Eq. 4), ``"sgd_momentum"``, ``"adam"``, or any pure callable
            ``(params, grads, state) -> (params, state)``.
        inner_steps: K >= 1.
        inner_lr: of the inner updates, one number or a pair for F and T; ``"optimizer"`` takes each
            parameter group's current rate, as the published code does.
        inner_state: ``"fresh"``, or ``"optimizer"`` to start a named rule from the moments and settings of
            F's and T's optimizers.
        inner_clip: the largest norm of an inner gradient over all parameters of a network, or ``None``.
        lr: of the default optimizers (Adam).
        fusion_optimizer: steps F; default Adam, built when first needed.
        task_optimizer: steps T, likewise.
        loss_optimizer: steps G, likewise.
        schedulers: learning-rate schedulers that ``fit`` steps once an epoch.
        outer_update: ``"optimizer"``; or ``"max_normalised_sgd"``, plain SGD on the gradient divided by
            its largest absolute entry, as in the published code.
        accumulate: meta steps per update of G; their gradients are averaged.
        on_nonfinite: ``"raise"``, or ``"skip"`` to leave out and count meta steps and fusion steps that are not finite.
        memory: ``"normal"``; ``"low"`` keeps the activations of one block at a time and computes the others
            again, with the same result.
        precision: ``None``; or ``"bf16"`` or ``"fp16"`` to run F and T under autocast. The loss, G and the
            meta-gradient's sums stay in full precision.
        fusion_sees_task_loss: train F on L_f + L_t in the fusion phase (ablation III).
        separate_fusion_learning: ``False`` leaves the fusion phase out, and lets F and T take the gradients
            of their inner updates at each meta step instead (ablation IV).
        allow_shared_parameters: let two of F, L_f and T share a trainable parameter, which both optimizers step.
        compile: run F, T and the loss through ``torch.compile`` where first derivatives are enough.

    The ablations and their equations are in :mod:`metaloss.training.variants`.

    Raises:
        ConfigError: a setting out of its range, or ablations that leave each other nothing to act on.
        PluginError: an unknown hypergradient.

    Examples:
        >>> import torch
        >>> import metaloss
        >>> from metaloss.data import SyntheticScenes
        >>> scenes = SyntheticScenes(4, size=(32, 32))
        >>> learner = metaloss.MetaLearner(
        ...     fusion=metaloss.Concatenated(torch.nn.Conv2d(2, 1, 3, padding=1)),
        ...     loss=metaloss.LearnableFusionLoss(alpha=0.5),
        ...     task=metaloss.ModuleTask(torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.functional.cross_entropy),
        ...     lr=1e-3,
        ... )
        >>> log = learner.fit(scenes, epochs=1, meta_steps=1)
        >>> learner.fuse(torch.rand(1, 1, 45, 61), torch.rand(1, 1, 45, 61)).shape
        torch.Size([1, 1, 45, 61])
    """

    def __init__(
        self,
        *,
        fusion: nn.Module | Literal["weighted_sum"],
        loss: nn.Module,
        task: nn.Module,
        hypergradient: str = "auto",
        inner_update: Literal["network", "image"] = "network",
        image_lr: float | None = None,
        inner_rule: str | InnerRule = "sgd",
        inner_steps: int = 1,
        inner_lr: InnerRate | tuple[InnerRate, InnerRate] = 1e-4,
        inner_state: Literal["fresh", "optimizer"] = "fresh",
        inner_clip: float | None = None,
        lr: float = 1e-4,
        fusion_optimizer: Optimizer | None = None,
        task_optimizer: Optimizer | None = None,
        loss_optimizer: Optimizer | None = None,
        schedulers: Sequence[Any] = (),
        outer_update: Literal["optimizer", "max_normalised_sgd"] = "optimizer",
        accumulate: int = 1,
        on_nonfinite: Literal["raise", "skip"] = "raise",
        memory: Memory = "normal",
        precision: Literal["bf16", "fp16"] | None = None,
        fusion_sees_task_loss: bool = False,
        separate_fusion_learning: bool = True,
        allow_shared_parameters: bool = False,
        compile: bool = False,
    ) -> None:
        at_least("accumulate", accumulate, 1)
        normalised = one_of("outer_update", outer_update, ("optimizer", "max_normalised_sgd")) == "max_normalised_sgd"
        self.on_nonfinite, self._ready = one_of("on_nonfinite", on_nonfinite, ("raise", "skip")), False
        inner = InnerUpdates.of(inner_rule, inner_steps, inner_lr, inner_state, inner_clip)
        variant = Variant.of(fusion, loss, sees_task_loss=fusion_sees_task_loss, separate=separate_fusion_learning)
        networks: dict[str, nn.Module] = {"fusion": variant.fusion, "loss": loss, "task": task}
        if not variant.sums and not allow_shared_parameters:
            checks.check_separate(networks)
        given = {"fusion": fusion_optimizer, "task": task_optimizer, "loss": loss_optimizer}
        optimizers = Optimizers(networks, given, lr=lr, plain_loss=normalised)
        settings = {"hypergradient": hypergradient, "inner_update": inner_update, "image_lr": image_lr}
        settings |= {"outer_update": outer_update, "accumulate": accumulate, "precision": precision}
        settings |= {**inner.settings(), **variant.settings()}
        outer = OuterUpdate(accumulate, normalised=normalised)
        super().__init__(variant, loss, task, optimizers, schedulers, outer, settings)
        method = method_of(hypergradient, variant, inner_update, image_lr)
        self._execution = Execution(
            precision=PRECISIONS[precision]
            if one_of("precision", precision, (None, *PRECISIONS)) and precision
            else None,
            memory=one_of("memory", memory, get_args(Memory)),
            compiled=compiled(*networks.values()) if compile else {},
        )
        self._meta: MetaGradients = MetaGradients(method, inner, self._execution)

    def meta_gradient(self, meta_train: FusionBatch, meta_test: FusionBatch) -> MetaGradient:
        """Computes the gradient of the outer loss with respect to the loss generator (Eq. 4-7).

        Pure: every parameter, buffer, ``.grad``, optimizer and train/eval flag is as it was
        afterwards; the random generators have moved on by what the forward passes drew.

        Args:
            meta_train: the batch of the inner updates.
            meta_test: the batch of the outer loss.

        Returns:
            The meta-gradient, by name as in ``loss.named_parameters()``, and the losses on the way.

        Raises:
            MetaGradientError: a parameter gets no gradient, all are zero, one is not finite, or an operator
                lacks the derivative that the method needs.
        """
        self._check(meta_train)
        return self._meta.take(self, meta_train, meta_test, finite=self.on_nonfinite == "raise")[0]

    def _check(self, batch: FusionBatch) -> None:
        checks.check_recording()
        if not self._ready:
            checks.check_ready(self.fusion, self.loss, self.task, batch, self._execution)
            self._ready = True

    def meta_step(self, meta_train: FusionBatch, meta_test: FusionBatch) -> dict[str, Tensor]:
        """Steps the loss generator by the meta-gradient (Eq. 6).

        F and T do not change, unless ``separate_fusion_learning=False`` was chosen.

        Args:
            meta_train: the batch of the inner updates.
            meta_test: the batch of the outer loss.

        Returns:
            ``inner_loss``, ``task_inner_loss`` and ``outer_loss``, detached and 0-d; where F and T are stepped
            what :meth:`fusion_step` returns as well; with a weighted sum no ``inner_loss``.

        Raises:
            MetaGradientError: as :meth:`meta_gradient`; nothing has been stepped by then.
        """
        self._check(meta_train)
        stepped = not self._variant.fusion_phase  # F and T, by the gradients of their inner updates
        random = RandomState.now(own_generators(self.fusion, self.loss, self.task)) if stepped else None
        gradient, outcome = self._meta.take(self, meta_train, meta_test, finite=self.on_nonfinite == "raise")
        values = {} if self._variant.sums else {"inner_loss": gradient.inner_loss}
        values |= {"task_inner_loss": gradient.task_inner_loss, "outer_loss": gradient.outer_loss}
        inner: Gradients = {}
        if random is not None:
            with random.replayed():  # what the inner updates drew, in the same order
                inner, log = self._take(meta_train)
            values |= log
        if outcome != "useful":
            self.skipped += 1
        elif (total := self._outer.add(gradient.gradients)) is not None:
            step_with(self.optimizer("loss"), self.loss, total)
        step_all(self.optimizers, inner)
        return values

    def fusion_step(self, batch: FusionBatch) -> dict[str, Tensor]:
        """Steps F on the learned loss (Eq. 8) and T on detached fused images (Eq. 9).

        Args:
            batch: a fusion-train batch.

        Returns:
            ``loss``, ``intensity``, ``gradient``, ``task_loss``, the mean weight of every source as
            ``weight_0`` ... in the data set's own order, and their ``entropy`` in [0, 1]; detached and 0-d.
            With a weighted sum there is no fusion loss: the first three are missing.

        Raises:
            MetaGradientError: a loss or gradient is not finite; nothing has been stepped then, and buffers are as
                they were. With ``on_nonfinite="skip"`` the step is left out, and counted in ``skipped``.
        """
        self._check(batch)
        gradients, log = self._take(batch)
        step_all(self.optimizers, gradients)
        return log

    def step(self, phase: Phase, *batches: FusionBatch) -> dict[str, Tensor]:
        """Takes one step of a :class:`metaloss.training.Schedule`: :meth:`meta_step` or :meth:`fusion_step`."""
        return self.meta_step(*batches) if phase == "meta" else self.fusion_step(*batches)

    def _take(self, batch: FusionBatch) -> tuple[Gradients, dict[str, Tensor]]:
        """The gradients of a fusion step and what is worth logging; no gradients where they are not finite."""
        step = self._variant.step(self.fusion, self.loss, self.task, self._execution)
        gradients = finite.take(step, batch, skip=self.on_nonfinite == "skip")
        self.skipped += not gradients
        return gradients, step.log

    fit, signal, save = fit, signal, save

    def fuse(self, *sources: Tensor) -> Tensor:
        """Fuses, without gradient and in evaluation mode.

        Args:
            sources: n tensors of shape (B, C, H, W), in [0, 1]; any H and W.

        Returns:
            The fused image, of shape (B, C, H, W).

        Raises:
            ShapeError: sources that are none, or a network that fits no size near theirs.
            DataError: sources that were never brought into [0, 1].
        """
        check_sources(sources)
        check_values(sources)
        return fuse_any_size(self.fusion, sources)

    def state_dict(self) -> dict[str, Any]:
        """Everything that training needs to go on: F, G, T, optimizers, schedulers, random state and progress."""
        return state_of(self)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes up what :meth:`state_dict` gave, the global random state included, or raises and changes nothing."""
        take_up(self, state)
