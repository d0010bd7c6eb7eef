# Checks requests and answers of EC2 and STS against Amazon's own description of the APIs: JSON in, a list of faults out.
import base64
import datetime
import json
import re
import sys
from urllib.parse import parse_qsl
from xml.etree import ElementTree

import botocore.session
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from botocore.validate import ParamValidator

session = botocore.session.get_session()
models = {name: session.get_service_model(name) for name in ("ec2", "sts")}


def model_of(version):
    return next((each for each in models.values() if each.api_version == version), None)


def tree_of(pairs, faults):
    tree = {}
    for path, value in pairs:
        at = tree
        *folders, last = path.split(".")
        for name in folders:
            at = at.setdefault(name, {})
            if not isinstance(at, dict):
                faults.append(f"{path}: {name} is a value and a folder")
                return tree
        if last in at:
            faults.append(f"{path} is there twice")
        at[last] = value
    return tree


def wire_name(member_name, shape):
    """https://docs.aws.amazon.com/ec2/latest/devguide/Query-Requests.html, as botocore's EC2Serializer has it."""
    how = shape.serialization
    if "queryName" in how:
        return how["queryName"]
    name = how.get("name", member_name)
    return name[0].upper() + name[1:]


def decoded(value, shape, where, faults):
    """The parameter in Python's types, as a user of botocore would give it."""
    kind = shape.type_name
    if kind in ("structure", "list") and not isinstance(value, dict):
        faults.append(f"{where} is {value!r}, not a {kind}")
        return None
    if kind == "structure":
        names = {wire_name(name, member): (name, member) for name, member in shape.members.items()}
        found = {}
        for key, inner in value.items():
            if key not in names:
                faults.append(f"{where}.{key}: no such parameter")
                continue
            name, member = names[key]
            found[name] = decoded(inner, member, f"{where}.{key}", faults)
        return found
    if kind == "list":
        indexes = sorted(value, key=lambda each: int(each) if each.isdigit() else -1)
        if indexes != [str(index) for index in range(1, len(indexes) + 1)]:
            faults.append(f"{where} has the indexes {', '.join(indexes)}")
        return [decoded(value[index], shape.member, f"{where}.{index}", faults) for index in indexes]
    if isinstance(value, dict):
        faults.append(f"{where} is a {kind}, and has {', '.join(value)}")
        return None
    if where.endswith(".UserData"):
        try:
            base64.b64decode(value, validate=True)
        except ValueError:
            faults.append(f"{where} is not base64")
    return scalar(value, shape, where, faults)


def scalar(text, shape, where, faults):
    kind = shape.type_name
    try:
        if kind in ("integer", "long"):
            return int(text)
        if kind in ("double", "float"):
            return float(text)
        if kind == "boolean":
            return {"true": True, "false": False}[text]
        if kind == "timestamp":
            return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
        if kind == "blob":
            return base64.b64decode(text, validate=True)
    except (ValueError, KeyError):
        faults.append(f"{where} is {text!r}, not a {kind}")
        return None
    allowed = getattr(shape, "enum", None)
    if allowed and text not in allowed:
        faults.append(f"{where} is {text!r}, which is none of {shape.name}")
    return text


def judge_request(body, faults):
    pairs = parse_qsl(body, keep_blank_values=True, strict_parsing=True)
    named = dict(pairs)
    model = model_of(named.get("Version"))
    action = named.get("Action")
    if model is None or action not in model.operation_names:
        faults.append(f"no action {action!r} in version {named.get('Version')!r}")
        return None
    operation = model.operation_model(action)
    tree = tree_of([pair for pair in pairs if pair[0] not in ("Action", "Version")], faults)
    shape = operation.input_shape
    params = decoded(tree, shape, action, faults) if shape else {}
    if faults:
        return operation
    report = ParamValidator().validate(params, shape) if shape else None
    if report and report.has_errors():
        faults.append(f"{action}: {report.generate_report()}")
        return operation
    # What botocore would have sent for the same request: every name and value, nothing more.
    again = create_serializer(model.metadata["protocol"]).serialize_to_request(params, operation)["body"]
    theirs = {key: str(value) for key, value in again.items()}
    for key in sorted(theirs.keys() | named.keys()):
        if not is_same(theirs.get(key), named.get(key)):
            faults.append(f"{action} {key}: botocore sends {theirs.get(key)!r}, here {named.get(key)!r}")
    return operation


def is_same(one, other):
    """Also where a number or a time is written in another way."""
    if one == other:
        return True
    if not one or not other:
        return False
    if re.fullmatch(r"\d+(\.0)?", one):
        return one.removesuffix(".0") == other
    return bool(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", one)) and one[:19] == other[:19]


def tag_of(element):
    return element.tag.rsplit("}", 1)[-1]


def judge_element(element, shape, where, faults):
    kind = shape.type_name
    if kind == "structure":
        names = {member.serialization.get("name", name): member for name, member in shape.members.items()}
        for child in element:
            name = tag_of(child)
            if name in names:
                judge_element(child, names[name], f"{where}.{name}", faults)
            else:
                faults.append(f"{where}.{name}: no such element")
        tags = [tag_of(child) for child in element]
        faults.extend(f"{where}.{name} is there twice" for name in sorted(set(tags)) if tags.count(name) > 1)
    elif kind == "list":
        name = shape.member.serialization.get("name", "member")
        for index, child in enumerate(element, 1):
            if tag_of(child) != name:
                faults.append(f"{where}.{index} is <{tag_of(child)}>, not <{name}>")
            judge_element(child, shape.member, f"{where}.{index}", faults)
    elif len(element):
        faults.append(f"{where} is a {kind}, and has elements")
    elif kind != "string" or element.text:
        scalar(element.text or "", shape, where, faults)


def judge_answer(operation, status, text, faults):
    action = operation.name
    model = operation.service_model
    shape = operation.output_shape
    answer = {"status_code": status, "headers": {}, "body": text.encode()}
    try:
        parsed = create_parser(model.metadata["protocol"]).parse(answer, shape)
    except Exception as error:  # whatever botocore makes of it, a user would get it
        faults.append(f"{action}: botocore cannot read the answer: {error}")
        return
    root = ElementTree.fromstring(text)
    if status >= 300:
        if not parsed.get("Error", {}).get("Code"):
            faults.append(f"{action}: botocore finds no code in the error")
        return
    if tag_of(root) != f"{action}Response":
        faults.append(f"{action} is answered with <{tag_of(root)}>")
    if not parsed["ResponseMetadata"].get("RequestId"):
        faults.append(f"{action} is answered without a request id")
    for child in list(root):
        if tag_of(child) in ("requestId", "ResponseMetadata"):
            root.remove(child)
    if shape is None:
        return
    wrapper = shape.serialization.get("resultWrapper")
    if wrapper:
        [root] = [child for child in root if tag_of(child) == wrapper]
    judge_element(root, shape, f"{action}Response", faults)


found = []
for exchange in json.load(sys.stdin):
    sent, answered = [], []
    operation = judge_request(exchange["request"], sent)
    if operation:
        judge_answer(operation, exchange["status"], exchange["answer"], answered)
    found.append({"request": sent, "answer": answered})
json.dump(found, sys.stdout)
