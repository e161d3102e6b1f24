#include "session.h"

#include <string.h>

// Reads only what our own sandboxer says, and survives anything else: nothing is ever read beyond the end.
static const char *skip_space(const char *at, const char *end) {
  while (at < end && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r')) at++;
  return at;
}

// Behind the closing quote.
static const char *skip_string(const char *at, const char *end) {
  for (at++; at < end && *at != '"'; at++) {
    if (*at == '\\') at++;
  }
  return at < end ? at + 1 : end;
}

static const char *skip_value(const char *at, const char *end) {
  size_t depth = 0;
  while (at < end) {
    if (*at == '"') {
      at = skip_string(at, end);
    } else if (depth == 0 && (*at == ',' || *at == '}' || *at == ']')) {
      return at;
    } else {
      if (*at == '{' || *at == '[') depth++;
      else if (*at == '}' || *at == ']') depth--;
      at++;
    }
  }
  return end;
}

static bool is_named(const char *begin, const char *end, const char *name) {
  size_t length = strlen(name);
  return (size_t)(end - begin) == length + 2 && memcmp(begin + 1, name, length) == 0;
}

bool json_member(struct text object, const char *name, struct text *value) {
  const char *end = object.end;
  const char *at = skip_space(object.begin, end);
  if (at == end || *at != '{') return false;
  for (at++;; at++) {
    at = skip_space(at, end);
    if (at == end || *at != '"') return false;
    const char *key = at;
    const char *key_end = skip_string(at, end);
    at = skip_space(key_end, end);
    if (at == end || *at != ':') return false;
    at = skip_space(at + 1, end);
    const char *begin = at;
    at = skip_value(at, end);
    if (is_named(key, key_end, name)) {
      *value = (struct text){.begin = begin, .end = at};
      return true;
    }
    at = skip_space(at, end);
    if (at == end || *at != ',') return false;
  }
}

bool json_number(struct text value, int *number) {
  const char *end = value.end;
  while (end > value.begin && end[-1] <= ' ') end--;
  if (value.begin == end || end - value.begin > 9) return false;
  int result = 0;
  for (const char *at = value.begin; at < end; at++) {
    if (*at < '0' || *at > '9') return false;
    result = result * 10 + (*at - '0');
  }
  *number = result;
  return true;
}

// Letters of escapes that mean something else than themselves all become a space: it is a line for people.
static char unescape(char letter) { return strchr("bfnrtu", letter) == NULL ? letter : ' '; }

void json_string(struct text value, char *target, size_t size) {
  size_t length = 0;
  const char *at = value.begin;
  if (at < value.end && *at == '"') at++;
  for (; at < value.end && *at != '"' && length + 1 < size; at++) {
    char letter = *at;
    if (letter == '\\' && at + 1 < value.end) {
      letter = unescape(*++at);
      if (*at == 'u') at += value.end - at > 5 ? 4 : 0;
    }
    target[length++] = (unsigned char)letter < ' ' ? ' ' : letter;
  }
  target[length] = '\0';
}
