#!/usr/bin/env python3
"""Talks to a node with stock gRPC: stubs generated from `proto/` alone, over the Unix socket.

    grpc_client.py PROTO_FOLDER SOCKET NOTICE_FILE

Submits the one notice of the file, lists the outbox, waits for the receipt, and tries to acknowledge an own notice, which
is refused; prints one line for each. Needs grpcio and grpcio-tools.
"""

import importlib
import os
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


def main():
    proto, socket, notice = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        generate(proto, folder)
        messages = importlib.import_module("verbale.v1.local_pb2")
        services = importlib.import_module("verbale.v1.local_pb2_grpc")
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
            try:
                node.Acknowledge(messages.AcknowledgeRequest(id=answer.notice_id))
                sys.exit("an own notice was acknowledged")
            except grpc.RpcError as error:
                print("refused", error.code().name, error.details().split(":")[0])


main()
