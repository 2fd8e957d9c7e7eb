import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { DockerLab } from "../../swarm/docker-lab.ts";

let lab: DockerLab;
const type = (number: number, line: string) => lab.command(lab.at(number).host, line);
/** A command that must go well: what it printed. */
const well = (number: number, line: string): string => {
  const { text, status } = type(number, line);
  expect(`${line}: ${status} ${status === 0 ? "" : text}`).toBe(`${line}: 0 `);
  return text;
};
const idOf = (kind: "service" | "network" | "node", name: string) => lab.store.byName(kind, name)!.id;

const DAEMON = "Error response from daemon: ";
const RPC = `${DAEMON}rpc error: code = `;
const NO_SWARM = `${DAEMON}This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.\n`;
const WORKER = `${DAEMON}This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state. Please run this command on a manager node or promote the current node to a manager.\n`;

describe("outside a swarm", () => {
  beforeAll(() => {
    lab = new DockerLab(1);
  });
  it.each([
    "node ls",
    "service ls",
    "service create nginx",
    "secret ls",
    "config ls",
    "swarm join-token worker",
    "swarm unlock-key",
    "swarm update --autolock=true",
    "network create -d overlay app",
    "node promote x",
    "service logs x",
  ])("docker %s says how to get into one", (line) => {
    expect(type(1, `docker ${line}`)).toEqual({ text: NO_SWARM, status: 1 });
  });

  it("there is nothing to leave, and nothing to unlock", () => {
    expect(type(1, "docker swarm leave").text).toBe(`${DAEMON}This node is not part of a swarm\n`);
    expect(type(1, "docker swarm unlock <<< x").text).toBe("Error: This node is not part of a swarm\n");
    expect(well(1, "docker info")).toContain("\n Swarm: inactive\n");
  });

  it("tokens and addresses are looked at first", () => {
    expect(type(1, "docker swarm join --token x 192.168.50.12").text).toBe(`${DAEMON}invalid join token\n`);
    expect(type(1, "docker swarm init --data-path-port 80").text).toBe(
      `${DAEMON}Datapath port number is not in valid range (1024-49151) : 80\n`,
    );
  });
});

describe("a swarm typed into being", () => {
  beforeEach(() => {
    lab = new DockerLab(3);
  });

  it("begins with init, grows by join, and is listed by all managers", () => {
    const init = well(1, "docker swarm init");
    const command = /docker swarm join --token (\S+) 192\.168\.50\.11:2377/.exec(init)!;
    const node = lab.at(1).daemon.node.nodeId;
    expect(init).toBe(
      `Swarm initialized: current node (${node}) is now a manager.\n\nTo add a worker to this swarm, run the following command:\n\n    ${command[0]}\n\nTo add a manager to this swarm, run 'docker swarm join-token manager' and follow the instructions.\n\n`,
    );
    expect(well(2, command[0])).toBe("This node joined a swarm as a worker.\n");
    const manager = well(1, "docker swarm join-token -q manager").trim();
    expect(well(3, `docker swarm join --token ${manager} 192.168.50.11:2377`)).toBe(
      "This node joined a swarm as a manager.\n",
    );
    lab.run(2);
    const [one, two, three] = [1, 2, 3].map((number) => lab.at(number).daemon.node.nodeId);
    expect(well(3, "docker node ls")).toBe(
      "ID                            HOSTNAME   STATUS    AVAILABILITY   MANAGER STATUS   ENGINE VERSION\n" +
        `${one}     node1      Ready     Active         Leader           28.2.2\n` +
        `${two}     node2      Ready     Active                          28.2.2\n` +
        `${three} *   node3      Ready     Active         Reachable        28.2.2\n`,
    );
    expect(type(2, "docker node ls").text).toBe(WORKER);
    expect(type(2, command[0]).text).toBe(
      `${DAEMON}This node is already part of a swarm. Use "docker swarm leave" to leave this swarm and join another one.\n`,
    );
    expect(well(1, "docker info")).toContain("  Is Manager: true\n");
    expect(well(2, "docker info")).toContain("  Is Manager: false\n");
    expect(well(1, "docker swarm join-token --rotate worker")).toMatch(
      /^Successfully rotated worker join token\.\n\nTo add a worker/,
    );
    expect(well(2, "docker swarm leave")).toBe("Node left the swarm.\n");
  });

  it("is locked when it is asked to be, and opens with its key", () => {
    well(1, "docker swarm init");
    expect(type(1, "docker swarm unlock-key").text).toBe("no unlock key is set\n");
    expect(type(1, "docker swarm unlock-key --rotate").text).toBe("cannot rotate because autolock is not turned on\n");
    expect(well(1, "docker swarm update --autolock=true")).toMatch(
      /^Swarm updated\.\nTo unlock a swarm manager after it restarts, run the `docker swarm unlock`\ncommand and provide the following key:\n\n {4}SWMKEY-1-\S{43}\n\nRemember to store this key in a password manager, since without it you\nwill not be able to restart the manager\.\n$/,
    );
    const key = well(1, "docker swarm unlock-key -q").trim();
    expect(type(1, `docker swarm unlock <<< ${key}`).text).toBe("Error: swarm is not locked\n");
    lab.at(1).daemon.stop();
    expect(type(1, "docker node ls").text).toContain("Cannot connect to the Docker daemon");
    lab.at(1).daemon.start();
    lab.run(1);
    expect(type(1, "docker node ls").text).toBe(
      `${DAEMON}Swarm is encrypted and needs to be unlocked before it can be used. Please use "docker swarm unlock" to unlock it.\n`,
    );
    expect(type(1, "docker swarm unlock <<< x").text).toBe(`${DAEMON}invalid key string\n`);
    well(1, `docker swarm unlock <<< ${key}`);
    lab.run(12);
    expect(well(1, "docker node ls")).toContain("Leader");
  });

  it("does not lose its last manager without a word", () => {
    well(1, "docker swarm init");
    expect(type(1, "docker swarm leave").text).toContain(
      "Removing the last manager erases all current state of the swarm.",
    );
    expect(type(1, "docker node demote node1").text).toBe(
      `${RPC}FailedPrecondition desc = attempting to demote the last manager of the swarm\n`,
    );
    expect(well(1, "docker swarm leave --force")).toBe("Node left the swarm.\n");
    expect(type(1, "docker node ls").text).toBe(NO_SWARM);
  });
});

describe("services typed on a swarm of three", () => {
  beforeAll(() => {
    lab = new DockerLab(3).cluster();
    well(1, "docker network create -d overlay --attachable app");
    lab.at(1).host.files.set("text", "hello");
    well(1, "docker secret create s text");
    well(1, "docker service create -q --name web --replicas 3 --network app -p 8080:80 --secret s nginx serve http 80");
    well(1, "docker service create -d --name all --mode global nginx serve http 80");
    lab.run(5);
  });

  it("are listed with their tasks", () => {
    expect(well(1, "docker service ls").replace(/^[0-9a-z]{12}/gm, "ID")).toBe(
      "ID             NAME      MODE         REPLICAS   IMAGE          PORTS\n" +
        "ID   all       global       3/3        nginx:latest   \n" +
        "ID   web       replicated   3/3        nginx:latest   *:8080->80/tcp\n",
    );
    const tasks = well(1, "docker service ps web");
    expect(tasks.match(/web\.[123] +nginx:latest +node[123] +Running +Running \d+ seconds ago/g)).toHaveLength(3);
    expect(well(1, "docker node ps node2").match(/Running {9}Running/g)).toHaveLength(2);
  });

  it("are scaled, changed and turned back, each once it has come to rest", () => {
    const scaled = well(1, "docker service scale web=4");
    expect(scaled).toMatch(/^web scaled to 4\noverall progress: \d out of 4 tasks\n1\/4: {2}\n2\/4: {2}\n/);
    expect(scaled).toMatch(
      /\nverify: Waiting 1 seconds to verify that tasks are stable\.\.\.\nverify: Service web converged\n$/,
    );
    expect(scaled.match(/^verify: Waiting 5 seconds/gm)).toHaveLength(5);
    well(1, "docker service update --update-parallelism 0 --env-add A=b --label-add x=y web");
    expect(well(1, "docker service inspect --format {{.Spec.TaskTemplate.ContainerSpec.Env}} web")).toBe("[A=b]\n");
    expect(well(1, "docker service rollback web")).toContain(
      "rollback: manually requested rollback\noverall progress: rolling back update: 0 out of 4 tasks\n",
    );
    expect(well(1, "docker service inspect --format '{{len .Spec.Labels}}' web")).toBe("0\n");
    well(1, "docker service scale web=3");
  });

  it.each<[string, string | ((text: string) => string)]>([
    [
      "service create --name web nginx",
      `${RPC}AlreadyExists desc = name conflicts with an existing object: service web already exists\n`,
    ],
    ["service create --name a.b nginx", `${RPC}InvalidArgument desc = name must be valid as a DNS name component\n`],
    [
      "service create --name x Nginx",
      `${RPC}InvalidArgument desc = ContainerSpec: "Nginx:latest" is not a valid repository/tag\n`,
    ],
    [
      "service create -p 8080:81 nginx",
      () =>
        `${RPC}InvalidArgument desc = port '8080' is already in use by service 'web' (${idOf("service", "web")}) as an ingress port\n`,
    ],
    [
      "service create -p 90:81 -p 90:82 nginx",
      `${RPC}InvalidArgument desc = EndpointSpec: duplicate published ports provided\n`,
    ],
    [
      "service create --endpoint-mode dnsrr -p 90:81 nginx",
      `${RPC}InvalidArgument desc = EndpointSpec: port published with ingress mode can't be used with dnsrr mode\n`,
    ],
    [
      "service create --network ingress nginx",
      `${RPC}InvalidArgument desc = Service cannot be explicitly attached to the ingress network "ingress"\n`,
    ],
    ["service create --network nope nginx", `${DAEMON}network nope not found\n`],
    ["service create --secret nope nginx", "secret not found: nope\n"],
    ["service create --config nope nginx", "config not found: nope\n"],
    ["service create --constraint a nginx", `${RPC}Unknown desc = constraint expected one operator from ==, !=\n`],
    [
      "service create --limit-memory 1m nginx",
      `${RPC}InvalidArgument desc = invalid memory value 1048576: Must be at least 4MiB\n`,
    ],
    [
      "service create --limit-cpu 0.0001 nginx",
      `${RPC}InvalidArgument desc = invalid cpu value 0.0001: Must be at least 0.001\n`,
    ],
    [
      "service create --update-max-failure-ratio 2 nginx",
      `${RPC}InvalidArgument desc = TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1\n`,
    ],
    [
      "service create --mode global-job --update-delay 1s nginx",
      `${RPC}InvalidArgument desc = Jobs may not have an update config\n`,
    ],
    ["service scale all=2", "all: scale can only be used with replicated or replicated-job mode\n"],
    ["service scale nope=2", `nope: ${DAEMON}service nope not found\n`],
    ["service update --replicas 2 all", "replicas can only be used with replicated mode\n"],
    ["service update --rollback --image x web", "other flags may not be combined with --rollback\n"],
    [
      "service update --network-add app web",
      () => `service is already attached to network ${idOf("network", "app")}\n`,
    ],
    [
      "service rollback all",
      () => `${RPC}FailedPrecondition desc = service ${idOf("service", "all")} does not have a previous spec\n`,
    ],
    ["service inspect nope", "[]\nError: no such service: nope\n"],
    ["service ps nope", "no such service: nope\n"],
    ["service logs nope", "no such task or service: nope\n"],
    ["service rm nope", `${DAEMON}service nope not found\n`],
    ["node inspect nope", `[]\n${DAEMON}node nope not found\n`],
    [
      "node rm node2",
      () => `${RPC}FailedPrecondition desc = node ${idOf("node", "node2")} is not down and can't be removed\n`,
    ],
    [
      "node rm node1",
      () =>
        `${RPC}FailedPrecondition desc = node ${idOf("node", "node1")} is a cluster manager and is a member of the raft cluster. It must be demoted to worker before removal\n`,
    ],
    ["node update --availability x node1", `${DAEMON}invalid Availability: "x"\n`],
    ["node update --label-rm x node1", "key x doesn't exist in node's labels\n"],
    [
      "network rm app",
      () =>
        `${RPC}FailedPrecondition desc = network ${idOf("network", "app")} is in use by service ${idOf("service", "web")}\n`,
    ],
    ["network rm nope", `${DAEMON}network nope not found\n`],
    ["network create -d overlay app", `${DAEMON}network with name app already exists\n`],
    [
      "network create -d overlay --ingress i",
      () => `${RPC}AlreadyExists desc = ingress network (${idOf("network", "ingress")}) is already present\n`,
    ],
    [
      "network rm ingress",
      () =>
        `${RPC}FailedPrecondition desc = ingress network cannot be removed because service ${idOf("service", "web")} depends on it\n`,
    ],
    ["secret create s text", `${RPC}AlreadyExists desc = secret s already exists\n`],
    [
      "secret create e -",
      `${RPC}InvalidArgument desc = secret data must be larger than 0 and less than 512000 bytes\n`,
    ],
    ["secret rm s", `${RPC}InvalidArgument desc = secret 's' is in use by the following service: web\n`],
    ["secret rm nope", `${DAEMON}secret nope not found\n`],
    ["config rm nope", `${DAEMON}config nope not found\n`],
    ["swarm update --cert-expiry 1m", `${RPC}InvalidArgument desc = minimum certificate expiry time is: 1h0m0s\n`],
  ])("docker %s is refused, and changes nothing", (line, wanted) => {
    const before = [...lab.store.save()].join();
    const { text, status } = type(1, `docker ${line}`);
    expect(text).toBe(typeof wanted === "string" ? wanted : wanted(""));
    expect(status).toBe(1);
    expect([...lab.store.save()].join() === before).toBe(true);
  });

  it("name things by the beginning of their ids, unless several begin so", () => {
    const id = idOf("service", "web");
    expect(well(1, `docker service inspect -f '{{.Spec.Name}}' ${id.slice(0, 6)}`)).toBe("web\n");
    expect(well(1, `docker inspect -f '{{.Spec.Name}}' ${id}`)).toBe("web\n");
    expect(type(1, "docker service rm ''").text).toBe(`${DAEMON}service  is ambiguous (2 matches found)\n`);
  });

  it("tell what their tasks say, from whichever node", () => {
    const task = lab.running(idOf("service", "web"))[0]!;
    const node = lab.nodes.find(({ daemon }) => daemon.node.nodeId === task.nodeId)!;
    lab.containerOf(task).log.write("stdout", "hello\n");
    const prefix = `web.${task.slot}.${task.id.slice(0, 12)}@${node.name}`;
    expect(well(1, "docker service logs web")).toContain(`${prefix}    | hello\n`);
    expect(well(1, `docker service logs --raw ${task.id}`)).toContain("hello\n");
    expect(well(1, "docker service logs --tail 0 web")).toBe("");
  });

  it("that are jobs are waited for until they are done", () => {
    const run = well(1, "docker service create --name job --mode replicated-job --replicas 2 nginx sleep 2");
    expect(run.split("\n").slice(1, 4)).toEqual(["active tasks: 0 out of 2 tasks", "1/2:  ", "2/2:  "]);
    expect(run).toMatch(/\nactive tasks: 0 out of 0 tasks\njob complete\n$/);
    expect(well(1, "docker service ls -f name=job")).toContain("replicated job   0/0 (2/2 completed)");
    const everywhere = well(1, "docker service create --name job2 --mode global-job nginx sleep 1");
    expect(everywhere).toMatch(/\njob complete\n$/);
    expect(well(1, "docker service ls -f name=job2")).toContain("global job   0/0 (3/3 completed)");
    well(1, "docker service rm job job2");
  });

  it("go, and their network with them, when they are removed", () => {
    expect(well(1, "docker service rm web all")).toBe("web\nall\n");
    lab.run(20);
    expect(well(1, "docker network rm app")).toBe("app\n");
    expect(well(1, "docker secret rm s")).toBe("s\n");
    expect(well(1, "docker service ls")).toBe("ID        NAME      MODE      REPLICAS   IMAGE     PORTS\n");
  });
});

describe("managers without a quorum", () => {
  it("say so", () => {
    lab = new DockerLab(2).cluster(2);
    lab.run(10);
    expect(well(1, "docker node ls")).toContain("Reachable");
    lab.at(2).daemon.cutPower();
    lab.run(60);
    expect(type(1, "docker service ls").text).toBe(
      `${RPC}Unknown desc = The swarm does not have a leader. It's possible that too few managers are online. Make sure more than half of the managers are online.\n`,
    );
  });
});
