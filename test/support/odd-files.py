"""Makes files that a file system can get wrong, and changes that a further layer must carry: odd-files.py FOLDER add|change"""
import os
import shutil
import stat
import struct
import sys

root, action = sys.argv[1:]
os.chdir(root)


def write(path, content=b"", mode=0o644):
    with open(path, "wb") as file:
        file.write(content)
    os.chmod(path, mode)


def add():
    os.umask(0o022)
    os.mkdir("odd")
    os.chdir("odd")
    add_sizes()
    add_names()
    add_links()
    add_nodes()
    add_attributes()
    add_owners_and_times()
    add_what_will_change()


def add_sizes():
    os.mkdir("sizes")
    for size in (0, 1, 4095, 4096, 4097, 5_000_000):
        write(f"sizes/{size}", bytes(range(256)) * (size // 256) + b"e" * (size % 256))
    with open("sizes/sparse", "wb") as file:
        file.seek(64 << 20)
        file.write(b"end")


def add_names():
    os.mkdir("names")
    names = [" space", "new\nline", "ünïcödé-日本語-🪴", "-rf", "back\\slash", "*", "'\"", "l" * 255]
    for name in [os.fsencode(name) for name in names] + [b"not-\xff-utf8"]:
        write(os.path.join(b"names", name), name)
    os.mkdir("many")
    for number in range(3000):
        write(f"many/file-{number:05}")
    deep = "deep"
    for number in range(50):
        deep += f"/{number:02}" + "d" * 48
    os.makedirs(deep)
    write(f"{deep}/bottom", b"bottom")


def add_links():
    os.makedirs("links/below")
    write("links/a", b"linked")
    os.link("links/a", "links/b")
    os.link("links/a", "links/below/c")
    for name, target in {
        "relative": "below/c",
        "absolute": "/etc/passwd",
        "dangling": "nowhere",
        "loop": "loop",
        "long": "x/" * 600,
    }.items():
        os.symlink(target, f"links/{name}")
    os.link("links/dangling", "links/dangling-too", follow_symlinks=False)


def add_nodes():
    os.mkdir("nodes")
    os.mknod("nodes/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mknod("nodes/block", stat.S_IFBLK | 0o640, os.makedev(259, 70000))
    os.mkfifo("nodes/fifo", 0o620)


def add_attributes():
    os.mkdir("attributes")
    write("attributes/user")
    os.setxattr("attributes/user", "user.note", b"hello")
    os.setxattr("attributes/user", "user.binary", bytes(range(256)))
    write("attributes/many")
    # Never empty: an archive has no word for that.
    for number in range(1, 20):
        os.setxattr("attributes/many", f"user.key{number}", b"v" * number * 10)
    write("attributes/capable", b"#!", 0o755)
    # cap_net_raw+ep, as capabilities(7) lays it out
    os.setxattr("attributes/capable", "security.capability", struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0))
    write("attributes/listed", b"", 0o640)
    # user::rw-, user:1000:r--, group::r--, mask::r--, other::---
    entries = [(1, 6, -1), (2, 4, 1000), (4, 4, -1), (16, 4, -1), (32, 0, -1)]
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
    os.setxattr("attributes/listed", "system.posix_acl_access", acl)
    os.mkdir("attributes/folder")
    os.setxattr("attributes/folder", "user.note", b"of a folder")


def add_owners_and_times():
    os.mkdir("owners")
    for name, uid, gid, mode in (
        ("ordinary", 1234, 5678, 0o600),
        ("large", 4_000_000_000, 4_000_000_001, 0o444),
        ("setuid", 33, 33, 0o4755),
        ("setgid", 0, 33, 0o2711),
        ("nothing", 0, 0, 0),
    ):
        write(f"owners/{name}")
        os.chown(f"owners/{name}", uid, gid)
        os.chmod(f"owners/{name}", mode)
    os.mkdir("owners/sticky")
    os.chmod("owners/sticky", 0o1777)
    os.mkdir("times")
    for time in (0, 1, 1_000_000_000, 6_000_000_000, 9_000_000_000):
        write(f"times/{time}")
        os.utime(f"times/{time}", (time, time))


def add_what_will_change():
    for path in ("change/gone/below", "change/emptied/below", "change/folder-to-file", "change/recreated/old"):
        os.makedirs(path)
        write(f"{path}/file", b"first")
    for name in ("file-to-folder", "file-to-link", "mode", "owner", "content", "linked-1", "attribute"):
        write(f"change/{name}", b"first")
    os.link("change/linked-1", "change/linked-2")
    os.setxattr("change/attribute", "user.note", b"first")


def change():
    shutil.rmtree("odd/change/gone")
    shutil.rmtree("odd/change/emptied/below")
    shutil.rmtree("odd/change/folder-to-file")
    write("odd/change/folder-to-file", b"second")
    shutil.rmtree("odd/change/recreated")
    os.makedirs("odd/change/recreated/new")
    os.remove("odd/change/file-to-folder")
    os.mkdir("odd/change/file-to-folder")
    write("odd/change/file-to-folder/file", b"second")
    os.remove("odd/change/file-to-link")
    os.symlink("mode", "odd/change/file-to-link")
    os.chmod("odd/change/mode", 0o4750)
    os.chown("odd/change/owner", 7, 8)
    write("odd/change/content", b"second and longer")
    os.remove("odd/change/linked-1")
    os.setxattr("odd/change/attribute", "user.note", b"second")
    # Of the distribution's files, too, which lie two layers below.
    shutil.rmtree("usr/share/doc")
    os.remove("etc/motd") if os.path.exists("etc/motd") else None
    os.chmod("usr/bin/passwd", 0o2755)
    write("etc/debian_chroot", b"changed\n")


def round_times():
    """Archives keep whole seconds, and their writers round to the nearest."""
    for folder, folders, files in os.walk(os.fsencode(root)):
        for path in [folder, *(os.path.join(folder, name) for name in folders + files)]:
            status = os.lstat(path)
            if status.st_mtime_ns % 1_000_000_000:
                os.utime(path, (int(status.st_mtime), int(status.st_mtime)), follow_symlinks=False)


{"add": add, "change": change}[action]()
round_times()
