/**
 * Records what the Docker client asks of an engine when it deploys every case: `node test/conformance/stack/record-deploy.mjs` (needs a `docker` client; the
 * engine is a few lines here). Cases are those that `record.mjs` knows, and those of `deploy/`, which an engine sees less or nothing of. The record
 * `deploy/NAME.json` holds what was created, by name, and what was printed.
 */
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";

const created = [];
const server = createServer((request, response) => {
  let body = "";
  request.on("data", (part) => (body += part));
  request.on("end", () => {
    const url = new URL(request.url, "http://engine");
    const path = url.pathname.replace(/^\/v[0-9.]+/, "");
    const answer = answerTo(request.method, path, url.searchParams, body === "" ? undefined : JSON.parse(body));
    response.writeHead(answer.status ?? 200, { "content-type": "application/json", "api-version": "1.50" });
    response.end(JSON.stringify(answer.body ?? {}));
  });
});

function answerTo(method, path, query, body) {
  const [, kind, name] = path.split("/");
  if (path === "/_ping") return { body: "OK" };
  if (path === "/info") return { body: { Swarm: { ControlAvailable: true, LocalNodeState: "active" } } };
  if (method === "GET" && kind === "networks" && name !== undefined) {
    if (name.includes("missing")) return { status: 404, body: { message: `network ${name} not found` } };
    return { body: { Name: name, Id: `id-of-${name}`, Scope: name.includes("local") ? "local" : "swarm" } };
  }
  if (method === "GET" && (kind === "secrets" || kind === "configs")) {
    if (name !== undefined) return { status: 404, body: { message: `${kind.slice(0, -1)} ${name} not found` } };
    const names = Object.keys(JSON.parse(query.get("filters") ?? "{}").name ?? {});
    const there = names.filter((each) => !each.includes("missing"));
    return { body: there.map((each) => ({ ID: `id-of-${each}`, Spec: { Name: each } })) };
  }
  if (method === "GET") return { body: [] };
  if (method === "POST") {
    created.push({ kind, spec: body });
    return { status: 201, body: { ID: "x", Id: "x" } };
  }
  return { status: 500, body: { message: `${method} ${path}` } };
}

function deploy(folder, files, environment) {
  const words = ["stack", "deploy", ...files.flatMap((one) => ["-c", one]), "shop"];
  const child = spawn("docker", words, { cwd: folder, env: environment });
  const said = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"]) child[stream].on("data", (part) => (said[stream] += part));
  return new Promise((resolve) => child.on("close", (status) => resolve({ status, ...said })));
}

const folderOf = (kind) => join(import.meta.dirname, kind);
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const host = `tcp://127.0.0.1:${server.address().port}`;
for (const kind of ["good", "deploy"])
  for (const file of readdirSync(folderOf(kind)).filter((name) => /^[^.]+\.yml$/.test(name))) {
    const folder = folderOf(kind);
    const name = file.slice(0, -".yml".length);
    const files = [file];
    for (let next = 2; existsSync(join(folder, `${name}.${next}.yml`)); next++) files.push(`${name}.${next}.yml`);
    const environment = { HOME: "/home/user", PATH: process.env.PATH, DOCKER_HOST: host };
    if (existsSync(join(folder, `${name}.env`)))
      for (const line of readFileSync(join(folder, `${name}.env`), "utf8").split("\n"))
        if (line.includes("=")) environment[line.slice(0, line.indexOf("="))] = line.slice(line.indexOf("=") + 1);
    created.length = 0;
    const { status, stdout, stderr } = await deploy(folder, files, environment);
    const neutral = (text) => text.replaceAll(folder, "/stack").replace(/time="[^"]*" /g, "");
    // The client goes through its maps in Go's order, which is another one each time.
    created.sort((a, b) => (a.spec.Name < b.spec.Name ? -1 : 1));
    const record = {
      status,
      stdout: neutral(stdout).split("\n").sort().join("\n").trimStart(),
      stderr: neutral(stderr),
      created,
    };
    writeFileSync(join(folderOf("deploy"), `${name}.json`), `${neutral(JSON.stringify(record, null, 1))}\n`);
  }
server.close();
