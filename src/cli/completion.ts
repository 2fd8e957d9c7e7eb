/** `vxlab completion bash|zsh|fish`: a script that completes the words and options of the command line. */
import { Argument, Command } from "commander";

export function completionCommand(vxlab: Command): Command {
  return new Command("completion")
    .description("print a completion script for a shell")
    .addArgument(new Argument("<shell>", "the shell").choices(["bash", "zsh", "fish"]))
    .action((shell: "bash" | "zsh" | "fish") => {
      const words = vxlab.commands.map((command) => ({
        name: command.name(),
        about: command.description(),
        options: command.options.map((option) => option.long).filter((long) => long !== undefined && long !== null),
      }));
      process.stdout.write({ bash, zsh, fish }[shell](words));
    });
}

interface Word {
  readonly name: string;
  readonly about: string;
  readonly options: readonly string[];
}

function bash(words: readonly Word[]): string {
  const cases = words.map(({ name, options }) => `    ${name}) options="${options.join(" ")} --help" ;;`).join("\n");
  return `# vxlab completion for bash: eval "$(vxlab completion bash)"
_vxlab() {
  local current="\${COMP_WORDS[COMP_CWORD]}" options=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${words.map(({ name }) => name).join(" ")} --help --version" -- "$current"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases}
  esac
  case "$current" in
    -*) COMPREPLY=($(compgen -W "$options" -- "$current")) ;;
    *) COMPREPLY=($(compgen -f -- "$current")) ;;
  esac
}
complete -o filenames -F _vxlab vxlab
`;
}

function zsh(words: readonly Word[]): string {
  const listed = words.map(({ name, about }) => `    '${name}:${about.replaceAll("'", "")}'`).join("\n");
  const cases = words
    .map(({ name, options }) => `    ${name}) compadd -- ${options.join(" ")} --help; _files ;;`)
    .join("\n");
  return `#compdef vxlab
# vxlab completion for zsh: eval "$(vxlab completion zsh)"
_vxlab() {
  local -a words_of_vxlab=(
${listed}
  )
  if (( CURRENT == 2 )); then
    _describe 'command' words_of_vxlab
    return
  fi
  case "$words[2]" in
${cases}
  esac
}
compdef _vxlab vxlab
`;
}

function fish(words: readonly Word[]): string {
  const lines = words.flatMap(({ name, about, options }) => [
    `complete -c vxlab -n __fish_use_subcommand -a ${name} -d '${about.replaceAll("'", "")}'`,
    ...options.map((option) => `complete -c vxlab -n '__fish_seen_subcommand_from ${name}' -l ${option.slice(2)}`),
  ]);
  return `# vxlab completion for fish: vxlab completion fish | source\n${lines.join("\n")}\n`;
}
