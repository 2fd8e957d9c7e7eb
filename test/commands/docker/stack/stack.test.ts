import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { IN_BACKGROUND, StackLab } from "./stack-lab.ts";

const WEB = "services:\n  web: {image: nginx:1, deploy: {replicas: 2}}\n";
const RECORDS = join(import.meta.dirname, "../../../conformance/stack");
/** Holds a swarm. */
const LONG_MS = 60_000;

describe("docker stack", () => {
  it("deploys, lists, shows and removes", () => {
    const swarm = new StackLab().file("web.yml", `${WEB}configs: {motd: {file: ./motd}}\n`).file("motd", "hello");
    expect(swarm.type("docker stack deploy -c web.yml shop")).toEqual({
      status: 0,
      stdout: "Creating network shop_default\nCreating config shop_motd\nCreating service shop_web\n",
      stderr: IN_BACKGROUND,
    });
    swarm.pass(5);
    expect(swarm.type("docker stack ls").stdout).toBe("NAME      SERVICES\nshop      1\n");
    expect(swarm.type("docker stack services shop --format '{{.Name}} {{.Replicas}} {{.Image}}'").stdout).toBe(
      "shop_web 2/2 nginx:1\n",
    );
    expect(swarm.type("docker stack ps shop --format '{{.Name}} {{.CurrentState}}'").stdout).toMatch(
      /^shop_web\.1 Running 4 seconds ago\nshop_web\.2 Running 4 seconds ago\n$/,
    );
    expect(swarm.type("docker stack rm shop")).toEqual({
      status: 0,
      stdout: "Removing service shop_web\nRemoving config shop_motd\nRemoving network shop_default\n",
      stderr: "",
    });
    swarm.pass(20);
    expect(swarm.type("docker stack ls").stdout).toBe("NAME      SERVICES\n");
    expect(swarm.type("docker network ls -f name=shop -q").stdout).toBe("");
    expect(swarm.type("docker config ls -q").stdout).toBe("");
  });

  it("changes only what has changed", () => {
    const swarm = new StackLab().file("a.yml", `${WEB}  other: {image: redis:7}\n`);
    swarm.type("docker stack deploy -c a.yml shop");
    swarm.pass(5);
    const tasks = () =>
      swarm
        .type("docker stack ps shop -f desired-state=running --no-trunc --format '{{.ID}} {{.Name}} {{.Image}}'")
        .stdout.trim()
        .split("\n");
    const before = tasks();
    swarm.type("docker stack deploy -c a.yml shop");
    swarm.pass(5);
    expect(tasks()).toEqual(before);
    swarm.file("b.yml", `${WEB.replace("nginx:1", "nginx:2")}  other: {image: redis:7}\n`);
    expect(swarm.type("docker stack deploy -c b.yml shop").stdout).toMatch(
      /^Updating service shop_other \(id: [a-z0-9]{25}\)\nUpdating service shop_web \(id: [a-z0-9]{25}\)\n$/,
    );
    swarm.pass(40);
    const after = tasks();
    expect(after.filter((line) => before.includes(line)).length).toBe(1);
    expect(after.filter((line) => line.endsWith("nginx:2")).length).toBe(2);
  });

  it("prunes services that the file no longer has", () => {
    const swarm = new StackLab().file("a.yml", `${WEB}  other: {image: redis}\n`).file("b.yml", WEB);
    swarm.type("docker stack deploy -c a.yml shop");
    expect(swarm.type("docker stack deploy -c b.yml --prune shop").stdout).toMatch(
      /^Removing service shop_other\nUpdating service shop_web \(id: [a-z0-9]{25}\)\n$/,
    );
    expect(swarm.type("docker stack services shop --format '{{.Name}}'").stdout).toBe("shop_web\n");
  });

  it("leaves other stacks and what belongs to none alone", () => {
    const swarm = new StackLab().file("a.yml", WEB);
    swarm.type("docker stack deploy -c a.yml one");
    swarm.type("docker stack deploy -c a.yml two");
    swarm.type("docker network create -d overlay own");
    expect(swarm.type("docker stack rm one").status).toBe(0);
    expect(swarm.type("docker stack ls").stdout).toBe("NAME      SERVICES\ntwo       1\n");
    expect(swarm.type("docker network ls -f driver=overlay --format '{{.Name}}'").stdout).toBe(
      "ingress\nown\ntwo_default\n",
    );
  });

  it("changes no secret's content", () => {
    const file = "services: {web: {image: nginx, secrets: [key]}}\nsecrets: {key: {file: ./key}}\n";
    const swarm = new StackLab().file("a.yml", file).file("key", "one");
    expect(swarm.type("docker stack deploy -c a.yml shop").status).toBe(0);
    expect(swarm.type("docker stack deploy -c a.yml shop").status).toBe(0);
    swarm.file("key", "two");
    expect(swarm.type("docker stack deploy -c a.yml shop")).toEqual({
      status: 1,
      stdout: "",
      stderr: `${IN_BACKGROUND}failed to update secret shop_key: Error response from daemon: rpc error: code = InvalidArgument desc = only updates to Labels are allowed\n`,
    });
  });

  it("waits for the services when it is told to", () => {
    const swarm = new StackLab().file("a.yml", WEB);
    const { status, stdout, stderr } = swarm.type("docker stack deploy --detach=false -c a.yml shop");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toContain("overall progress: 2 out of 2 tasks\n");
    expect(stdout).toMatch(/verify: Service [a-z0-9]{25} converged\n$/);
  });

  it("prints the long form of a file", () => {
    const swarm = new StackLab();
    const name = "ports-short";
    swarm.file("a.yml", readFileSync(join(RECORDS, "good", `${name}.yml`), "utf8"));
    const { stdout } = JSON.parse(readFileSync(join(RECORDS, "good", `${name}.json`), "utf8"));
    expect(swarm.type("docker stack config -c a.yml").stdout).toBe(stdout);
    expect(swarm.type("docker stack config -c - < /dev/null").status).toBe(1);
  });
});

describe("docker stack, wrongly called, says what the client says and changes nothing:", () => {
  const swarm = new StackLab().file("a.yml", WEB).file("forbidden.yml", "services: {web: {image: a, mem_limit: 64m}}");
  swarm.file("action.yml", "services: {web: {image: a, deploy: {update_config: {failure_action: explode}}}}");
  swarm.file("bridge.yml", "services: {web: {image: a, networks: [b]}}\nnetworks: {b: {driver: bridge}}");
  it.each([
    ["deploy x", 1, "Specify a Compose file (with --compose-file)\n"],
    ["deploy -c a.yml ''", 1, 'invalid stack name: ""\n'],
    ["deploy -c none.yml x", 1, "open none.yml: no such file or directory\n"],
    ["deploy -c a.yml --resolve-image maybe x", 1, "Invalid option maybe for flag --resolve-image\n"],
    [
      "deploy -c forbidden.yml x",
      1,
      "Compose file contains unsupported options:\n\nmem_limit: Set resource limits using deploy.resources\n\n",
    ],
    [
      "deploy -c action.yml --detach x",
      1,
      "failed to create service x_web: Error response from daemon: unrecongized update failure action explode\n",
    ],
    [
      "deploy -c bridge.yml --detach x",
      1,
      "failed to create service x_web: Error response from daemon: The network x_b cannot be used with services. Only networks scoped to the swarm can be used, such as those created with the overlay driver.\n",
    ],
    ["ps nobody", 1, "nothing found in stack: nobody\n"],
    ["services nobody", 0, "Nothing found in stack: nobody\n"],
    ["rm nobody", 0, "Nothing found in stack: nobody\n"],
    [
      "ps",
      1,
      "docker: 'docker stack ps' requires 1 argument\n\nUsage:  docker stack ps [OPTIONS] STACK\n\nRun 'docker stack ps --help' for more information\n",
    ],
  ])("%s", (line, status, stderr) => {
    expect(swarm.type(`docker stack ${line}`)).toMatchObject({ status, stderr });
    expect(swarm.type("docker service ls -q").stdout).toBe("");
  });

  it("on a worker", () => {
    swarm.lab.hosts.get("node2")!.files.set("a.yml", WEB);
    expect(swarm.type("docker stack deploy -d -c a.yml x", "node2")).toEqual({
      status: 1,
      stdout: "",
      stderr:
        'this node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again\n',
    });
  });
});

describe("docker stack deploy prints what the client printed", () => {
  /** What the managers refuse here, or what needs an engine of another kind, the record's engine took. */
  const OTHER =
    /^(?:v310-cluster|v38-max-replicas|secret-driver|mount-npipe|network-names|networks-mapping|natural-order)$/;
  const OUTSIDE = [
    "network-missing",
    "network-local",
    "secret-missing",
    "config-missing",
    "network-host",
    "undefined-",
  ];
  const names = readdirSync(join(RECORDS, "deploy"))
    .filter((file) => file.endsWith(".yml"))
    .map((file) => file.slice(0, -".yml".length))
    .filter(
      (name) =>
        !OTHER.test(name) &&
        (OUTSIDE.some((each) => name.startsWith(each)) || /^(mode|mount|restart|cpus|health)/.test(name)),
    );
  const swarm = new StackLab();
  swarm.type("docker network create local_one");
  it.each(names)(
    "%s",
    (name) => {
      const folder = join(RECORDS, existsSync(join(RECORDS, "good", `${name}.yml`)) ? "good" : "deploy");
      const record = JSON.parse(readFileSync(join(RECORDS, "deploy", `${name}.json`), "utf8"));
      swarm.file(`/stack/${name}.yml`, readFileSync(join(folder, `${name}.yml`), "utf8"));
      const { status, stdout, stderr } = swarm.type(`docker stack deploy -c /stack/${name}.yml shop`);
      swarm.type("docker stack rm shop");
      swarm.pass(15);
      const lines = stdout.trimEnd().split("\n").sort();
      expect({ status, stdout: lines.join("\n"), stderr }).toEqual({
        status: record.status,
        stdout: record.stdout,
        stderr: record.stderr,
      });
    },
    LONG_MS,
  );
});
