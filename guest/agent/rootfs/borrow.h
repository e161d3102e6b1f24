// What a container is lent by the one whose namespaces it joins.
#pragma once

// Puts the /dev/shm of the container whose first process `pidfd` is where bind mounts find it (BORROWED_SHM). In a mount namespace
// of the caller's own; its root and working directory become that namespace's root. -ENOENT: there is none.
int borrow_shm(int pidfd);
// Opens (O_PATH) what was put there; -errno.
int borrow_open_shm(void);

// As sources of bind mounts name it.
#define BORROWED_SHM "/run/wardian/shm"
