// The generated messages under short names: message(Process) is wardian.agent.v1.Process.
#pragma once

#include <stdio.h>
#undef stdin // the C library's macro would get into the field Process.stdin

#include "agent.pb.h"

#define message(name) wardian_agent_v1_##name
#define message_fields(name) (&wardian_agent_v1_##name##_msg)
