/**
 * Records what the Docker client says of every case: `node test/conformance/stack/record.mjs` (needs a `docker` client, no engine).
 * A case is `NAME.yml`, read together with `NAME.2.yml`, `NAME.3.yml` … where they stand beside it, and `NAME.env` for the environment
 * of the command. The record `NAME.json` holds standard output, standard error and the status; the folder is written as /stack.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

for (const kind of ["good", "bad"]) {
  const folder = join(import.meta.dirname, kind);
  const names = readdirSync(folder).filter((name) => /^[^.]+\.yml$/.test(name));
  for (const file of names) {
    const name = file.slice(0, -".yml".length);
    const files = [file];
    for (let next = 2; existsSync(join(folder, `${name}.${next}.yml`)); next++) files.push(`${name}.${next}.yml`);
    const environment = { HOME: "/home/user", PATH: process.env.PATH };
    if (existsSync(join(folder, `${name}.env`)))
      for (const line of readFileSync(join(folder, `${name}.env`), "utf8").split("\n"))
        if (line.includes("=")) environment[line.slice(0, line.indexOf("="))] = line.slice(line.indexOf("=") + 1);
    const words = ["stack", "config", ...files.flatMap((one) => ["-c", one])];
    const { stdout, stderr, status } = spawnSync("docker", words, { cwd: folder, env: environment, encoding: "utf8" });
    const neutral = (text) => text.replaceAll(folder, "/stack").replace(/time="[^"]*" /g, "");
    const record = { status, stdout: neutral(stdout), stderr: neutral(stderr) };
    if ((status === 0) !== (kind === "good")) process.stderr.write(`${kind}/${file}: status ${status}: ${stderr}\n`);
    writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(record, null, 2)}\n`);
  }
}
