"""An event that a queue delivers ({attributes, data or data_base64}, as in CloudEvents' JSON format): as a handler
uses it, as text, and as an HTTP request in binary content mode.
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md"""

import base64
import json
import re

_JSON_TYPE = re.compile(r"[^;]*[/+]json\s*(?:;|$)", re.IGNORECASE)
#: Section 3.1.3.2 of the binding: everything but printable ASCII, and of that blank, quote and percent sign.
_ENCODED = re.compile(r'[^\x21\x23\x24\x26-\x7e]+')


def _is_json(event: dict) -> bool:
    """An event that says nothing of its data's type has JSON."""
    kind = event.get("attributes", {}).get("datacontenttype")
    return kind is None or _JSON_TYPE.match(kind) is not None


def data_of(event: dict):
    """A JSON value, a str, bytes; None if there is no data."""
    if "data_base64" in event:
        return base64.b64decode(event["data_base64"])
    return event.get("data")


def text_of(event: dict) -> str:
    """Data as the text that it was sent as; of bytes their base64."""
    if "data_base64" in event:
        return event["data_base64"]
    if "data" not in event:
        return ""
    data = event["data"]
    return data if isinstance(data, str) and not _is_json(event) else json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def body_of(event: dict) -> bytes:
    return data_of(event) if "data_base64" in event else text_of(event).encode("utf-8", "surrogatepass")


def _text_of_value(value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _encode(match: re.Match) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogatepass"))


def headers_of(event: dict, length: int) -> list[tuple[str, str]]:
    """Those that make it a request; names in lower case. `length`: of its body."""
    attributes = event.get("attributes", {})
    headers = [(f"ce-{name}", _ENCODED.sub(_encode, _text_of_value(value)))
               for name, value in attributes.items() if name != "datacontenttype"]
    if "data" in event or "data_base64" in event:
        headers.append(("content-type", attributes.get("datacontenttype", "application/json")))
    headers.append(("content-length", str(length)))
    return headers
