"""Prints one line for everything below a folder, so that two trees can be compared: list-tree.py FOLDER [LEFT_OUT...]

Runs on the host and in a guest. Paths that are left out, and what lies below them, are relative to the folder.
A folder's size is its file system's business; its time is left out where something was mounted below it.
"""
import hashlib
import os
import stat
import sys

root = os.fsencode(sys.argv[1])
left_out = {os.fsencode(path) for path in sys.argv[2:]}
busy_folders = {os.path.dirname(path) for path in left_out}
first_names = {}


def walk(folder):
    for name in sorted(os.listdir(os.path.join(root, folder))):
        path = os.path.join(folder, name)
        if path in left_out:
            continue
        show(path)
        if stat.S_ISDIR(os.lstat(os.path.join(root, path)).st_mode):
            walk(path)


def show(path):
    full = os.path.join(root, path)
    status = os.lstat(full)
    print(
        repr(path)[2:-1],
        oct(status.st_mode),
        f"{status.st_uid}:{status.st_gid}",
        "-" if path in busy_folders else int(status.st_mtime),
        describe_content(path, full, status),
        *sorted(describe_attributes(full)),
    )


def describe_content(path, full, status):
    if stat.S_ISDIR(status.st_mode):
        return "folder"
    # The first name of a file in this walk stands for it: hard links show as the same.
    first = first_names.setdefault((status.st_dev, status.st_ino), path) if status.st_nlink > 1 else path
    if first != path:
        return f"link={first!r}"
    if stat.S_ISREG(status.st_mode):
        with open(full, "rb") as file:
            digest = hashlib.sha256()
            while block := file.read(1 << 20):
                digest.update(block)
        return f"links={status.st_nlink} size={status.st_size} {digest.hexdigest()}"
    if stat.S_ISLNK(status.st_mode):
        return f"target={os.readlink(full)!r}"
    return f"device={os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"


def describe_attributes(full):
    for name in os.listxattr(full, follow_symlinks=False):
        # Only root of the first user namespace sees the others.
        if name.startswith(("user.", "security.capability", "system.posix_acl")):
            value = os.getxattr(full, name, follow_symlinks=False)
            yield f"{name}={hashlib.sha256(value).hexdigest()[:16]}"


walk(b"")
