"""Explains to the sender why a body could not be decoded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from msgspec import inspect

from analytics.errors import Malformed
from analytics.suggestions import nearest, unknown

ESCAPE: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)", re.DOTALL
)
"""One escape, or both of a surrogate pair."""
HALF_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]..", re.DOTALL)
_AT: Final = re.compile(r"(?P<reason>.*?)(?: - at `\$\.?(?P<field>.*)`)?", re.DOTALL)
_TYPES: Final = re.compile(r"Expected `(?P<expected>[^`]+)`, got `(?P<got>[^`]+)`")
_MEMBER: Final = re.compile(r"Object (?P<fault>missing required|contains unknown) field `(.*)`")
_CHOICE: Final = re.compile(r"Invalid enum value (?:'(?P<text>.*)'|(?P<number>-?\d+))", re.DOTALL)
_STEP: Final = re.compile(r"\[[^\]]*\]|[^.\[\]]+")
_PLACE: Final = re.compile(r"JSON is malformed: (?P<what>.*) \(byte (?P<byte>\d+)\)")
_WHOLE: Final = {"int": "a whole number"}
_NAMES: Final = {
    "str": "text",
    "int": "a number",
    "float": "a number",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}


def malformed(
    error: Exception, what: str = "the body", body: bytes = b"", model: Any = None
) -> Malformed:
    """Return the refusal of *what*, for one of `errors.UNDECODABLE`.

    The *body* tells half of a surrogate pair, which is JSON and no Unicode, from a text that was
    cut off. *model* is the type that was decoded; with it, the choices that there are are listed.
    """
    if isinstance(error, msgspec.ValidationError):
        return _of_member(str(error), what, model)
    if isinstance(error, RecursionError):
        return Malformed("", f"{what} is nested too deeply")
    if isinstance(error, UnicodeDecodeError):
        return Malformed("", f"{what} is not UTF-8 text")
    if (half := _half_surrogate(body)) is not None:
        return Malformed(
            "",
            f"{what} holds half of a surrogate pair at byte {half}, as of an emoji that was cut in"
            " two: it is not Unicode text",
        )
    place = _PLACE.fullmatch(str(error))
    if place is None:
        return Malformed("", f"{what} is not JSON, or was cut off: it ends too early")
    if place["what"] == "trailing characters":
        return Malformed("", f"{what} goes on after its end, at byte {place['byte']}")
    return Malformed("", f"{what} is not JSON: {place['what']} at byte {place['byte']}")


def _half_surrogate(body: bytes) -> int | None:
    """Return where the first half of a surrogate pair stands alone in *body*; None if none does."""
    escapes = ESCAPE.finditer(body)
    return next((each.start() for each in escapes if HALF_SURROGATE.fullmatch(each[0])), None)


def _of_member(text: str, what: str, model: Any) -> Malformed:
    at = _AT.fullmatch(text)
    reason, field = (at["reason"], at["field"] or "") if at else (text, "")
    types, member = _TYPES.fullmatch(reason), _MEMBER.fullmatch(reason)
    if types:
        must = f"must be {_expected(types['expected'])}, not {_named(types['got'])}"
        return Malformed(field, must if field else f"{what} {must}")
    if member:
        name = f"{field}.{member[2]}" if field else member[2]
        if member["fault"] == "missing required":
            return Malformed(name, "it is missing")
        return Malformed(name, f"it is not known here{_instead(member[2], _choices(model, field))}")
    if (chosen := _CHOICE.fullmatch(reason)) and (choices := _choices(model, field)):
        noun = _STEP.findall(field)[0] if "[" in field else field.rpartition(".")[2]
        return Malformed(field, unknown(noun, chosen["text"] or chosen["number"] or "", choices))
    return Malformed(field, reason)


def _instead(sent: str, choices: Sequence[str]) -> str:
    if not choices:
        return ""
    near = nearest(sent, choices)
    meant = f"; did you mean {near}?" if near else ";"
    return f"{meant} choose from {', '.join(choices)}"


def _choices(model: Any, path: str) -> Sequence[str]:
    """Return what may stand at *path* of *model*: values, or the members of an object."""
    if model is None:
        return ()
    types = _kinds(inspect.type_info(model))
    for step in _STEP.findall(path):
        types = [kind for each in types for inner in _inside(each, step) for kind in _kinds(inner)]
    for each in types:
        match each:
            case inspect.EnumType(cls):
                return [str(member.value) for member in cls]
            case inspect.LiteralType(values):
                return [str(value) for value in values]
            case inspect.StructType(fields=fields):
                return [field.encode_name for field in fields]
    return ()


def _inside(outer: inspect.Type, step: str) -> Iterable[inspect.Type]:
    match outer:
        case inspect.StructType(fields=fields):
            return [field.type for field in fields if field.encode_name == step]
        case inspect.ListType(item_type=inner) | inspect.VarTupleType(item_type=inner):
            return [inner]
        case inspect.DictType(value_type=inner):
            return [inner]
        case _:
            return ()


def _kinds(of: inspect.Type) -> Sequence[inspect.Type]:
    return of.types if isinstance(of, inspect.UnionType) else (of,)


def _expected(types: str) -> str:
    """Return the expected types in words; null, if it is one of several, is left out."""
    kinds = [kind for kind in types.split(" | ") if kind != "null"] or ["null"]
    kinds.sort(key=lambda kind: kind == "bool")  # "text, or true or false"
    names = [*dict.fromkeys(_WHOLE.get(kind, _named(kind)) for kind in kinds)]
    return (", or " if "bool" in kinds else " or ").join(names)


def _named(kind: str) -> str:
    return _NAMES.get(kind, kind)
