/** What was typed in the recorded lab, as our shell is to read it: loops written out, and none of what only looks at a real machine's files. */

/** The lines to run in turn; none when the line only looks. */
export function typedLines(line: string): string[] {
  const loop = /^for (\w+) in ([^;]+); do (.*); done$/.exec(line);
  if (loop !== null) {
    const [, variable, words = "", body = ""] = loop;
    if (/[*$]/.test(words)) return [];
    return words
      .trim()
      .split(/\s+/)
      .flatMap((word) => typedLines(body.replaceAll(`$${variable}`, word)));
  }
  if (/^\w+=\$\(/.test(line)) return [];
  return line
    .split(/;\s+/)
    .map((part) =>
      part
        .replace(/\s*\|\s*grep .*$/, "")
        .replace(/\s*\|\|\s*true$/, "")
        .replace(/^(curl .*)--no-keepalive /, "$1")
        .replace(/^timeout \d+ /, "")
        .replace(/\s+2>&1$/, ""),
    )
    .filter((part) => part !== "" && !/^(ps|ss|ls|cat|nsenter|iptables|journalctl) /.test(part));
}
