"""AWS's own description of an API, as botocore ships it.

It says which parameters an operation takes, how long they may be, which
characters they may have, and how an answer looks on the wire. Handlers can
then be about what the operation does.
"""

import functools
import re
from urllib.parse import parse_qs
from uuid import uuid4
from xml.sax.saxutils import escape

import botocore.session
from botocore.model import OperationModel, Shape


class Refused(Exception):
    """An error answer, under the name and HTTP status that AWS gives it."""

    def __init__(self, code: str, message: str, status: int = 400):
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


@functools.cache
def operation(service: str, name: str) -> OperationModel:
    """The model of one operation; fails if AWS has none of this name."""
    return _service(service).operation_model(name)


@functools.cache
def _service(name: str):
    return botocore.session.Session().get_service_model(name)


def query_parameters(body: bytes, query: dict) -> dict[str, str]:
    """The flat parameters of a request of the Query protocol."""
    merged = {**parse_qs(body.decode(errors="replace"), keep_blank_values=True), **query}
    return {name: values[0] if isinstance(values, list) else values for name, values in merged.items()}


def read_query(model: OperationModel, parameters: dict[str, str]) -> dict:
    """Give the flat parameters the form that the operation's input has, and check them."""
    if model.input_shape is None:
        return {}
    given = _read(model.input_shape, "", parameters) or {}
    check(model, given)
    return given


def _read(shape: Shape, name: str, parameters: dict[str, str]):
    if shape.type_name == "structure":
        prefix = f"{name}." if name else ""
        read = {
            member: _read(member_shape, f"{prefix}{member_shape.serialization.get('name', member)}", parameters)
            for member, member_shape in shape.members.items()
        }
        return {member: value for member, value in read.items() if value is not None} or None
    if shape.type_name == "list":
        items = []
        while (item := _read(shape.member, f"{name}.member.{len(items) + 1}", parameters)) is not None:
            items.append(item)
        return items or None
    if name not in parameters:
        return None
    if shape.type_name == "boolean":
        return parameters[name].lower() == "true"
    if shape.type_name in ("integer", "long"):
        return _integer(name, parameters[name])
    return parameters[name]


def _integer(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise Refused("MalformedInput", f"`{name}` is not an integer: `{text}`") from error


def check(model: OperationModel, given: dict) -> None:
    """Refuse what breaks a constraint of the model, as AWS's front end does for every service."""
    broken = list(_broken(model.input_shape, "", given))
    if broken:
        plural = "s" if len(broken) > 1 else ""
        raise Refused("ValidationError", f"{len(broken)} validation error{plural} detected: {'; '.join(broken)}")


def _broken(shape: Shape, path: str, value):
    if shape.type_name == "structure":
        for member in shape.required_members:
            if member not in value:
                yield _violation(None, f"{path}{_lower(member)}", "Member must not be null")
        for member, member_value in value.items():
            yield from _broken(shape.members[member], f"{path}{_lower(member)}.", member_value)
        return
    where = path.rstrip(".")
    if shape.type_name == "list":
        yield from _out_of_range(shape, where, value, len(value), "Member must have length")
        for number, item in enumerate(value, 1):
            yield from _broken(shape.member, f"{path}{number}.member.", item)
    elif shape.type_name == "string":
        yield from _out_of_range(shape, where, value, len(value), "Member must have length")
        pattern = shape.metadata.get("pattern")
        if pattern and not _compiled(pattern).fullmatch(value):
            yield _violation(value, where, f"Member must satisfy regular expression pattern: {pattern}")
        if shape.enum and value not in shape.enum:
            yield _violation(value, where, f"Member must satisfy enum value set: [{', '.join(shape.enum)}]")
    elif shape.type_name in ("integer", "long"):
        yield from _out_of_range(shape, where, value, value, "Member must have value")


def _out_of_range(shape: Shape, where: str, value, size: int, what: str):
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        yield _violation(value, where, f"{what} greater than or equal to {least}")
    if most is not None and size > most:
        yield _violation(value, where, f"{what} less than or equal to {most}")


def _violation(value, where: str, constraint: str) -> str:
    shown = "null" if value is None else f"'{value}'"
    return f"Value {shown} at '{where}' failed to satisfy constraint: {constraint}"


def _lower(member: str) -> str:
    return member[0].lower() + member[1:]


@functools.cache
def _compiled(pattern: str) -> re.Pattern:
    """AWS's patterns are Java's: `\\w` is ASCII, and classes of Unicode have names."""
    if "\\p{" not in pattern:
        return re.compile(pattern, re.ASCII)
    spaces = r" \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
    for name, characters in (("L", r"\w"), ("N", r"\w"), ("Z", spaces)):
        pattern = pattern.replace(f"\\p{{{name}}}", characters)
    return re.compile(pattern)


def write_query(model: OperationModel, answer: dict | None) -> bytes:
    """The XML answer of a Query operation."""
    result = ""
    if model.output_shape is not None:
        wrapper = model.output_shape.serialization["resultWrapper"]
        result = f"<{wrapper}>{_write(model.output_shape, answer or {})}</{wrapper}>"
    namespace = model.service_model.metadata["xmlNamespace"]
    return (
        f'<{model.name}Response xmlns="{namespace}">{result}'
        f"<ResponseMetadata><RequestId>{uuid4()}</RequestId></ResponseMetadata></{model.name}Response>"
    ).encode()


def _write(shape: Shape, value) -> str:
    if shape.type_name == "structure":
        return "".join(
            f"<{member}>{_write(member_shape, value[member])}</{member}>"
            for member, member_shape in shape.members.items()
            if value.get(member) is not None
        )
    if shape.type_name == "list":
        return "".join(f"<member>{_write(shape.member, item)}</member>" for item in value)
    if shape.type_name == "boolean":
        return "true" if value else "false"
    return escape(str(value))


def write_query_error(model: OperationModel, error: Refused) -> bytes:
    """The XML answer that SDKs turn into an exception."""
    namespace = model.service_model.metadata["xmlNamespace"]
    return (
        f'<ErrorResponse xmlns="{namespace}"><Error><Type>Sender</Type><Code>{error.code}</Code>'
        f"<Message>{escape(error.message)}</Message></Error><RequestId>{uuid4()}</RequestId></ErrorResponse>"
    ).encode()
