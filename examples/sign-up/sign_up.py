"""The steps of a sign-up. What a step returns is kept with the run: so the code itself is in the mail alone."""

import hashlib
import os
import secrets
import smtplib
from email.message import EmailMessage

LETTERS = {
    "code": ("Your code", "{name}, your code is {code}."),
    "welcome": ("Welcome", "Welcome, {name}!"),
    "follow-up": ("How is it going?", "{name}, three days have passed. Is anything missing?"),
    "too-late": ("Your code has expired", "{name}, your code has expired. Sign up again when you like."),
}


def send(letter, to, name, **values):
    subject, text = LETTERS[letter]
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, os.environ["FROM"], to
    message.set_content(text.format(name=name or "Hello", **values))
    host, port = os.environ["SMTP"].split(":")
    with smtplib.SMTP(host, int(port), timeout=5) as server:
        server.send_message(message)


def digest(salt, code):
    return hashlib.scrypt(code.encode(), salt=bytes.fromhex(salt), n=2**12, r=8, p=1).hex()


def address(event, context):
    if "@" not in event.get("email", ""):
        raise ValueError("no email address")
    return event


def code(event, context):
    number, salt = f"{secrets.randbelow(10**6):06}", secrets.token_hex(16)
    send("code", event["email"], event.get("name"), code=number)
    return {"salt": salt, "digest": digest(salt, number)}


def check(event, context):
    right = secrets.compare_digest(digest(event["secret"]["salt"], str(event["typed"])), event["secret"]["digest"])
    return {"right": right}


def mail(event, context):
    send(event["letter"], event["to"], event.get("name"))
    return {"sent": event["letter"]}
