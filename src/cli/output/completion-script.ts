import type { FlagSpecs } from '../arguments/spec.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;

/** What a shell needs to know of a verb. */
export interface CompletionEntry {
  readonly name: string;
  readonly summary: string;
  readonly flags: FlagSpecs;
  /** Words that may stand behind the verb. */
  readonly words: readonly string[];
  readonly completes?: 'container' | 'image' | 'file';
}

/** How a shell lists what runs, or what is loaded; nothing when that fails. */
const LISTINGS = {
  container: "wardian ps --all --format '{{.Names}}' 2>/dev/null",
  image: "wardian images --format '{{.Repository}}:{{.Tag}}' 2>/dev/null",
} as const;

/** A script that a shell reads to complete what is typed behind `wardian`. */
export function renderCompletion(
  shell: (typeof SHELLS)[number],
  entries: readonly CompletionEntry[],
): string {
  return { bash: renderBash, zsh: renderZsh, fish: renderFish }[shell](entries);
}

function renderBash(entries: readonly CompletionEntry[]): string {
  const cases = entries.map((entry) => {
    const words = [...entry.words, ...listFlags(entry.flags)].join(' ');
    const names = isListed(entry) ? `\n      names=$(${LISTINGS[entry.completes]})` : '';
    const files = entry.completes === 'file' ? '\n      files=yes' : '';
    return `    ${entry.name})\n      words='${words}'${names}${files}\n      ;;`;
  });
  return `# bash completion for wardian: source <(wardian completion bash)
_wardian() {
  local current=\${COMP_WORDS[COMP_CWORD]} words='' names='' files=''
  if [ "$COMP_CWORD" -eq 1 ]; then
    words='${entries.map(({ name }) => name).join(' ')} --debug --help --version'
  else
    case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
    esac
  fi
  [[ $current == -* ]] && names=''
  [[ $current != -* && -n $names ]] && words=''
  mapfile -t COMPREPLY < <(compgen -W "$words $names" -- "$current")
  if [ -n "$files" ]; then
    mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$current")
  fi
}
complete -o default -F _wardian wardian
`;
}

function renderZsh(entries: readonly CompletionEntry[]): string {
  const verbs = entries.map(({ name, summary }) => `    ${quote(`${name}:${summary}`)}`);
  const cases = entries.map((entry) => {
    const flags = listFlagPairs(entry.flags).map(([flag, help]) => quote(`${flag}:${help}`));
    const words = entry.words.map(quote);
    const lines = [`      flags=(${flags.join(' ')})`, `      words_=(${words.join(' ')})`];
    if (isListed(entry)) {
      lines.push(`      names=(\${(f)"$(${LISTINGS[entry.completes]})"})`);
    }
    if (entry.completes === 'file') lines.push('      _files');
    return `    ${entry.name})\n${lines.join('\n')}\n      ;;`;
  });
  return `#compdef wardian
_wardian() {
  local -a verbs flags words_ names
  verbs=(
${verbs.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe 'command' verbs
    return
  fi
  case "$words[2]" in
${cases.join('\n')}
  esac
  if [[ "$PREFIX" == -* ]]; then
    _describe 'flag' flags
  else
    (( \${#words_} )) && compadd -- $words_
    (( \${#names} )) && compadd -- $names
  fi
}
if [ "$funcstack[1]" = _wardian ]; then _wardian "$@"; else compdef _wardian wardian; fi
`;
}

function renderFish(entries: readonly CompletionEntry[]): string {
  const lines = ['complete -c wardian -f'];
  for (const entry of entries) {
    const { name, summary } = entry;
    lines.push(`complete -c wardian -n __fish_use_subcommand -a ${name} -d ${quote(summary)}`);
    const behind = `complete -c wardian -n '__fish_seen_subcommand_from ${name}'`;
    if (entry.words.length > 0) lines.push(`${behind} -a ${quote(entry.words.join(' '))}`);
    if (isListed(entry)) {
      const listing = LISTINGS[entry.completes].replaceAll("'", '"');
      lines.push(`${behind} -a '(${listing})'`);
    }
    if (entry.completes === 'file') lines.push(`${behind} -F`);
    for (const [flag, { short, value, help }] of Object.entries(entry.flags)) {
      const parts = [behind, `-l ${flag}`];
      if (short !== undefined) parts.push(`-s ${short}`);
      if (value !== undefined) parts.push('-r');
      lines.push(`${parts.join(' ')} -d ${quote(help)}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

type ListedEntry = CompletionEntry & { completes: keyof typeof LISTINGS };

function isListed(entry: CompletionEntry): entry is ListedEntry {
  return entry.completes === 'container' || entry.completes === 'image';
}

function listFlags(flags: FlagSpecs): string[] {
  return listFlagPairs(flags).map(([flag]) => flag);
}

function listFlagPairs(flags: FlagSpecs): [flag: string, help: string][] {
  return [
    ...Object.entries(flags).flatMap(([name, { short, help }]): [string, string][] =>
      short === undefined
        ? [[`--${name}`, help]]
        : [
            [`--${name}`, help],
            [`-${short}`, help],
          ],
    ),
    ['--help', 'explain this command'],
  ];
}

/** A word in single quotes, as all three shells read them. */
function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
