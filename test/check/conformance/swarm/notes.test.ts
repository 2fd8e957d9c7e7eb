import { describe, expect, it } from "vitest";
import { parseNotes } from "../../../../src/check/conformance/swarm/notes.ts";
import { parseGossip, toldEndpoints } from "../../../../src/check/conformance/swarm/recorded-gossip.ts";
import { parseState, shownInterfaces } from "../../../../src/check/conformance/swarm/recorded-state.ts";
import { typedLines } from "../../../../src/check/conformance/swarm/typed-line.ts";
import { SECOND } from "../../../../src/sim/time.ts";
import { formatIpv4 } from "../../../../src/wire/address.ts";

const NOTES = `# 02-case: a title

## Commands, in order (UTC, host clock), and their output

\`\`\`
17:28:04.029  # captures started
17:28:14.315 node1$ docker exec c1 ping -c 3 10.0.1.12
PING 10.0.1.12

17:28:15.000 client$ curl http://192.168.50.11/
\`\`\`
17:28:16.000 node1$ docker rm -f c1
`;

describe("The notes of a recorded case", () => {
  it("are commands with times, machines and outputs, and remarks between them", () => {
    const notes = parseNotes(NOTES);
    if ("problem" in notes) throw new Error(notes.problem);
    expect(notes.title).toBe("02-case: a title");
    expect(notes.steps.map((step) => step.kind)).toEqual(["remark", "command", "command", "command"]);
    const atNs = ((17 * 60 + 28) * 60 + 14.315) * SECOND;
    expect(notes.steps[1]).toMatchObject({ atNs, host: "node1", output: "PING 10.0.1.12\n" });
  });
  it("say what is wrong when there are no commands", () => {
    expect(parseNotes("# nothing")).toEqual({ problem: 'notes.md: no "## Commands, in order"' });
  });
});

describe("A line typed in the recorded lab", () => {
  it("has its loops written out", () => {
    expect(typedLines("for i in 1 2; do docker exec c$i true; done")).toEqual([
      "docker exec c1 true",
      "docker exec c2 true",
    ]);
  });
  it("is left out where it only looks at the machine", () => {
    expect(typedLines("for f in /var/run/*; do echo $f; done")).toEqual([]);
    expect(typedLines("ss -lntp | grep 8081; docker node ls | grep node1")).toEqual(["docker node ls"]);
  });
});

describe("What a recorded node told of itself", () => {
  it("is taken apart by namespaces and commands", () => {
    const state = parseState(
      "### docker ps\nnothing\n=================== HOST netns\n### ip neigh\none\n=================== netns 1-abc \n### nsenter --net=/x/1-abc ip addr\ntwo\n=================== netns 0123 container c1\n### nsenter --net=/x/0123 ip addr\nthree\n",
    );
    expect(state.sections.map(({ namespace, container, command }) => [namespace, container, command])).toEqual([
      ["", undefined, "docker ps"],
      ["HOST", undefined, "ip neigh"],
      ["1-abc", undefined, "ip addr"],
      ["0123", "c1", "ip addr"],
    ]);
  });
  it("tells interfaces with their peers and addresses", () => {
    const text =
      "17: eth0@if18: <UP> mtu 1450\n    inet 10.0.1.11/24 brd 10.0.1.255\n    inet 10.0.1.2/32 scope global\n";
    const [shown] = shownInterfaces(text);
    expect(shown).toMatchObject({ index: 17, name: "eth0", peerIndex: 18 });
    expect(shown?.addresses.map(({ address, length }) => `${formatIpv4(address)}/${length}`)).toEqual([
      "10.0.1.11/24",
      "10.0.1.2/32",
    ]);
  });
});

describe("Recorded gossip", () => {
  it("tells of an endpoint when both tables have spoken", () => {
    const line = (content: string) =>
      `1\t2.5\tUDP 192.168.50.12 > 192.168.50.11\t84B\tplain=55\tcrc(user(TableEvent CREATE ltime=1 node=a net=say table=${content}`;
    const lines = parseGossip(
      [
        line("overlay_peer_table key=k1 peer{ip=10.0.1.4/24 mac=02:42:0a:00:01:04 vtep=192.168.50.13} reap=0))"),
        line(
          "endpoint_table key=k1 ep{name=web.1.x svc=web svcid=s vip=10.0.1.2 ip=10.0.1.4 ports=[] aliases= taskAliases=} reap=0))",
        ),
      ].join("\n"),
    );
    expect(lines[0]).toMatchObject({ atSeconds: 2.5, transport: "UDP", payloadBytes: 84 });
    const [endpoint, ...others] = toldEndpoints(lines);
    expect(others).toEqual([]);
    expect(endpoint).toMatchObject({ name: "web.1.x", service: "web", readySeconds: 2.5 });
    expect(formatIpv4(endpoint!.vtep!)).toBe("192.168.50.13");
  });
});
