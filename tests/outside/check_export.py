#!/usr/bin/env python3
"""Checks an exported log without any program of Verbale: Python's standard library and openssl alone.

Re-derives the root of the log from its entries, and checks the log's signature, one cosignature and every receipt's proof.
Prints one line for each check; ends with status 1 at the first that fails.

    check_export.py DIR
"""

import base64
import glob
import hashlib
import os
import subprocess
import sys
import tempfile


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def root(hashes):
    """RFC 6962, 2.1."""
    if len(hashes) < 2:
        return hashes[0] if hashes else sha()
    middle = 1 << ((len(hashes) - 1).bit_length() - 1)
    return sha(b"\1", root(hashes[:middle]), root(hashes[middle:]))


def leads_to(index, size, leaf, proof):
    """The root to which an inclusion proof leads: RFC 9162, 2.1.3.2."""
    at, last, found = index, size - 1, leaf
    for sibling in proof:
        if at % 2 or at == last:
            found = sha(b"\1", sibling, found)
            while not at % 2 and at:
                at, last = at >> 1, last >> 1
        else:
            found = sha(b"\1", found, sibling)
        at, last = at >> 1, last >> 1
    return found if last == 0 else None


def tile_path(folder, number, width):
    name = "/".join(f"x{part:03}" for part in groups(number)[:-1]) + ("/" if number > 999 else "") + f"{number % 1000:03}"
    return os.path.join(folder, name if width == 256 else f"{name}.p/{width}")


def groups(number):
    return (groups(number // 1000) if number > 999 else []) + [number % 1000]


def note(text):
    """Text and signatures of a C2SP signed note: by name, the four bytes of the key id and what stands behind them."""
    body, lines = text.rsplit("\n\n", 1)
    split = (line.removeprefix("\u2014 ").rsplit(" ", 1) for line in lines.splitlines())
    return body + "\n", {name: base64.b64decode(code) for name, code in split}


def signed(key, message, signature):
    with tempfile.TemporaryDirectory() as folder:
        files = [os.path.join(folder, name) for name in ("message", "signature")]
        for file, content in zip(files, (message, signature)):
            with open(file, "wb") as out:
                out.write(content)
        command = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", key, "-in", files[0], "-sigfile", files[1]]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def require(holds, what):
    print(("ok      " if holds else "FAILED  ") + what)
    if not holds:
        sys.exit(1)


def read(*path):
    with open(os.path.join(*path), "rb") as file:
        return file.read()


SHOWN = set()


def key_of(folder, what, name, signature):
    """The key with the name and id of a signature: a contact point has a later log key after a recovery, and earlier receipts stay."""
    for path in glob.glob(os.path.join(folder, "keys", f"*.{what}.vkey")):
        vkey = read(path).decode().strip()
        if vkey.startswith(f"{name}+{signature[:4].hex()}+"):
            if vkey not in SHOWN:
                SHOWN.add(vkey)
                print(f"key to compare: {vkey}")
            return path.removesuffix("vkey") + "pem"
    return require(False, f"keys/ has the key of {name} with id {signature[:4].hex()}")


def main(folder):
    body, signatures = note(read(folder, "checkpoint").decode())
    origin, size, head = body.splitlines()
    size, head, owner = int(size), base64.b64decode(head), origin.split("/")[1]
    entries = []
    for number in range(-(-size // 256)):
        width = min(256, size - 256 * number)
        bundle = read(tile_path(os.path.join(folder, "tile/entries"), number, width))
        while bundle:
            length = int.from_bytes(bundle[:2], "big")
            entries.append(bundle[2 : 2 + length])
            bundle = bundle[2 + length :]
        tile = read(tile_path(os.path.join(folder, "tile/0"), number, width))
        require(tile == b"".join(sha(b"\0", e) for e in entries[256 * number :]), f"tile {number} has the hashes of its entries")
    require(len(entries) == size and root([sha(b"\0", entry) for entry in entries]) == head, f"{size} entries lead to the signed root")
    require(signed(key_of(folder, "log", origin, signatures[origin]), body.encode(), signatures[origin][4:]), f"{owner} signed it")
    # Under traffic the heads that were cosigned last are somewhat shorter than the log.
    cosigned = [note(read(path).decode()) for path in sorted(glob.glob(os.path.join(folder, "cosigned", "*.checkpoint")))]
    seen = set()
    for body, signatures in [(body, signatures)] + cosigned:
        _, count, top = body.splitlines()
        for name in (name for name in signatures if name != origin and (body, name, signatures[name]) not in seen):
            seen.add((body, name, signatures[name]))
            holds = root([sha(b"\0", entry) for entry in entries[: int(count)]]) == base64.b64decode(top) and int(count) <= size
            time, signature = int.from_bytes(signatures[name][4:12], "big"), signatures[name][12:]
            message = f"cosignature/v1\ntime {time}\n{body}".encode()
            holds = holds and signed(key_of(folder, "cosigner", name, signatures[name]), message, signature)
            require(holds, f"{name} cosigned it" + ("" if int(count) == size else f" at size {count}"))
    require(seen, "somebody cosigned it")
    paths = sorted(glob.glob(os.path.join(folder, "receipts/**/*.tlog-proof"), recursive=True))
    print(f"{len(paths)} receipts stand beside it")
    for path in paths:
        first, extra, index, *rest = read(path).decode().split("\n\n", 1)[0].splitlines()
        receipt, index = base64.b64decode(extra.removeprefix("extra ")), int(index.removeprefix("index "))
        theirs, signatures = note(read(path).decode().split("\n\n", 1)[1])
        log, count, top = theirs.splitlines()
        proof = [base64.b64decode(line) for line in rest]
        holds = first == "c2sp.org/tlog-proof@v1" and leads_to(index, int(count), sha(b"\0", receipt), proof) == base64.b64decode(top)
        holds = holds and signed(key_of(folder, "log", log, signatures[log]), theirs.encode(), signatures[log][4:])
        require(holds, f"{os.path.relpath(path, folder)}: entry {index} of {log}")


if __name__ == "__main__":
    main(sys.argv[1]) if len(sys.argv) == 2 else sys.exit(__doc__)
