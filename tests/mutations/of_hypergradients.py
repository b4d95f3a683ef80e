"""Mutations of the meta-gradient."""

from mutation import Mutation

MUTATIONS = (
    Mutation(
        name="H nu dropped",
        file="metaloss/hypergradient/adjoint.py",
        find="self.params = {name: value + means[name] for name, value in self.params.items()}",
        replace="self.params = dict(self.params)",
        tests=("tests/hypergradient/test_exactness.py",),
    ),
    Mutation(
        name="second attempt counts its part twice",
        file="metaloss/hypergradient/forward.py",
        find="        return _products(trajectory, step, nu, view, execution, hvp=True, create_graph=True)",
        replace="""
        again = _products(trajectory, step, nu, view, execution, hvp=True, create_graph=True)
        again.generator.update({name: 2 * value for name, value in again.generator.items()})
        return again""",
        tests=("tests/hypergradient/test_exactness.py",),
    ),
    Mutation(
        name="random state of F recorded after it ran",
        file="metaloss/hypergradient/unroll.py",
        find="fused.detach(), loss_buffers, random, loss_random",
        replace="fused.detach(), loss_buffers, loss_random, loss_random",
        tests=("tests/hypergradient/test_exactness.py",),
    ),
    Mutation(
        name="buffers that a network assigns are lost",
        file="metaloss/hypergradient/functional.py",
        find="if name in buffers and key in store",
        replace="if False",
        tests=("tests/hypergradient/test_pitfalls.py",),
    ),
    Mutation(
        name="compiled networks not run eagerly",
        file="metaloss/hypergradient/execution.py",
        find="""    with torch.compiler.set_stance("force_eager"):
        yield""",
        replace="    yield",
        tests=("tests/hypergradient/test_execution.py",),
    ),
    Mutation(
        name="statistics of G stand still in fusion steps",
        file="metaloss/training/steps.py",
        find="""
        buffers = dict(self.loss.named_buffers())
        with swapped(self.loss, constants, buffers) as module:
            terms = fusion_terms(module, fused, view, execution)
        assign_buffers(self.loss, buffers)""",
        replace="""
        buffers = {name: buffer.clone() for name, buffer in self.loss.named_buffers()}
        with swapped(self.loss, constants, buffers) as module:
            terms = fusion_terms(module, fused, view, execution)""",
        tests=("tests/training/test_steps.py",),
    ),
)
