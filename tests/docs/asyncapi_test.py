"""docs/asyncapi.yaml is a promise to programs: valid AsyncAPI 3.0, the same messages as proto/*.proto, and what the pages show fits it.

Each comparison is also run on documents that were spoilt on purpose, so that it is known to fail when it should.
"""

import copy
import hashlib
import json
import pathlib
import re
import subprocess
import unittest

import jsonschema
import yaml
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from jsonschema.exceptions import best_match

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "asyncapi.yaml"
PAGES = ("topics.md", "crm-developers.md")
# The official schema, as @asyncapi/specs 6.11.1 publishes it (schemas/3.0.0-without-$id.json).
OFFICIAL = ROOT / "tests" / "docs" / "asyncapi-3.0.0.schema.json"
OFFICIAL_SHA256 = "abe96881dbfaad495ccbb6bd8d3fb43ca18a13b9d7564849ccb66f39d5e5b20f"

PAYLOADS = {"task-changed": "TaskChanged", "task-updates": "TaskUpdate", "calendar-changed": "CalendarChanged", "sync-alerts": "SyncAlert"}
# Component schemas that stand for no message: headers, and how JSON spells 64-bit numbers.
OTHERS = {"Headers", "HeadersOfTheCrm", "Int64"}
COMPONENT = "#/components/schemas/"

FIELD = descriptor_pb2.FieldDescriptorProto
TIMESTAMP = ".google.protobuf.Timestamp"


def compile_protos():
    """All our schemas and what they import, as protoc reads them."""
    files = sorted(path.relative_to(ROOT / "proto").as_posix() for path in (ROOT / "proto").rglob("*.proto"))
    compiled = subprocess.run(["protoc", "--descriptor_set_out=/dev/stdout", "--include_imports", "-I", str(ROOT / "proto"), *files],
                              capture_output=True, check=True)
    return descriptor_pb2.FileDescriptorSet.FromString(compiled.stdout)


def component_of(type_name):
    """".calbridge.tasks.v1.TaskChanged.Attendee" is the component TaskChangedAttendee."""
    return "".join(type_name.split(".")[4:])


def messages_and_enums(protos):
    """{component: DescriptorProto or EnumDescriptorProto} of our own packages."""
    found = {}

    def walk(prefix, messages, enums):
        for enum in enums:
            found[prefix + enum.name] = enum
        for message in messages:
            found[prefix + message.name] = message
            walk(prefix + message.name, message.nested_type, message.enum_type)

    for file in protos.file:
        if file.package.startswith("calbridge."):
            walk("", file.message_type, file.enum_type)
    return found


def kind_in_proto(field):
    kinds = {FIELD.TYPE_STRING: "string", FIELD.TYPE_BOOL: "boolean", FIELD.TYPE_INT64: "Int64"}
    if field.type in kinds:
        kind = kinds[field.type]
    elif field.type_name == TIMESTAMP:
        kind = "date-time"
    else:
        kind = component_of(field.type_name)
    return f"list of {kind}" if field.label == FIELD.LABEL_REPEATED else kind


def kind_in_document(schema):
    """What a property is, in the words of kind_in_proto; anything else as it stands there."""
    if schema.get("type") == "array":
        return "list of " + kind_in_document(schema.get("items", {}))
    reference = schema.get("$ref") or (schema["allOf"][0].get("$ref") if len(schema.get("allOf", [])) == 1 else None)
    if reference:
        return reference.removeprefix(COMPONENT)
    constraints = set(schema) - {"type", "format", "description"}
    if schema.get("type") == "string" and schema.get("format") == "date-time" and not constraints:
        return "date-time"
    if schema.get("type") in ("string", "boolean") and "format" not in schema and not constraints:
        return schema["type"]
    return json.dumps(schema, sort_keys=True)


def differences(document, protos):
    """Where the document says something else than the .proto files, one sentence each."""
    ours, theirs = document["components"]["schemas"], messages_and_enums(protos)
    found = [f"{name} is no message of proto" for name in ours if name not in theirs and name not in OTHERS]
    for name, descriptor in theirs.items():
        if name not in ours:
            found.append(f"{name} is missing")
        elif isinstance(descriptor, descriptor_pb2.EnumDescriptorProto):
            values = [value.name for value in descriptor.value]
            if ours[name].get("type") != "string" or ours[name].get("enum") != values:
                found.append(f"{name} is {ours[name].get('enum')}, not {values}")
        else:
            found += differences_of_fields(name, ours[name], descriptor)
    return found


def differences_of_fields(name, schema, descriptor):
    properties, fields = schema.get("properties", {}), {field.json_name: field for field in descriptor.field}
    found = [f"{name}.{member} is no field" for member in properties if member not in fields]
    found += [f"{name} requires {member}, which is no field" for member in schema.get("required", []) if member not in fields]
    if schema.get("type") != "object" or "additionalProperties" in schema:
        found.append(f"{name} is not an object that may grow")
    for member, field in fields.items():
        if member not in properties:
            found.append(f"{name}.{member} is missing")
        elif kind_in_document(properties[member]) != kind_in_proto(field):
            found.append(f"{name}.{member} is {kind_in_document(properties[member])}, not {kind_in_proto(field)}")
        elif not properties[member].get("description"):
            found.append(f"{name}.{member} is not described")
    return found


def references(node):
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def resolve(document, reference):
    node = document
    for part in filter(None, reference.removeprefix("#").split("/")):
        node = node[part]
    return node


def faults(document, official):
    """Why it is not an AsyncAPI document: by the official schema, dangling references, topics and messages that do not belong together."""
    validator = jsonschema.Draft7Validator(official)
    found = [f"{'/'.join(map(str, error.absolute_path))}: {best_match([error]).message[:200]}" for error in validator.iter_errors(document)]
    for reference in references(document):
        try:
            resolve(document, reference)
        except (KeyError, TypeError):
            found.append(f"{reference} leads nowhere")
    if found:
        return found
    topics = {channel["address"]: channel for channel in document["channels"].values()}
    if set(topics) != set(PAYLOADS):
        return [f"the topics are {sorted(topics)}"]
    for topic, channel in topics.items():
        [message] = (resolve(document, held["$ref"]) for held in channel["messages"].values())
        if message["payload"] != {"$ref": COMPONENT + PAYLOADS[topic]}:
            found.append(f"{topic} carries {message['payload']}")
        if channel["bindings"]["kafka"]["topic"] != topic:
            found.append(f"{topic} is bound to {channel['bindings']['kafka']['topic']}")
        if not any(operation["channel"] == {"$ref": f"#/channels/{name}"} for operation in document["operations"].values()
                   for name in document["channels"] if document["channels"][name] is channel):
            found.append(f"nothing is done with {topic}")
    return found


def validator_of(document, component):
    """Judges a value by one of the document's schemas; references are followed within the document."""
    return jsonschema.Draft7Validator({"$ref": COMPONENT + component, "components": document["components"]})


def examples():
    """(page, topic, value) of every marked example of our pages."""
    found = []
    for page in PAGES:
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        for topic, value in re.findall(r"<!-- decoded: ([a-z-]+) -->\n```json\n(.*?)\n```", text, re.DOTALL):
            found.append((page, topic, json.loads(value)))
    return found


class AsyncApi(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.document = yaml.safe_load(DOCUMENT.read_text(encoding="utf-8"))
        cls.official = json.loads(OFFICIAL.read_text(encoding="utf-8"))
        cls.protos = compile_protos()
        pool = descriptor_pool.DescriptorPool()
        for file in cls.protos.file:
            pool.Add(file)
        cls.classes = {component_of("." + name): message_factory.GetMessageClass(pool.FindMessageTypeByName(name))
                       for name in ("calbridge.tasks.v1.TaskChanged", "calbridge.tasks.v1.TaskUpdate",
                                    "calbridge.calendar.v1.CalendarChanged", "calbridge.alerts.v1.SyncAlert")}

    def spoilt(self, *path, value=None):
        """A copy of the document with one member replaced; without a value it is taken out."""
        document = copy.deepcopy(self.document)
        holder = document
        for part in path[:-1]:
            holder = holder[part]
        if value is None:
            del holder[path[-1]]
        else:
            holder[path[-1]] = value
        return document

    def test_the_official_schema_is_the_published_one(self):
        self.assertEqual(hashlib.sha256(OFFICIAL.read_bytes()).hexdigest(), OFFICIAL_SHA256)

    def test_the_document_is_valid(self):
        self.assertEqual(faults(self.document, self.official), [])

    def test_an_invalid_document_is_noticed(self):
        for path, value in ((("asyncapi",), "2.6.0"), (("info", "title"), None), (("channels", "taskChanged", "adress"), "x"),
                            (("operations", "sendTaskUpdate", "action"), "publish"),
                            (("components", "messages", "TaskUpdate", "payload", "$ref"), "#/components/schemas/TaskUpdated"),
                            (("components", "messages", "TaskUpdate", "payload", "$ref"), "#/components/schemas/TaskChanged"),
                            (("components", "schemas", "TaskUpdate", "properties", "title", "type"), "text"),
                            (("channels", "taskUpdates", "address"), "task-update"), (("operations", "sendSyncAlert"), None),
                            (("channels", "syncAlerts", "bindings", "kafka", "topic"), "alerts")):
            with self.subTest("/".join(path)):
                self.assertNotEqual(faults(self.spoilt(*path, value=value), self.official), [])

    def test_the_schemas_are_those_of_proto(self):
        self.assertEqual(differences(self.document, self.protos), [])
        self.assertGreaterEqual(len(messages_and_enums(self.protos)), 12)

    def test_every_kind_of_difference_is_noticed(self):
        at = ("components", "schemas")
        changes = at + ("TaskChanged", "properties")
        for path, value, said in (
                (changes + ("title",), None, "TaskChanged.title is missing"),
                (changes + ("titel",), {"type": "string", "description": "x"}, "TaskChanged.titel is no field"),
                (changes + ("title", "type"), "boolean", "TaskChanged.title is boolean, not string"),
                (changes + ("version", "allOf"), [{"type": "integer"}], "TaskChanged.version is {"),
                (changes + ("changedAt", "format"), "date", "TaskChanged.changedAt is {"),
                (changes + ("attendees", "items", "$ref"), COMPONENT + "TaskUpdateGuest", "TaskChanged.attendees is list of TaskUpdateGuest"),
                (changes + ("recurrence",), {"type": "string", "description": "x"}, "TaskChanged.recurrence is string, not list of string"),
                (changes + ("status", "enum"), ["open"], "TaskChanged.status is {"),
                (changes + ("status", "description"), None, "TaskChanged.status is not described"),
                (at + ("TaskUpdateKind", "enum"), ["SYNCED", "CHANGED"], "TaskUpdateKind is ['SYNCED', 'CHANGED']"),
                (at + ("TaskUpdateGuest",), None, "TaskUpdateGuest is missing"),
                (at + ("Extra",), {"type": "object"}, "Extra is no message"),
                (at + ("TaskUpdate", "required"), ["taskid"], "TaskUpdate requires taskid"),
                (at + ("TaskUpdate", "additionalProperties"), False, "TaskUpdate is not an object that may grow")):
            with self.subTest("/".join(path)):
                found = differences(self.spoilt(*path, value=value), self.protos)
                self.assertEqual(len(found), 1, found)
                self.assertTrue(found[0].startswith(said), found)

    def test_a_new_field_in_proto_is_noticed(self):
        protos = compile_protos()
        [file] = (file for file in protos.file if file.name.endswith("tasks.proto"))
        file.message_type[0].field.add(name="budget", json_name="budget", number=99, type=FIELD.TYPE_STRING, label=FIELD.LABEL_OPTIONAL)
        file.message_type[1].enum_type[0].value.add(name="PAUSED", number=99)
        found = differences(self.document, protos)
        self.assertEqual(len(found), 2, found)
        self.assertIn("TaskChanged.budget is missing", found)

    def test_the_examples_of_our_pages_fit(self):
        found = examples()
        self.assertGreaterEqual(len(found), 20)
        self.assertEqual({topic for _, topic, _ in found}, {"task-changed", "task-updates", "calendar-changed"})
        for page, topic, value in found:
            with self.subTest(page=page, value=value):
                self.assertEqual([error.message for error in validator_of(self.document, PAYLOADS[topic]).iter_errors(value)], [])
                # Strict: a member that the message does not have is an error here.
                json_format.ParseDict(value, self.classes[PAYLOADS[topic]]())

    def test_the_examples_of_the_document_fit(self):
        for name, message in self.document["components"]["messages"].items():
            for example in message.get("examples", []):
                self.assertEqual(list(validator_of(self.document, name).iter_errors(example["payload"])), [])
                json_format.ParseDict(example["payload"], self.classes[name]())

    def test_what_protobuf_writes_fits(self):
        """Every field of every message filled: what proto3 JSON makes of it is what the schema says."""
        for name, kind in self.classes.items():
            message = fill(kind())
            value = json_format.MessageToDict(message)
            self.assertEqual(set(value), {field.json_name for field in kind.DESCRIPTOR.fields})
            self.assertEqual([error.message for error in validator_of(self.document, name).iter_errors(value)], [])

    def test_an_example_that_does_not_fit_is_noticed(self):
        _, topic, value = next(found for found in examples() if found[1] == "task-updates")
        for member, wrong in (("sequence", "two"), ("sequence", True), ("kind", "MOVED"), ("changed", "time"), ("title", 7), ("attendees", [{"email": 1}])):
            with self.subTest(member):
                self.assertNotEqual(list(validator_of(self.document, PAYLOADS[topic]).iter_errors(dict(value, **{member: wrong}))), [])
        self.assertNotEqual(list(validator_of(self.document, PAYLOADS[topic]).iter_errors({k: v for k, v in value.items() if k != "taskId"})), [])


def fill(message):
    """Every field set to something that is not its default."""
    for field in message.DESCRIPTOR.fields:
        if field.message_type and field.message_type.full_name == "google.protobuf.Timestamp":
            getattr(message, field.name).seconds = 1_795_597_200
        elif field.message_type:
            fill(getattr(message, field.name).add() if field.is_repeated else getattr(message, field.name))
        else:
            value = {field.CPPTYPE_STRING: "x", field.CPPTYPE_BOOL: True, field.CPPTYPE_INT64: 12, field.CPPTYPE_ENUM: 1}[field.cpp_type]
            if field.is_repeated:
                getattr(message, field.name).append(value)
            else:
                setattr(message, field.name, value)
    return message


if __name__ == "__main__":
    unittest.main()
