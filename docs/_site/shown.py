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
        """Makes a docstring what the site shows."""
        if isinstance(obj, griffe.Function) and any("fusion_metric(" in str(each.value) for each in obj.decorators):
            _as_public(obj)
        if obj.docstring:
            obj.docstring.value = ROLE.sub(r"``\1``", obj.docstring.value).replace("``", "`")

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Takes out of classes what they do not speak of, once all is read."""
        _leave_out(pkg)


def _leave_out(part: griffe.Object) -> None:
    """Takes attributes without a docstring (``Args`` names them) and special methods out of classes."""
    for name, member in list(part.members.items()):
        if member.is_alias:
            continue
        special = member.is_function and name.startswith("__") and name != "__init__"
        if part.is_class and (special or (member.is_attribute and not member.docstring)):
            del part.members[name]
        elif member.is_module or member.is_class:
            _leave_out(member)


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
