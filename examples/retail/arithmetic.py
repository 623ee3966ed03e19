"""Evaluate an arithmetic expression that a stranger wrote, without handing it to the interpreter."""

import ast
import math
import operator
from collections.abc import Callable
from typing import Any

_CHARACTERS = frozenset("0123456789+-*/(). ")
_LONGEST = 1000
_MOST_BITS = 4096  # A double holds 1024 bits before the point; far above that a power only burns time.


def evaluate(expression: str) -> float:
    """Return the value of ``+ - * / // **``, signs, parentheses and number literals, as a double.

    Raises ``ValueError`` with a short text for anything else, for a division by zero, and for numbers that
    do not fit a double.
    """
    if not _CHARACTERS.issuperset(expression):
        raise ValueError("invalid characters in expression")
    if len(expression) > _LONGEST:
        raise ValueError("expression too long")
    try:
        value = float(_value(ast.parse(expression.strip(), mode="eval").body))
    except ZeroDivisionError as error:
        raise ValueError("division by zero") from error
    except (SyntaxError, RecursionError, MemoryError, TypeError) as error:
        # The parser reports too deep nesting as any of the first three; a complex number is a TypeError.
        raise ValueError("invalid expression") from error
    except OverflowError as error:
        raise ValueError("number too large") from error
    if not math.isfinite(value):
        raise ValueError("number too large")
    return value


def _power(base: Any, exponent: Any) -> Any:
    whole = isinstance(base, int) and isinstance(exponent, int)
    if whole and (base.bit_length() - 1) * exponent > _MOST_BITS:
        raise OverflowError
    return base**exponent


_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Pow: _power,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _BINARY[type(op)](_value(left), _value(right))
        case ast.UnaryOp(op=sign, operand=operand) if type(sign) in _UNARY:
            return _UNARY[type(sign)](_value(operand))
    raise SyntaxError
