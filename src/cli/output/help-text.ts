import type { CommandSpec, FlagSpec } from '../arguments/spec.ts';

/** The help text of one command. */
export function renderHelp(spec: CommandSpec): string {
  const sections = [
    `wardian ${spec.name}: ${spec.summary}`,
    `usage:\n  ${`wardian ${spec.name} [flags] ${spec.operands}`.trim()}`,
  ];
  const flags = Object.entries(spec.flags);
  if (flags.length > 0) sections.push(`flags:\n${renderColumns(flags.map(describeFlag))}`);
  if (spec.examples !== undefined) {
    sections.push(`examples:\n${spec.examples.map((example) => `  ${example}`).join('\n')}`);
  }
  return `${sections.join('\n\n')}\n`;
}

/** The help text of a command that has others below it. */
export function renderGroupHelp(group: CommandSpec, children: readonly CommandSpec[]): string {
  const rows = children.map(({ name, summary }): [string, string] => [
    name.slice(group.name.length + 1),
    summary,
  ]);
  return `wardian ${group.name}: ${group.summary}

usage:
  wardian ${group.name} COMMAND [flags]

commands:
${renderColumns(rows)}
`;
}

function describeFlag([name, flag]: [string, FlagSpec]): [string, string] {
  const short = flag.short === undefined ? '    ' : `-${flag.short}, `;
  const value = flag.value === undefined ? '' : ` ${flag.value}`;
  const notes: string[] = [];
  if (flag.choices !== undefined) notes.push(flag.choices.join(', '));
  if (flag.repeated) notes.push('repeatable');
  if (flag.initially) notes.push('default true');
  const suffix = notes.length > 0 ? ` (${notes.join('; ')})` : '';
  return [`${short}--${name}${value}`, `${flag.help}${suffix}`];
}

/** Two columns, the left one as wide as it needs to be. */
export function renderColumns(rows: readonly [string, string][]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join('\n');
}
