#!/usr/bin/python3
"""Runs one libtorrent session that seeds or leeches a torrent. Used by bench/compare. Needs Debian's python3 for Debian's
python3-libtorrent.

usage: torrent_node.py create GAME_DIR TORRENT FORMAT      FORMAT: v1, v2 or hybrid
       torrent_node.py seed SETTINGS TORRENT PARENT_DIR ADDRESS PORT      SETTINGS: default or tuned
       torrent_node.py leech SETTINGS TORRENT PARENT_DIR ADDRESS PORT SEED_ADDRESS SEED_PORT
A seed prints "ready". A leech prints "connected" when the transfer begins, because libtorrent connects only once a second
and connected peers do not have that wait, and "done" at the end. Both end at the end of their input.
"""
import os
import sys
import time

import libtorrent as lt


def create(game, torrent, form):
    """Creates a torrent of the regular files. Not part of any measurement."""
    storage = lt.file_storage()
    name = os.path.basename(game)
    for folder, folders, files in os.walk(game):
        folders.sort()
        for file in sorted(files):
            path = os.path.join(folder, file)
            if not os.path.islink(path):
                storage.add_file(os.path.join(name, os.path.relpath(path, game)), os.path.getsize(path))
    flags = {"v1": lt.create_torrent.v1_only, "v2": lt.create_torrent.v2_only, "hybrid": 0}[form]
    made = lt.create_torrent(storage, 0, flags)
    lt.set_piece_hashes(made, os.path.dirname(game))
    with open(torrent, "wb") as out:
        out.write(lt.bencode(made.generate()))


def session(kind, address, port):
    """Settings for plain TCP without discovery. "tuned" adds the library's high-performance preset and longer queues."""
    settings = lt.high_performance_seed() if kind == "tuned" else {}
    if kind == "tuned":
        settings.update({"hashing_threads": 2, "max_out_request_queue": 1500, "max_queued_disk_bytes": 64 << 20})
    settings.update({
        "listen_interfaces": f"{address}:{port}",
        "enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
        "enable_outgoing_utp": False, "enable_incoming_utp": False,
        "out_enc_policy": 2, "in_enc_policy": 2,  # no encryption
        "alert_mask": lt.alert.category_t.status_notification | lt.alert.category_t.error_notification
        | lt.alert.category_t.storage_notification | lt.alert.category_t.connect_notification,
    })
    return lt.session({key: settings[key] for key in settings if key in lt.default_settings()})


def add(ses, torrent, parent, flags):
    info = lt.torrent_info(torrent, {"max_decode_tokens": 100_000_000, "max_buffer_size": 1 << 30,
                                     "max_pieces": 0x200000})
    return ses.add_torrent({"ti": info, "save_path": parent, "flags": flags})


def wait_for(ses, alert):
    give_up = time.monotonic() + 1800
    while time.monotonic() < give_up:
        ses.wait_for_alert(10)
        for found in ses.pop_alerts():
            if "error" in type(found).__name__:
                sys.exit(f"libtorrent: {found.message()}")
            if isinstance(found, alert):
                return
    sys.exit(f"libtorrent: gave up waiting for {alert.__name__}")


def main():
    role, kind, torrent, parent, address, port = sys.argv[1:7]
    ses = session(kind, address, port)
    plain = lt.torrent_flags.default_flags & ~lt.torrent_flags.auto_managed & ~lt.torrent_flags.paused
    if role == "seed":
        handle = add(ses, torrent, parent, plain)  # checks the files now instead of at the first request
        while not handle.status().is_seeding:
            time.sleep(0.05)
        print("ready", flush=True)
    else:
        handle = add(ses, torrent, parent, plain)
        handle.connect_peer((sys.argv[7], int(sys.argv[8])))
        wait_for(ses, lt.peer_connect_alert)
        print("connected", flush=True)
        wait_for(ses, lt.torrent_finished_alert)
        handle.flush_cache()  # everything is verified, but not yet written
        wait_for(ses, lt.cache_flushed_alert)
        print("done", flush=True)
    sys.stdin.read()
    os._exit(0)  # a clean end would wait for trackers that do not exist


if __name__ == "__main__":
    if sys.argv[1] == "create":
        create(os.path.realpath(sys.argv[2]), sys.argv[3], sys.argv[4])
    else:
        main()
