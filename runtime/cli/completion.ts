/** Shell completion, derived from the commands: after which words which words may follow. */
import type { Command } from 'commander';
import { usage } from './exit.js';

/** Command path (`''`, `dlq`, `dlq ls`) → what may follow: subcommands and long options. */
function wordsOf(rivulet: Command): Map<string, readonly string[]> {
  const words = new Map<string, readonly string[]>();
  const visit = (command: Command, path: string): void => {
    const options = command.options.flatMap(({ long, hidden }) => (long && !hidden ? [long] : []));
    words.set(path, [...command.commands.map((inner) => inner.name()), ...options, '--help']);
    for (const inner of command.commands) visit(inner, `${path} ${inner.name()}`.trim());
  };
  visit(rivulet, '');
  return words;
}

export function completionScript(rivulet: Command, shell: string): string {
  const words = [...wordsOf(rivulet)];
  switch (shell) {
    case 'bash':
      return bash(words);
    case 'zsh':
      // zsh's own emulation of bash's completion.
      return `autoload -U +X bashcompinit && bashcompinit\n${bash(words)}`;
    case 'fish':
      return fish(words);
    default:
      throw usage(`there is no completion for ${shell}`, 'give bash, zsh or fish');
  }
}

type Words = readonly (readonly [path: string, words: readonly string[]])[];

/** The path is the longest prefix that is a command; other words complete as file names. */
const bash = (words: Words): string => `_rivulet() {
  local current="\${COMP_WORDS[COMP_CWORD]}" path="" word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "\${path:+$path }$word" in
      ${words
        .filter(([path]) => path !== '')
        .map(([path]) => `'${path}'`)
        .join('|')}) path="\${path:+$path }$word" ;;
    esac
  done
  case "$path" in
${words.map(([path, some]) => `    '${path}') COMPREPLY=($(compgen -W '${some.join(' ')}' -- "$current")) ;;`).join('\n')}
  esac
}
complete -o default -F _rivulet rivulet
`;

const fish = (words: Words): string => `function __rivulet_at
  set -l path
  for word in (commandline -opc)[2..]
    contains -- (string join ' ' $path $word) ${words
      .filter(([path]) => path !== '')
      .map(([path]) => `'${path}'`)
      .join(' ')}
    and set -a path $word
  end
  test "$path" = "$argv[1]"
end
${words
  .flatMap(([path, some]) => {
    const [options, commands] = [
      some.filter((word) => word.startsWith('--')),
      some.filter((word) => !word.startsWith('--')),
    ];
    const at = `complete -c rivulet -n "__rivulet_at '${path}'"`;
    return [...commands.map((name) => `${at} -f -a ${name}`), ...options.map((name) => `${at} -l ${name.slice(2)}`)];
  })
  .join('\n')}
`;
