#!/usr/bin/env python3
"""Checks an exported receipt with tools that the project did not write.

Uses Python's standard library, openssl, sha256sum and age; nothing of Verbale but what `verbale receipts ID --export DIR` wrote
and, for opening, the recipient's age identity file. Prints one line for each check; ends with status 1 at the first that fails.

    check_receipt.py DIR [IDENTITY]
"""

import base64
import hashlib
import hmac
import os
import subprocess
import sys
import tempfile


def fields(message):
    """The fields of a protobuf message: a list of (number, value)."""
    found, at = [], 0

    def varint():
        nonlocal at
        value, shift = 0, 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        key = varint()
        if key & 7 == 0:
            found.append((key >> 3, varint()))
        elif key & 7 == 2:
            length = varint()
            found.append((key >> 3, message[at : at + length]))
            at += length
        else:
            sys.exit("an unexpected wire type")
    return found


def field(message, number):
    values = [value for n, value in fields(message) if n == number]
    return values[0] if values else b""


def require(holds, what):
    print(("ok      " if holds else "FAILED  ") + what)
    if not holds:
        sys.exit(1)


def openssl_verifies(key, message, signature):
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, name) for name in ("message", "signature")]
        for path, content in zip(paths, (message, signature)):
            with open(path, "wb") as file:
                file.write(content)
        command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", key, "-rawin", "-in", paths[0], "-sigfile", paths[1]]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def leaf(content):
    return hashlib.sha256(b"\x00" + content).digest()


def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def tree(leaves):
    """RFC 6962 section 2.1."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return node(tree(leaves[:half]), tree(leaves[half:]))


def root_of(index, size, hashed, proof):
    """RFC 9162 section 2.1.3.2."""
    last = size - 1
    for sibling in proof:
        if last == 0:
            return None
        if index % 2 == 1 or index == last:
            hashed = node(sibling, hashed)
            while index % 2 == 0 and index != 0:
                index, last = index >> 1, last >> 1
        else:
            hashed = node(hashed, sibling)
        index, last = index >> 1, last >> 1
    return hashed if last == 0 else None


def prefixed(part):
    return len(part).to_bytes(4, "big") + part


def packed(value):
    """A packed list of varints."""
    numbers, number, shift = [], 0, 0
    for byte in value:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            numbers.append(number)
            number, shift = 0, 0
    return numbers


def content_root(content):
    """Salts, leaves and root of the fields, as proto/verbale/v1/evidence.proto and the commitment's layout say."""
    seed, leaves = field(content, 5), []
    for index, chunk in enumerate(value for number, value in fields(content) if number == 6):
        salt = hmac.new(seed, index.to_bytes(4, "big"), "sha256").digest()[:16]
        path = b"".join(step.to_bytes(4, "big") for step in packed(field(chunk, 1)))
        leaves.append(leaf(prefixed(salt) + prefixed(path) + prefixed(field(chunk, 2))))
    whole = b"verbale/content/v1" + prefixed(field(content, 1)) + prefixed(field(content, 3))
    return hashlib.sha256(whole + len(leaves).to_bytes(4, "big") + tree(leaves)).digest()


def main():
    folder = sys.argv[1]

    def read(name):
        with open(os.path.join(folder, name), "rb") as file:
            return file.read()

    def path(name):
        return os.path.join(folder, name)

    envelope = read("envelope.bin")
    statement, kind = field(envelope, 1), field(envelope, 2)
    encoded = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(statement), statement)
    signature = field(field(envelope, 3), 1)
    require(openssl_verifies(path("envelope-key.pem"), encoded, signature), "the envelope's signature, over the rebuilt PAE (openssl)")
    require(not openssl_verifies(path("envelope-key.pem"), encoded + b" ", signature), "and not over anything else")

    sealed = read("sealed.age")
    printed = subprocess.run(["sha256sum", path("sealed.age")], capture_output=True, check=True).stdout.split()[0].decode()
    require(printed == field(statement, 15).hex(), "the sealed bytes are those of the statement (sha256sum)")
    require(len(sealed) == field(statement, 16), "and so is their length")

    entry, proof = read("entry.bin"), read("receipt.tlog-proof").decode()
    head, note = proof.split("\n\n", 1)
    lines = head.split("\n")
    require(lines[0] == "c2sp.org/tlog-proof@v1", "the receipt is a tlog-proof")
    index = int(lines[1].removeprefix("index "))
    hashes = [base64.b64decode(line) for line in lines[2:]]
    text, signatures = note.split("\n\n", 1)
    text += "\n"
    origin, size, root = text.split("\n")[:3]
    found = root_of(index, int(size), leaf(entry), hashes)
    require(found == base64.b64decode(root), "the entry's inclusion proof leads to the checkpoint's root")

    name, encoded_signature = signatures.split("\n")[0].removeprefix("— ").split(" ")
    key_id_and_signature = base64.b64decode(encoded_signature)
    vkey_name, vkey_id, vkey_key = read("log-key.vkey").decode().strip().split("+", 2)
    require(name == origin == vkey_name, "the checkpoint's origin is the name of the log key")
    public = base64.b64decode(vkey_key)
    expected = hashlib.sha256(vkey_name.encode() + b"\n" + public).digest()[:4]
    require(key_id_and_signature[:4] == expected and expected.hex() == vkey_id, "its key id is that of the vkey")
    require(openssl_verifies(path("log-key.pem"), text.encode(), key_id_and_signature[4:]), "its signature (openssl)")
    received = [value for number, value in fields(entry) if number == 12]
    require(len(received) == 1 and field(received[0], 1) == envelope, "the entry says that exactly this envelope was received")

    if len(sys.argv) > 2:
        opened = subprocess.run(["age", "-d", "-i", sys.argv[2], path("sealed.age")], capture_output=True, check=False)
        require(opened.returncode == 0, "age opens the sealed bytes with the recipient's identity")
        plain = opened.stdout
        length = int.from_bytes(plain[:4], "big")
        require(set(plain[4 + length :]) <= {0}, "only zeros pad the content")
        content = plain[4 : 4 + length]
        require(content_root(content) == field(statement, 17), "the fields in it have the statement's content root")
        same = [(1, 6), (2, 8), (3, 2)]
        require(all(field(content, a) == field(statement, b) for a, b in same), "sender, recipient and message id agree inside and outside")


main()
