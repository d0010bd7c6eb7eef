# Reads answers with the bindings of Determined's client: JSON in, for each answer a list of faults out.
import enum
import json
import sys
import typing

from determined.common.api import bindings

names = vars(bindings)


# from_json fails for a missing member and an unknown enum value, but takes a value of any type.
def wrong_types(value, hint, path):
    origin, of = typing.get_origin(hint), typing.get_args(hint)
    if hint is typing.Any or hint is bindings.Unset:
        return []
    if origin is typing.Union:
        kinds = [kind for kind in of if kind is not bindings.Unset]
        found = [wrong_types(value, kind, path) for kind in kinds]
        return [] if not all(found) else found[0]
    if origin is dict:
        if not isinstance(value, dict):
            return [f"{path}: {value!r} is no object"]
        return [fault for key, each in value.items() for fault in wrong_types(each, of[1], f"{path}.{key}")]
    if origin is not None and issubclass(origin, typing.Sequence):
        if not isinstance(value, list):
            return [f"{path}: {value!r} is no list"]
        return [fault for i, each in enumerate(value) for fault in wrong_types(each, of[0], f"{path}[{i}]")]
    if hint is float:
        hint = (int, float)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        return [f"{path}: {value!r} is not of the type {hint}"]
    return members_of(value, path) if isinstance(value, bindings.Printable) else []


def members_of(parsed, path):
    if isinstance(parsed, enum.Enum):
        return []
    hints = typing.get_type_hints(type(parsed).__init__, names)
    return [
        fault
        for name, hint in hints.items()
        if name != "return"
        for fault in wrong_types(
            getattr(parsed, name), typing.Optional[hint] if name in vars(type(parsed)) else hint, f"{path}.{name}"
        )
    ]


def judge(answer):
    try:
        return members_of(names[answer["type"]].from_json(answer["json"]), answer["type"])
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        return [f"{answer['type']}: {type(error).__name__}: {error}"]


json.dump([judge(answer) for answer in json.load(sys.stdin)], sys.stdout)
