#!/usr/bin/env python3
"""Talks to a node with stock gRPC: stubs generated from `proto/` alone. Needs grpcio, grpcio-tools and openssl.

    grpc_client.py PROTO_FOLDER socket SOCKET NOTICE_FILE RECEIVED_ID
        submits the one notice of the file, lists the outbox, waits for the receipt, acknowledges a received notice, and tries
        to acknowledge an own one, which is refused
    grpc_client.py PROTO_FOLDER tls HOST:PORT CARD_FILE KEY_FILE
        compares the key that the listener shows with the one on the node's card, then speaks to it over mutual TLS with
        the person's key

Prints one line for each step.
"""

import base64
import importlib
import os
import ssl
import subprocess
import sys
import tempfile
import time

import grpc
from grpc_tools import protoc

PATIENCE_SECONDS = 60


def generate(proto, folder):
    names = [os.path.join("verbale/v1", name) for name in os.listdir(os.path.join(proto, "verbale/v1"))]
    include = os.path.join(os.path.dirname(protoc.__file__), "_proto")
    arguments = ["protoc", f"-I{proto}", f"-I{include}", f"--python_out={folder}", f"--grpc_python_out={folder}"]
    if protoc.main(arguments + names) != 0:
        sys.exit("protoc refuses the schema")
    sys.path.insert(0, folder)
    return [importlib.import_module(f"verbale.v1.{name}") for name in ("local_pb2", "local_pb2_grpc", "evidence_pb2")]


def refusal(call):
    """The status with which a call is refused, and the stable code in it."""
    try:
        call()
        sys.exit("a call was not refused")
    except grpc.RpcError as error:
        return error.code().name, error.details().split(":")[0]


def over_the_socket(messages, services, socket, notice, received):
    with open(notice, "rb") as file:
        json = file.read().strip()
    # The socket's path is no host name that HTTP/2 could carry.
    options = [("grpc.default_authority", "localhost")]
    with grpc.insecure_channel(f"unix:{socket}", options=options) as channel:
        node = services.NodeStub(channel)
        answer = next(node.Submit(iter([messages.SubmitRequest(notice_json=json)])))
        if answer.WhichOneof("outcome") != "accepted":
            sys.exit(f"refused: {answer.refused.code}")
        print("submitted", answer.notice_id, answer.accepted.message_id)
        listed = node.List(messages.ListRequest(box=messages.BOX_OUTBOX)).notices
        print("listed", len(listed))
        deadline = time.monotonic() + PATIENCE_SECONDS
        receipts = []
        while not receipts:
            if time.monotonic() > deadline:
                sys.exit("no receipt came")
            receipts = node.Receipts(messages.ReceiptsRequest(id=answer.notice_id)).receipts
        print("receipt", receipts[0].verdict)
        first = node.Acknowledge(messages.AcknowledgeRequest(id=received)).log_index
        again = node.Acknowledge(messages.AcknowledgeRequest(id=received)).log_index
        state = node.Show(messages.ShowRequest(id=received)).notice.state
        print("acknowledged", received, state, "once" if first == again else "twice")
        print("refused", *refusal(lambda: node.Acknowledge(messages.AcknowledgeRequest(id=answer.notice_id))))


def openssl(*arguments, given=None):
    return subprocess.run(["openssl", *arguments], input=given, capture_output=True, check=True).stdout


def key_on_card(evidence, path):
    """The TLS key (SubjectPublicKeyInfo, DER) on a card as `verbale card show` prints it."""
    with open(path, encoding="utf-8") as file:
        lines = [line.strip() for line in file]
    begin, end = (next(i for i, line in enumerate(lines) if line.startswith(f"-----{word}")) for word in ("BEGIN", "END"))
    envelope = evidence.Envelope.FromString(base64.b64decode("".join(lines[begin + 1 : end])))
    return evidence.Card.FromString(envelope.payload)


def over_tls(messages, services, evidence, address, card_file, key_file):
    card = key_on_card(evidence, card_file)
    host, port = address.rsplit(":", 1)
    certificate = ssl.get_server_certificate((host, int(port)))
    shown = openssl("x509", "-noout", "-pubkey", given=certificate.encode())
    if openssl("pkey", "-pubin", "-outform", "DER", given=shown) != card.tls_spki:
        sys.exit("the listener does not show the key of the card")
    print("pinned", card.id)
    with open(key_file, "rb") as file:
        key = openssl("pkey", given=file.read())
    own = openssl("req", "-new", "-x509", "-subj", "/CN=person", "-days", "2", "-key", key_file)
    # No authority signs these certificates: the one that shows the pinned key is the only root.
    credentials = grpc.ssl_channel_credentials(certificate.encode(), key, own)
    options = [("grpc.ssl_target_name_override", card.id)]
    with grpc.secure_channel(address, credentials, options=options) as channel:
        node = services.NodeStub(channel)
        status = node.Status(messages.StatusRequest(), timeout=PATIENCE_SECONDS)
        print("status", status.id, "log", "of" if status.log_size > 0 else "without", "entries")
        print("refused", *refusal(lambda: next(node.Submit(iter([messages.SubmitRequest()])))))


def main():
    proto, way, *rest = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        messages, services, evidence = generate(proto, folder)
        if way == "socket":
            over_the_socket(messages, services, *rest)
        else:
            over_tls(messages, services, evidence, *rest)


main()
