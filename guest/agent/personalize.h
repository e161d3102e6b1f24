// What makes a clone somebody else.
#pragma once

#include "base.h"
#include "messages.h"

int personalize(const message(PersonalizeRequest) *request, struct failure *why);
