"""What the API reference shows of the docstrings."""

import inspect
import re
from typing import Any

import griffe

import metaloss

ROLE = re.compile(r":\w+:`~?([^`]+)`")


class Shown(griffe.Extension):
    """Turns references of reStructuredText into code, and leaves out what no docstring speaks of."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Hides a class's attributes without a docstring (its ``Args`` name them) and its special methods."""
        if isinstance(obj, griffe.Function) and any("fusion_metric(" in str(each.value) for each in obj.decorators):
            _as_public(obj)
        if obj.docstring:
            obj.docstring.value = ROLE.sub(r"``\1``", obj.docstring.value).replace("``", "`")
        if obj.parent is not None and obj.parent.is_class:
            special = obj.is_function and obj.name.startswith("__") and obj.name != "__init__"
            if special or (obj.is_attribute and not obj.docstring):
                obj.public = False


def _as_public(metric: griffe.Function) -> None:
    """Gives a metric the signature and the docstring of the public function that its decorator makes of it."""
    function = getattr(metaloss.metrics, metric.name)
    metric.docstring = griffe.Docstring(inspect.getdoc(function) or "", parent=metric, parser="google")
    metric.parameters = griffe.Parameters(
        *(
            griffe.Parameter(
                each.name,
                annotation=str(each.annotation),
                kind=griffe.ParameterKind[each.kind.name.lower()],
                default=None if each.default is each.empty else repr(each.default),
            )
            for each in inspect.signature(function).parameters.values()
        )
    )
