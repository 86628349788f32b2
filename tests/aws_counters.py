"""A small AWS that sells savings plans and reserved instances over HTTP, where moto sells none.

It speaks the real protocols, and every request and every answer of it is held against botocore's own model of the
service: what AWS would not understand it refuses, and what AWS would not say it cannot say. It can lose an answer after
it has sold (`loses = "answer"`), lose the request (`"request"`), or say 500 (`"mind"`).
"""

import json
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

import botocore.session
from botocore.validate import ParamValidator

YEAR = 31_536_000
_session = botocore.session.get_session()
PLANS, EC2 = (_session.get_service_model(name) for name in ("savingsplans", "ec2"))


class NotUnderstood(Exception):
    """A request that the model does not know."""


def checked(values, shape):
    """The values, which the service's model must allow."""
    report = ParamValidator().validate(values, shape)
    unknown = set(values) - set(shape.members)
    if report.has_errors() or unknown:
        raise NotUnderstood(f"{report.generate_report()} {sorted(unknown)}")
    return values


class Counters:
    """What is on offer, what was sold, and how it fails."""

    def __init__(self):
        self.plan_offers, self.rates, self.plans = [], [], {}
        self.reserved_offers, self.reserved = [], []
        self.loses, self.refuses, self.operations = "", "", []
        self.before_answering = {}
        self._lock = threading.Lock()

    # savingsplans

    def DescribeSavingsPlansOfferings(self, **query):
        matches = [
            offer
            for offer in self.plan_offers
            if offer["planType"] in query["planTypes"]
            and offer["durationSeconds"] in query["durations"]
            and offer["paymentOption"] in query["paymentOptions"]
            and all(
                {"name": item["name"], "value": value} in offer["properties"]
                for item in query.get("filters", ())
                for value in item["values"]
            )
        ]
        return {"searchResults": matches}

    def DescribeSavingsPlansOfferingRates(self, **query):
        wanted = {item["name"]: item["values"] for item in query.get("filters", ())}
        rows = [
            row
            for row in self.rates
            if row["savingsPlanOffering"]["offeringId"] in query["savingsPlanOfferingIds"]
            and all(item["value"] in wanted[item["name"]] for item in row["properties"] if item["name"] in wanted)
        ]
        # Two pages, as AWS does with many.
        half = len(rows) // 2
        return (
            {"searchResults": rows[half:]}
            if query.get("nextToken")
            else {
                "searchResults": rows[:half],
                "nextToken": "more",
            }
        )

    def CreateSavingsPlan(self, **query):
        with self._lock:
            token = query["clientToken"]
            if token not in self.plans:
                (offer,) = [item for item in self.plan_offers if item["offeringId"] == query["savingsPlanOfferingId"]]
                number = f"{len(self.plans):08}-0000-4000-8000-000000000000"
                self.plans[token] = {
                    "savingsPlanId": number,
                    "savingsPlanArn": f"arn:aws:savingsplans::123456789012:savingsplan/{number}",
                    "offeringId": offer["offeringId"],
                    "state": "active",
                    "commitment": query["commitment"],
                    "tags": query.get("tags", {}),
                }
            return {"savingsPlanId": self.plans[token]["savingsPlanId"]}

    def DescribeSavingsPlans(self, **query):
        return {"savingsPlans": list(self.plans.values())}

    # ec2

    def DescribeReservedInstancesOfferings(self, **query):
        wanted = {item["Name"]: item["Values"] for item in query.get("Filters", ())}
        names = {"instance-type": "InstanceType", "product-description": "ProductDescription", "scope": "Scope"}
        matches = [
            offer
            for offer in self.reserved_offers
            if all(offer[names[name]] in values for name, values in wanted.items())
            and offer["OfferingType"] == query["OfferingType"]
            and query["MinDuration"] <= offer["Duration"] <= query["MaxDuration"]
        ]
        return {"ReservedInstancesOfferings": matches}

    def DescribeReservedInstances(self, **query):
        wanted = [item["Values"] for item in query.get("Filters", ()) if item["Name"] == "instance-type"]
        matches = [item for item in self.reserved if all(item["InstanceType"] in types for types in wanted)]
        return {"ReservedInstances": matches}

    def PurchaseReservedInstancesOffering(self, **query):
        if query.get("DryRun"):
            raise Refusal("DryRunOperation", 412)
        (offer,) = [
            item
            for item in self.reserved_offers
            if item["ReservedInstancesOfferingId"] == query["ReservedInstancesOfferingId"]
        ]
        copied = {name: value for name, value in offer.items() if name not in ("ReservedInstancesOfferingId",)}
        copied.pop("Marketplace", None)
        with self._lock:
            number = f"ri-{len(self.reserved) + 1:04}"
            self.reserved.append(
                copied
                | {
                    "ReservedInstancesId": number,
                    "InstanceCount": query["InstanceCount"],
                    "State": "payment-pending",
                    "Start": datetime.now(UTC),
                }
            )
        return {"ReservedInstancesId": number}


class Refusal(Exception):
    def __init__(self, code, status=400):
        self.code, self.status = code, status


SELLS = ("CreateSavingsPlan", "PurchaseReservedInstancesOffering")


class Handler(BaseHTTPRequestHandler):
    counters: Counters

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        is_ec2 = self.path == "/"
        try:
            name, query = from_query(body) if is_ec2 else (self.path.strip("/"), from_json(self.path.strip("/"), body))
            self.counters.operations.append(name)
            answer = self._answer(name, query)
        except NotUnderstood as problem:
            return self._say(400, error("ValidationException", str(problem), is_ec2), is_ec2)
        except Refusal as refused:
            return self._say(refused.status, error(refused.code, "refused", is_ec2), is_ec2)
        if answer is None:
            self.close_connection = True
            return self.connection.close()
        model = (EC2 if is_ec2 else PLANS).operation_model(name).output_shape
        checked(answer, model)
        return self._say(200, to_xml(name, answer, model) if is_ec2 else json.dumps(answer), is_ec2)

    def _answer(self, name, query):
        sells = name in SELLS and not query.get("DryRun")
        self.counters.before_answering.get(name, lambda: None)()
        if sells and self.counters.refuses:
            raise Refusal(self.counters.refuses, 403)
        if sells and self.counters.loses == "mind":
            raise Refusal("InternalServerException", 500)
        if sells and self.counters.loses == "request":
            return None
        answer = getattr(self.counters, name)(**query)
        return None if sells and self.counters.loses == "answer" else answer

    def _say(self, status, text, is_ec2):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/xml" if is_ec2 else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


def error(code, text, is_ec2):
    if is_ec2:
        inner = f"<Code>{code}</Code><Message>{escape(text)}</Message>"
        return f"<Response><Errors><Error>{inner}</Error></Errors><RequestID>r-1</RequestID></Response>"
    return json.dumps({"__type": code, "message": text})


def from_json(name, body):
    if name not in PLANS.operation_names:
        raise NotUnderstood(name)
    return checked(json.loads(body or b"{}"), PLANS.operation_model(name).input_shape)


def from_query(body):
    """EC2's query protocol: ``Filter.1.Value.1=m5.large``, undone by the model."""
    flat = dict(parse_qsl(body.decode(), keep_blank_values=True))
    name, _version = flat.pop("Action"), flat.pop("Version")
    shape = EC2.operation_model(name).input_shape
    matches = structure(flat, "", shape)
    if flat:
        raise NotUnderstood(f"unknown parameters {sorted(flat)}")
    return name, checked(matches, shape)


def structure(flat, prefix, shape):
    matches = {}
    for name, member in shape.members.items():
        serialization = member.serialization
        key = serialization.get("queryName") or (
            serialization["name"][0].upper() + serialization["name"][1:] if "name" in serialization else name
        )
        value = taken(flat, f"{prefix}{key}", member)
        if value is not None:
            matches[name] = value
    return matches


def taken(flat, key, shape):
    if shape.type_name == "structure":
        return structure(flat, f"{key}.", shape) or None
    if shape.type_name == "list":
        rows = []
        while (value := taken(flat, f"{key}.{len(rows) + 1}", shape.member)) is not None:
            rows.append(value)
        return rows or None
    text = flat.pop(key, None)
    kinds = {"integer": int, "long": int, "double": float, "boolean": lambda text: text == "true"}
    return None if text is None else kinds.get(shape.type_name, str)(text)


def to_xml(name, answer, shape):
    return f'<{name}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">{inside(answer, shape)}</{name}Response>'


def inside(value, shape):
    if shape.type_name == "structure":
        return "".join(
            f"<{tag(name, member)}>{inside(value[name], member)}</{tag(name, member)}>"
            for name, member in shape.members.items()
            if name in value
        )
    if shape.type_name == "list":
        return "".join(f"<item>{inside(item, shape.member)}</item>" for item in value)
    if isinstance(value, bool):
        return str(value).lower()
    return escape(value.isoformat() if isinstance(value, datetime) else str(value))


def tag(name, member):
    return member.serialization.get("name", name)


def serve():
    """(counters, address, stop) of a running AWS."""
    counters = Counters()
    handler = type("Bound", (Handler,), {"counters": counters})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()

    def stop():
        server.shutdown()
        server.server_close()
        thread.join()

    return counters, f"http://127.0.0.1:{server.server_port}", stop


def plan_offer(identity, kind="Compute", payment="No Upfront", seconds=YEAR, **properties):
    return {
        "offeringId": identity,
        "productTypes": ["EC2"],
        "planType": kind,
        "description": f"{seconds // YEAR} year {payment} {kind} Savings Plan",
        "paymentOption": payment,
        "durationSeconds": seconds,
        "currency": "USD",
        "serviceCode": "ComputeSavingsPlans",
        "usageType": "ComputeSP",
        "operation": "",
        "properties": [{"name": name, "value": value} for name, value in properties.items()],
    }


def rate(identity, instance_type, price, usage="BoxUsage", **properties):
    fields = {"region": "us-east-1", "instanceType": instance_type, "productDescription": "Linux/UNIX"}
    fields |= {"tenancy": "shared", **properties}
    return {
        "savingsPlanOffering": {"offeringId": identity, "paymentOption": "No Upfront", "planType": "Compute"},
        "rate": price,
        "unit": "Hrs",
        "productType": "EC2",
        "serviceCode": "AmazonEC2",
        "usageType": f"{usage}:{instance_type}",
        "operation": "RunInstances",
        "properties": [{"name": name, "value": value} for name, value in fields.items()],
    }


def reserved_offer(identity, hourly, **changes):
    return {
        "ReservedInstancesOfferingId": identity,
        "InstanceType": "m5.large",
        "ProductDescription": "Linux/UNIX",
        "Duration": YEAR,
        "UsagePrice": 0.0,
        "FixedPrice": 0.0,
        "CurrencyCode": "USD",
        "InstanceTenancy": "default",
        "OfferingClass": "standard",
        "OfferingType": "No Upfront",
        "RecurringCharges": [{"Amount": hourly, "Frequency": "Hourly"}],
        "Scope": "Region",
        "Marketplace": False,
        **changes,
    }
