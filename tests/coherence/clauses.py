"""Rules with a clause less: what a function tells, but for one of the conditions that it joins with `and`."""

import ast
import inspect
from types import SimpleNamespace

from asynccache.core import fence
from tests.coherence.world import RULES


def clauses(name):
    """Give the conditions that a rule joins, as it is written."""
    return [ast.unparse(clause) for _, _, clause in _clauses(_parsed(name))]


def without(name, number):
    """Give all rules, but this one without that clause."""
    tree = _parsed(name)
    operation, place, _ = _clauses(tree)[number]
    operation.values[place] = ast.Constant(value=True)
    return with_rules(**{name: _compiled(tree, name)})


def with_rules(**changed):
    """Give all rules, but these in place of some; those that use them use these."""
    rules = SimpleNamespace(**{**vars(RULES), **changed})
    if "is_clean" in changed:
        rules.is_valid = _compiled(_parsed("is_valid"), "is_valid", is_clean=changed["is_clean"])
    return rules


def _parsed(name):
    return ast.parse(inspect.getsource(getattr(fence, name)))


def _clauses(tree):
    (function,) = tree.body
    operations = [node for node in ast.walk(function) if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And)]
    return [(operation, place, clause) for operation in operations for place, clause in enumerate(operation.values)]


def _compiled(tree, name, **names):
    scope = {**vars(fence), **names}
    exec(compile(ast.fix_missing_locations(tree), f"<{name} with a clause less>", "exec"), scope)
    return scope[name]
