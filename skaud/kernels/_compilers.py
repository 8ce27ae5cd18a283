"""How kernels and the loops within them are compiled: what numba is told that it would not do by itself."""

import gc
from collections.abc import Callable
from typing import Any

from numba.core import types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import FunctionPass, register_pass
from numba.core.ir import Arg, Assign, Const
from numba.core.ir_utils import build_definitions
from numba.core.typed_passes import NativeLowering
from numba.core.untyped_passes import RewriteSemanticConstants


class Code(JITCodeLibrary):
    """Code that divides and takes roots as they are.

    "arcp" lets LLVM divide by a root through the estimate of it that some processors have, which is NaN at 0.
    """

    def add_ir_module(self, ir_module: Any) -> None:
        for function in ir_module.functions:
            if not function.is_declaration:
                set.add(function.attributes, '"reciprocal-estimates"="none"')  # llvmlite knows no such attributes
        super().add_ir_module(ir_module)


@register_pass(mutates_CFG=True, analysis_only=False)
class Lower(NativeLowering):
    """Lowering of a kernel to `Code`."""

    _name = "skaud_lower"

    def run_pass(self, state: Any) -> bool:
        state.library = Code(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        return super().run_pass(state)


class KernelCompiler(CompilerBase):
    """Compiler that takes it that no two arrays given to a function overlap, where one of them is written.

    Else LLVM compares the ends of all arrays before every loop, which costs as much as the short loops themselves.
    """

    lower: Any = Lower

    def define_pipelines(self) -> list[Any]:
        self.state.flags.noalias = True
        pipeline = DefaultPassBuilder.define_nopython_pipeline(self.state)
        pipeline.passes = [(self.lower if of is NativeLowering else of, name) for of, name in pipeline.passes]
        return [pipeline]

    def compile_extra(self, func: Callable) -> Any:
        """Compile, with garbage collected more rarely: numba makes much that lives for long."""
        before = gc.get_threshold()
        gc.set_threshold(before[0] and max(before[0], 20_000), max(before[1], 20), max(before[2], 20))
        try:
            return super().compile_extra(func)
        finally:
            gc.set_threshold(*before)


class LinkedCode(Code):
    """Code of a loop, for the kernels that link it in: optimised there, with all around it, and never run by itself.

    Else numba optimises a loop, and makes machine code of it, for itself and in every loop that calls it.
    """

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True


@register_pass(mutates_CFG=True, analysis_only=False)
class LowerToLink(NativeLowering):
    """Lowering of a loop to `LinkedCode`."""

    _name = "skaud_lower_to_link"

    def run_pass(self, state: Any) -> bool:
        state.library = LinkedCode(state.targetctx.codegen(), state.func_id.func_qualname)
        state.flags.no_compile = True
        super().run_pass(state)
        # numba finds the code by the function that Python would call, any built-in one; nobody calls it.
        nobody_calls: Any = {}.__contains__
        state.targetctx.insert_user_function(nobody_calls, state.cr.fndesc, [state.library])
        state.cr = state.cr._replace(cfunc=nobody_calls)
        return True


@register_pass(mutates_CFG=False, analysis_only=False)
class KnownSwitches(FunctionPass):
    """Puts True or False in the place of an argument that is known to be, so that the other branch is not compiled."""

    _name = "skaud_known_switches"

    def __init__(self) -> None:  # numba's is abstract
        super().__init__()

    def run_pass(self, state: Any) -> bool:
        blocks = state.func_ir.blocks
        for own in (own for block in blocks.values() for own in block.find_insts(Assign)):
            if isinstance(own.value, Arg) and isinstance(state.args[own.value.index], types.BooleanLiteral):
                own.value = Const(state.args[own.value.index].literal_value, own.loc)
        state.func_ir._definitions = build_definitions(blocks)
        return True


class LoopCompiler(KernelCompiler):
    """Compiler of loops."""

    lower = LowerToLink

    def define_pipelines(self) -> list[Any]:
        (pipeline,) = super().define_pipelines()
        first = next(i for i, (of, _) in enumerate(pipeline.passes) if of is RewriteSemanticConstants)
        pipeline.passes.insert(first, (KnownSwitches, "known switches"))
        return [pipeline]
