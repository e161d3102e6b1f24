#include "stub.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// linux/capability.h, which musl does not come with.
struct header {
  uint32_t version;
  int pid;
};

struct sets {
  uint32_t effective;
  uint32_t permitted;
  uint32_t inheritable;
};

static const uint32_t VERSION_3 = 0x20080522;
static const uint32_t SYS_CHROOT_AND_ADMIN = 1U << 18 | 1U << 21;

// Going back to the namespaces that the stub was started in, or into that of a joined share, takes these two. A program
// that root executes gets all rights again: a sandboxer that the stub starts is as it would be from a command line.
// Without one to start nothing is ever executed, which no_new_privs makes sure of.
int drop_privileges(const struct options *options, const struct joined_share *joined) {
  bool keeps = options->sandboxer != NULL || joined->place >= 0;
  struct header header = {.version = VERSION_3};
  struct sets data[2] = {0};
  if (syscall(SYS_capget, &header, data) != 0) return fail("cannot read", "the capabilities", -errno);
  const uint32_t kept = keeps ? SYS_CHROOT_AND_ADMIN : 0;
  data[0].effective &= kept;
  data[0].permitted &= kept;
  data[0].inheritable = 0;
  data[1] = (struct sets){0};
  if (syscall(SYS_capset, &header, data) != 0) return fail("cannot drop", "capabilities", -errno);
  if (options->sandboxer == NULL && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return fail("cannot drop", "privileges", -errno);
  }
  return 0;
}
