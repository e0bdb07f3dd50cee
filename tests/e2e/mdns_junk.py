#!/usr/bin/env -S python3 -B
"""Multicasts forged mDNS records of peers that do not exist, or of one that exists, at a given rate for a given time.

usage: mdns_junk.py ADDRESS RATE SECONDS [PEER_ID]     ADDRESS: this host's address on the interface to use
"""

import os
import random
import socket
import struct
import sys
import time

SERVICE = ("_peerd", "_udp", "local")
PTR, TXT, SRV, A = 12, 16, 33, 1
FLUSH = 0x8001


def encode_name(labels):
    return b"".join(bytes([len(raw)]) + raw for raw in (l if isinstance(l, bytes) else l.encode() for l in labels)) + b"\0"


def record(name, kind, clazz, ttl, data):
    return encode_name(name) + struct.pack(">HHIH", kind, clazz, ttl, len(data)) + data


def txt(*strings):
    return b"".join(bytes([len(s)]) + s for s in strings)


def texts(source, victim):
    """TXT records with every kind of syntax error, and well-formed records with false content."""
    some_id = source.randbytes(32).hex().encode()
    good = [b"proto=1", b"rev=1", b"name=junk"]
    return [
        b"", b"\0", b"\xff", b"\x05id=", bytes([255]) + b"x" * 10, txt(b"id=" + some_id),
        txt(b"id=xyz", *good), txt(b"id=" + some_id[:63], *good), txt(b"id=" + b"g" * 64, *good), txt(b"=", b"id", *good),
        txt(b"id=" + some_id, b"proto=-1", b"rev=1", b"name=a"), txt(b"id=" + some_id, b"proto=1", b"rev=99999999999999999999"),
        txt(b"id=" + some_id, *good[:2], b"name=\xff\xfe\x1b[31m\n\xe2\x80\xae"), txt(*[b"k%d=" % i + b"v" * 200 for i in range(40)]),
        txt(b"id=" + some_id, *good), txt(b"ID=" + some_id, b"id=" + victim, *good), txt(b"id=" + victim, *good),
    ]


def packet(source, number, victim):
    name = (f"junk {number}" if number % 7 else source.randbytes(20), *SERVICE)
    host = (f"junk{number}", "local")
    port = source.choice((0, 9, 24747, source.randrange(65536)))
    address = source.choice((f"10.77.0.{source.randrange(100, 250)}", "8.8.8.8", "127.0.0.1", "0.0.0.0", "224.0.0.251"))
    records = [record(SERVICE, PTR, 1, 4500, encode_name(name)),
               record(name, SRV, FLUSH, 120, struct.pack(">HHH", 0, 0, port) + encode_name(host)),
               record(name, TXT, FLUSH, 4500, source.choice(texts(source, victim))),
               record(host, A, FLUSH, 120, socket.inet_aton(address))]
    some = records if number % 5 else records[:source.randrange(1, 4)]
    return struct.pack(">HHHHHH", 0, 0x8400, 0, len(some), 0, 0) + b"".join(some)


def main():
    address, rate, seconds = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
    victim = (sys.argv[4] if len(sys.argv) > 4 else os.urandom(32).hex()).encode()
    source = random.Random(1)
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sender.bind((address, 5353))
    sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
    sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
    begin, number = time.monotonic(), 0
    while (passed := time.monotonic() - begin) < seconds:
        while number < passed * rate:
            sender.sendto(packet(source, number, victim), ("224.0.0.251", 5353))
            number += 1
        time.sleep(0.002)
    print(number)


if __name__ == "__main__":
    main()
