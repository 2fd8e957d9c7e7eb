/** The files that `env_file:` names: lines `NAME=value`, or `NAME` alone to take the value from the command's environment. */

/** The variables in their order, or the client's complaint. */
export function parseEnvironmentFile(
  text: string,
  outside: ReadonlyMap<string, string>,
): readonly (readonly [string, string | null])[] | string {
  const variables: [string, string | null][] = [];
  for (const line of text.replace(/^\ufeff/, "").split(/\r?\n/)) {
    const trimmed = line.trimStart();
    if (trimmed === "" || trimmed.startsWith("#")) continue;
    const at = trimmed.indexOf("=");
    const name = at < 0 ? trimmed : trimmed.slice(0, at);
    if (name === "") return `no variable name on line '${trimmed}'`;
    if (/[ \t]/.test(name)) return `variable '${name}' contains whitespaces`;
    if (at >= 0) variables.push([name, trimmed.slice(at + 1)]);
    else {
      const value = outside.get(name);
      if (value !== undefined) variables.push([name, value]);
    }
  }
  return variables;
}
