/** CONTRIBUTING.md: "more than three parameters become one named object". */
const MOST_PARAMETERS = 3;

const EXPORTED_FUNCTION = /^export (?:async )?function\*? (\w+)/gm;
const OPENING = '([{<';
const CLOSING = ')]}>';

/** Exported functions with too many parameters: where they stand in `code`, and what is wrong. */
export function findLongParameterLists(code: string): { index: number; what: string }[] {
  return [...code.matchAll(EXPORTED_FUNCTION)].flatMap((match) => {
    const start = findParameters(code, match.index + match[0].length);
    const count = countParameters(code.slice(start + 1, findEnd(code, start)));
    if (count <= MOST_PARAMETERS) return [];
    const what = `${match[1]} has ${count} parameters, more than ${MOST_PARAMETERS}`;
    return [{ index: match.index, what }];
  });
}

/** Index of the parenthesis that opens the parameters, behind those of the type. */
function findParameters(code: string, afterName: number): number {
  return code[afterName] === '<' ? findEnd(code, afterName) + 1 : afterName;
}

/** Index of the bracket that closes the one at `start`. */
function findEnd(code: string, start: number): number {
  let depth = 0;
  for (let at = start; at < code.length; at++) {
    depth += nesting(code, at);
    if (depth === 0) return at;
  }
  return code.length;
}

function countParameters(list: string): number {
  let depth = 0;
  let count = 0;
  let isEmpty = true;
  for (let at = 0; at < list.length; at++) {
    depth += nesting(list, at);
    if (list[at] === ',' && depth === 0) isEmpty = true;
    else if (isEmpty && /\S/.test(list.charAt(at))) {
      count++;
      isEmpty = false;
    }
  }
  return count;
}

function nesting(code: string, at: number): number {
  const character = code.charAt(at);
  if (character === '>' && code[at - 1] === '=') return 0;
  return Number(OPENING.includes(character)) - Number(CLOSING.includes(character));
}
