import type { AnyCommand, CommandSpec } from '../command/invocation.js'
import { buildCommand } from '../command/run-spec.js'
import { CommandError } from '../text/command-error.js'
import type { Text } from '../text/language.js'

const SHELLS = ['bash', 'zsh', 'fish'] as const
type Shell = (typeof SHELLS)[number]

/** @param all asks for every command when the script is written; this one is among them */
export const completionCommand = (all: () => readonly AnyCommand[]): CommandSpec => ({
  define: (command) => void command.argument('<shell>', SHELLS.join(', ')),
  examples: [
    'completion bash > ~/.local/share/bash-completion/completions/chat-cutover',
    'completion zsh > ~/.zfunc/_chat-cutover',
    'completion fish > ~/.config/fish/completions/chat-cutover.fish',
  ],
  remote: false,
  async run(invocation) {
    const { given, t, language } = invocation
    const shell = SHELLS.find((known) => known === given.words[0])
    if (shell === undefined)
      throw new CommandError(
        t(
          `There is no completion for "${given.words[0]}". Shells: ${SHELLS.join(', ')}`,
          `不支持 "${given.words[0]}"。可用：${SHELLS.join(', ')}`,
        ),
        2,
      )
    const script = WRITERS[shell](await choicesOf(all(), language))
    if (invocation.json) invocation.printJson({ shell, script })
    else invocation.print(script)
    return 0
  },
})

interface Choice {
  readonly word: string
  readonly about: string
}

/** What may follow the words so far; `exact`: right behind them, else anywhere behind. */
interface Place {
  readonly words: string
  readonly exact: boolean
  readonly choices: readonly Choice[]
}

async function choicesOf(commands: readonly AnyCommand[], language: keyof Text): Promise<Place[]> {
  const groups = new Map<string, Choice[]>([['', []]])
  const places: Place[] = []
  for (const command of commands) {
    const [first = '', second] = command.words
    const about = command.summary[language]
    const top = groups.get('') ?? []
    if (second === undefined) top.push({ word: first, about })
    else {
      if (!groups.has(first)) top.push({ word: first, about: '' })
      groups.set(first, [...(groups.get(first) ?? []), { word: second, about }])
    }
    places.push({ words: command.words.join(' '), exact: false, choices: await optionsOf(command, language) })
  }
  const exact = [...groups].map(([words, choices]) => ({ words, exact: true, choices }))
  return [...exact, ...places]
}

async function optionsOf(command: AnyCommand, language: keyof Text): Promise<Choice[]> {
  if ('runWords' in command) return command.options.map((word) => ({ word, about: '' }))
  const options = buildCommand({ ...command, ...(await command.load()) }, language).options.flatMap(
    ({ long, description }) => (long ? [{ word: long, about: description }] : []),
  )
  return [...options, { word: '--help', about: '' }]
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

const WRITERS: Readonly<Record<Shell, (places: readonly Place[]) => string>> = {
  bash: (places) => `# bash completion of chat-cutover
_chat_cutover() {
  local current="\${COMP_WORDS[COMP_CWORD]}" choices=''
  local IFS=' '
  local line="\${COMP_WORDS[*]:1:COMP_CWORD-1}"
  case "$line" in
${places
  .map(({ words, exact, choices }) => {
    const pattern = exact ? quoted(words) : `${quoted(words)} | ${quoted(`${words} `)}*`
    return `    ${pattern}) choices=${quoted(choices.map(({ word }) => word).join(' '))} ;;`
  })
  .join('\n')}
  esac
  # What is no option may be a file.
  COMPREPLY=($(compgen -W "$choices" -- "$current"))
}
complete -o default -F _chat_cutover chat-cutover
`,
  zsh: (places) => `#compdef chat-cutover
# zsh completion of chat-cutover
_chat_cutover() {
  local line="\${(j: :)words[2,CURRENT-1]}"
  local -a choices
  case "$line" in
${places
  .map(({ words, exact, choices }) => {
    const pattern = exact ? `(${quoted(words)})` : `(${quoted(words)}|${quoted(`${words} `)}*)`
    const list = choices.map(({ word, about }) =>
      quoted(about === '' ? word : `${word}:${about.replaceAll(':', '\\:')}`),
    )
    return `    ${pattern} choices=(${list.join(' ')}) ;;`
  })
  .join('\n')}
  esac
  _describe 'chat-cutover' choices || _files
}
if [ "$funcstack[1]" = _chat-cutover ]; then _chat_cutover "$@"; else compdef _chat_cutover chat-cutover; fi
`,
  fish: (places) => `# fish completion of chat-cutover
function __chat_cutover_line
  # One line in any case: \`test\` fails where nothing comes.
  printf '%s\\n' (string join ' ' -- (commandline -opc)[2..-1])
end
${places
  .flatMap(({ words, exact, choices }) =>
    choices.map(({ word, about }) => {
      const test = exact
        ? `test (__chat_cutover_line) = ${fishQuoted(words)}`
        : `string match -q -- ${fishQuoted(`${words}*`)} (__chat_cutover_line)`
      const what = word.startsWith('--') ? `-l ${word.slice(2)}` : `-f -a ${fishQuoted(word)}`
      return `complete -c chat-cutover -n ${fishQuoted(test)} ${what}${about === '' ? '' : ` -d ${fishQuoted(about)}`}`
    }),
  )
  .join('\n')}
`,
}

function fishQuoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
