// What makes a clone somebody else.
#pragma once

#include "base/base.h"
#include "base/messages.h"

// Before the first call.
void personalize_open(void);
int personalize(const message(PersonalizeRequest) *request, struct failure *why);
