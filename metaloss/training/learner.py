"""MetaLearner: learns a fusion loss, a thin face over pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import Dataset

from metaloss.batch import FusionBatch, check_sources
from metaloss.data.views import Size
from metaloss.hypergradient import Auto, HypergradientMethod, MetaGradient, MetaProblem
from metaloss.hypergradient.direct import direct
from metaloss.hypergradient.execution import PRECISIONS, Execution, Memory, compiled
from metaloss.hypergradient.random_state import RandomState, own_generators
from metaloss.inference.fuse import fuse_any_size
from metaloss.inner import InnerRate, InnerRule, InnerUpdate, rate_pair
from metaloss.networks import WeightedSum
from metaloss.plugins import find
from metaloss.training import checks, finite
from metaloss.training.fit import Callback, EpochLog, fit
from metaloss.training.outer import OuterUpdate
from metaloss.training.schedule import Phase
from metaloss.training.state import state_of, take_up
from metaloss.training.steps import FusionStep, step_with
from metaloss.training.variants import TaskAwareStep, WeightedSumStep, check_combination, fusion_of

Part = Literal["fusion", "task", "loss"]


class MetaLearner:
    """Learns the fusion loss that makes a fusion network useful to a task (TDFusion, Algorithm 1).

    Args:
        fusion: F, any ``nn.Module``: ``(*sources) -> fused`` (B, C, H, W). Or ``"weighted_sum"`` (ablation V).
        loss: L_f with its loss generator G, any ``nn.Module``: ``(fused, sources) -> FusionLossTerms``.
        task: T, an adapter or any ``nn.Module``: ``(fused, target) -> loss``.
        hypergradient: ``"auto"``, ``"forward"``, ``"reverse"``, ``"finite_difference"``, or a name
            that a plug-in registered.
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
    """

    def __init__(
        self,
        *,
        fusion: nn.Module | Literal["weighted_sum"],
        loss: nn.Module,
        task: nn.Module,
        hypergradient: str = "auto",
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
        checks.check_options(
            {"inner_steps": inner_steps, "accumulate": accumulate},
            {
                "outer_update": (outer_update, ("optimizer", "max_normalised_sgd")),
                "on_nonfinite": (on_nonfinite, ("raise", "skip")),
                "inner_state": (inner_state, ("fresh", "optimizer")),
                "memory": (memory, get_args(Memory)),
                "precision": (precision, (None, *PRECISIONS)),
            },
        )
        self.fusion, self.loss, self.task = fusion_of(fusion, loss), loss, task
        check_combination(
            loss, summed=self._sums, sees_task_loss=fusion_sees_task_loss, separate=separate_fusion_learning
        )
        if not self._sums and not allow_shared_parameters:
            checks.check_separate({"fusion": self.fusion, "loss": loss, "task": task})
        self.separate_fusion_learning = separate_fusion_learning
        self._fusion_step = WeightedSumStep if self._sums else TaskAwareStep if fusion_sees_task_loss else FusionStep
        self.lr, self.outer_update, self.accumulate, self.on_nonfinite = lr, outer_update, accumulate, on_nonfinite
        self._outer = OuterUpdate(accumulate, normalised=outer_update == "max_normalised_sgd")
        self.schedulers, self.skipped, self._meta_gradients, self._ready = list(schedulers), 0, 0, False
        self.progress: dict[str, Any] = {"epoch": 0, "seed": None, "log": []}
        self._inner = {
            name: InnerUpdate(rule=inner_rule, lr=rate, state=inner_state, clip=inner_clip)
            for name, rate in zip(("fusion", "task"), rate_pair(inner_lr), strict=True)
        }
        self._steps = inner_steps
        self._execution = Execution(
            precision=PRECISIONS[precision] if precision else None,
            memory=memory,
            compiled=compiled(self.fusion, loss, task) if compile else {},
        )
        method = Auto() if hypergradient == "auto" else find("hypergradients", hypergradient).load()
        self._method: HypergradientMethod = direct if self._sums else method
        self.optimizers: dict[str, Optimizer | None]
        self.optimizers = {"fusion": fusion_optimizer, "task": task_optimizer, "loss": loss_optimizer}

    @property
    def _sums(self) -> bool:
        return isinstance(self.fusion, WeightedSum) and self.fusion.generator is getattr(self.loss, "generator", None)

    def _rule(self, name: Literal["fusion", "task"]) -> tuple[InnerRule, Any]:
        inner, taken_over = self._inner[name], self._inner[name].needs_optimizer and self.trains(name)
        return inner.build(getattr(self, name), self.optimizer(name)) if taken_over else inner.build()

    @property
    def problem(self) -> MetaProblem:
        """The problem of the next meta step, at the optimizers' present rates and moments."""
        (fusion_rule, fusion_state), (task_rule, task_state) = self._rule("fusion"), self._rule("task")
        return MetaProblem(
            fusion=self.fusion,
            loss=self.loss,
            task=self.task,
            fusion_rule=fusion_rule,
            task_rule=task_rule,
            steps=self._steps,
            fusion_state=fusion_state,
            task_state=task_state,
            execution=self._execution,
        )

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
        return self._meta_gradient(meta_train, meta_test)[0]

    def _meta_gradient(self, meta_train: FusionBatch, meta_test: FusionBatch) -> tuple[MetaGradient, checks.Outcome]:
        checks.check_learnable(self.fusion, self.loss)
        self._check(meta_train)
        gradient = self._method(replace(self.problem, number=self._meta_gradients), meta_train, meta_test)
        self._meta_gradients += 1
        outcome = checks.check_meta_gradient(gradient, self.loss, finite=self.on_nonfinite == "raise")
        if outcome == "zero":
            checks.check_zero(gradient, self.fusion, self.task, meta_test, self._execution)
        return gradient, outcome

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
        random = (
            None
            if self.separate_fusion_learning
            else RandomState.now(own_generators(self.fusion, self.loss, self.task))
        )
        gradient, outcome = self._meta_gradient(meta_train, meta_test)
        values = {} if self._sums else {"inner_loss": gradient.inner_loss}
        values |= {"task_inner_loss": gradient.task_inner_loss, "outer_loss": gradient.outer_loss}
        inner: dict[str, dict[str, Tensor]] = {}
        if random is not None:
            with random.replayed():  # what the inner updates drew, in the same order
                inner, log = self._take(meta_train)
            values |= log
        if outcome != "useful":
            self.skipped += 1
        elif (total := self._outer.add(gradient.gradients)) is not None:
            step_with(self.optimizer("loss"), self.loss, total)
        self._step(inner)
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
        self._step(gradients)
        return log

    def step(self, phase: Phase, *batches: FusionBatch) -> dict[str, Tensor]:
        """Takes one step of a :class:`metaloss.training.Schedule`: :meth:`meta_step` or :meth:`fusion_step`."""
        return self.meta_step(*batches) if phase == "meta" else self.fusion_step(*batches)

    def _take(self, batch: FusionBatch) -> tuple[dict[str, dict[str, Tensor]], dict[str, Tensor]]:
        """The gradients of a fusion step and what is worth logging; no gradients where they are not finite."""
        buffers = finite.kept_buffers(self.fusion, self.loss, self.task)
        step = self._fusion_step(self.fusion, self.loss, self.task, self._execution)
        gradients = step.take(batch)
        if finite.all_finite(step.log, gradients):
            return gradients, step.log
        finite.give_back(buffers)
        if self.on_nonfinite == "raise":
            raise finite.not_finite(step.log, gradients, batch)
        self.skipped += 1
        return {}, step.log

    def _step(self, gradients: Mapping[str, Mapping[str, Tensor]]) -> None:
        for name, values in gradients.items():
            if values:
                step_with(self.optimizer(name), getattr(self, name), values)  # type: ignore[arg-type]

    def fit(
        self,
        dataset: Dataset[Any],
        epochs: int,
        meta_steps: int,
        warmup_epochs: int = 0,
        batch_size: int = 2,
        fusion_crop: int | Size | None = None,
        task_size: int | Size | None = None,
        exchange: bool = True,
        num_workers: int = 0,
        work_dir: str | Path | None = None,
        resume: bool = False,
        callbacks: Sequence[Callback] = (),
    ) -> list[EpochLog]:
        """Trains by Algorithm 1: per epoch ``meta_steps`` meta steps, then one pass of fusion steps.

        Each epoch splits the data into two disjoint halves, meta-train and meta-test, each cycled
        with reshuffling. Warm-up epochs are fusion steps only.

        Args:
            dataset: items with the keys of :class:`metaloss.FusionBatch`.
            epochs: L, counted from the start of training, also after a resume.
            meta_steps: M.
            warmup_epochs: first epochs without meta steps.
            batch_size: scenes per batch, of each process.
            fusion_crop: height and width of the random crop that the fusion loss sees.
            task_size: height and width that the task's view is resized to.
            exchange: permute the sources in half of each batch.
            num_workers: processes that load data.
            work_dir: where ``epoch_N.pth`` is written after every epoch; ``None``: nowhere.
            resume: go on from the newest checkpoint in ``work_dir``, if there is one.
            callbacks: called after each epoch as ``callback(learner, log)``.

        Returns:
            One mapping of means per epoch, from the first.

        Raises:
            ConfigError: ``resume`` without ``work_dir``, or a number out of its range.
            DataError: fewer than two items, or a crop larger than an image.
        """
        return fit(
            self,
            dataset,
            epochs=epochs,
            meta_steps=meta_steps,
            warmup_epochs=warmup_epochs,
            batch_size=batch_size,
            fusion_crop=fusion_crop,
            task_size=task_size,
            exchange=exchange,
            num_workers=num_workers,
            work_dir=None if work_dir is None else Path(work_dir),
            resume=resume,
            callbacks=callbacks,
        )

    def fuse(self, *sources: Tensor) -> Tensor:
        """Fuses, without gradient and in evaluation mode.

        Args:
            sources: n tensors of shape (B, C, H, W), in [0, 1]; any H and W.

        Returns:
            The fused image, of shape (B, C, H, W).

        Raises:
            ShapeError: sources that are none, or a network that fits no size near theirs.
        """
        check_sources(sources)
        return fuse_any_size(self.fusion, sources)

    def optimizer(self, name: Part) -> Optimizer:
        """The optimizer of F, T or G; built with the default settings when first needed."""
        optimizer = self.optimizers[name]
        if optimizer is None:
            params = [param for param in getattr(self, name).parameters() if param.requires_grad]
            plain = name == "loss" and self.outer_update == "max_normalised_sgd"
            optimizer = torch.optim.SGD(params, lr=self.lr) if plain else torch.optim.Adam(params, lr=self.lr)
            self.optimizers[name] = optimizer
        return optimizer

    def use_optimizer(self, name: Part, optimizer: Any) -> None:
        """Steps F, T or G with this optimizer from now on; anything with ``step()``, ``state_dict()`` and its pair."""
        self.optimizers[name] = optimizer

    def trains(self, name: Part) -> bool:
        """Whether F, T or G is stepped by an optimizer of its own: with a weighted sum F is not."""
        has_own = any(param.requires_grad for param in getattr(self, name).parameters())
        return has_own and not (name == "fusion" and self._sums)

    @property
    def learns_loss(self) -> bool:
        """Whether the loss has anything to learn; with uniform weights it has not."""
        return self.trains("loss")

    def begin_epoch(self, epoch: int, epochs: int) -> None:
        """Tells a loss that changes with the epochs which one begins, from 0, by its ``at_epoch(epoch, epochs)``."""
        if hasattr(self.loss, "at_epoch"):
            self.loss.at_epoch(epoch, epochs)  # type: ignore[operator]

    def progress_state(self) -> dict[str, Any]:
        """What lies between two updates of G: accumulated meta-gradients, and how many were skipped."""
        return {**self._outer.state(), "skipped": self.skipped}

    def load_progress_state(self, state: Mapping[str, Any]) -> None:
        """Takes up what :meth:`progress_state` gave."""
        self._outer.load(state, next(self.loss.parameters(), torch.empty(0)).device)
        self.skipped = state["skipped"]

    def state_dict(self) -> dict[str, Any]:
        """Everything that training needs to go on: F, G, T, optimizers, schedulers, random state and progress."""
        return state_of(self)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes up what :meth:`state_dict` gave, the global random state included.

        Raises:
            CheckpointError: a part is missing, or belongs to another network or optimizer; nothing has changed then.
        """
        take_up(self, state)
