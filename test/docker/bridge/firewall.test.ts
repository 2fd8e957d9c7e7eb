import { describe, expect, it } from "vitest";
import { IngressRules } from "../../../src/docker/load-balancer/ingress-rules.ts";
import { isRefusal } from "../../../src/docker/refusal.ts";
import { ip } from "../../linux/two-hosts.ts";
import { EngineLab, savedRules } from "../engine-lab.ts";
import { RECORDED_FILTER, RECORDED_MESH, RECORDED_NAT } from "./recorded-host.ts";

const WEB = [{ protocol: "tcp", containerPort: 80, hostPort: 8_081 }] as const;

/** As in recording 07. */
function recordedHost(): { lab: EngineLab; bridge: string } {
  const lab = new EngineLab("20.10");
  lab.engine.gatewayNetwork();
  const bridge = lab.bridge("mybr");
  const networks = [{ network: "mybr", aliases: [] }];
  lab.start("b1", "sleep 1000", { networks });
  lab.start("b2", "sleep 1000", { networks });
  lab.start("p1", "serve http 80", { networks, ports: WEB });
  return { lab, bridge };
}

describe("The firewall of Docker 20.10", () => {
  it("reads as the recorded one", () => {
    const { lab, bridge } = recordedHost();
    const rules = savedRules(lab.node.namespace, ["filter", "nat"]).map((line) => line.replaceAll(bridge, "BRIDGE"));
    expect(rules).toEqual([...RECORDED_FILTER.split("\n"), ...RECORDED_NAT.split("\n")]);
  });

  it("reads as the recorded one with the routing mesh's rules in it, whose chain stays in front of later networks", () => {
    const lab = new EngineLab("20.10");
    const { namespace } = lab.node;
    lab.engine.gatewayNetwork();
    const mesh = new IngressRules(namespace, "20.10");
    mesh.publish([{ name: "", protocol: "tcp", targetPort: 80, publishedPort: 8_080 }], ip("172.18.0.2"));
    expect(savedRules(namespace, ["filter", "nat"])).toEqual(RECORDED_MESH.split("\n"));
    lab.bridge("mybr");
    expect(
      savedRules(namespace, ["filter"])
        .filter((line) => line.startsWith("-A FORWARD"))
        .slice(0, 3),
    ).toEqual(["-A FORWARD -j DOCKER-USER", "-A FORWARD -j DOCKER-INGRESS", "-A FORWARD -j DOCKER-ISOLATION-STAGE-1"]);
  });

  it("loses a network's rules with the network", () => {
    const { lab } = recordedHost();
    const before = new EngineLab("20.10");
    before.engine.gatewayNetwork();
    for (const name of ["b1", "b2", "p1"]) {
      const container = lab.engine.findContainer(name);
      if (!isRefusal(container)) container.remove(true);
    }
    expect(lab.engine.removeNetwork("mybr")).toBeUndefined();
    expect(savedRules(lab.node.namespace, ["filter", "nat"])).toEqual(
      savedRules(before.node.namespace, ["filter", "nat"]),
    );
  });
});

describe("The firewall of the current release", () => {
  it("sends what is forwarded through Docker's own chain, which drops what no rule lets in", () => {
    const lab = new EngineLab("current");
    const bridge = lab.bridge("mybr");
    lab.start("p1", "serve http 80", { networks: [{ network: "mybr", aliases: [] }], ports: WEB });
    lab.bridge("back", { internal: true });
    const back = lab.engine.findNetwork("back");
    const inside = isRefusal(back) ? "" : `br-${back.id.slice(0, 12)}`;
    const rules = savedRules(lab.node.namespace, ["filter", "nat", "raw"]).map((line) =>
      line.replaceAll(bridge, "BRIDGE").replaceAll(inside, "INSIDE"),
    );
    expect(rules.filter((line) => line.startsWith("-A"))).toEqual([
      "-A FORWARD -j DOCKER-USER",
      "-A FORWARD -j DOCKER-FORWARD",
      "-A DOCKER -d 172.18.0.2/32 ! -i BRIDGE -o BRIDGE -p tcp -m tcp --dport 80 -j ACCEPT",
      "-A DOCKER ! -i docker0 -o docker0 -j DROP",
      "-A DOCKER ! -i BRIDGE -o BRIDGE -j DROP",
      "-A DOCKER-BRIDGE -o docker0 -j DOCKER",
      "-A DOCKER-BRIDGE -o BRIDGE -j DOCKER",
      "-A DOCKER-CT -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
      "-A DOCKER-CT -o BRIDGE -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
      "-A DOCKER-FORWARD -j DOCKER-CT",
      "-A DOCKER-FORWARD -j DOCKER-INTERNAL",
      "-A DOCKER-FORWARD -j DOCKER-BRIDGE",
      "-A DOCKER-FORWARD -i docker0 -j ACCEPT",
      "-A DOCKER-FORWARD -i BRIDGE -j ACCEPT",
      "-A DOCKER-FORWARD -i INSIDE -o INSIDE -j ACCEPT",
      "-A DOCKER-INTERNAL ! -s 172.19.0.0/16 -o INSIDE -j DROP",
      "-A DOCKER-INTERNAL ! -d 172.19.0.0/16 -i INSIDE -j DROP",
      "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
      "-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER",
      "-A POSTROUTING -s 172.18.0.0/16 ! -o BRIDGE -j MASQUERADE",
      "-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE",
      "-A DOCKER ! -i BRIDGE -p tcp -m tcp --dport 8081 -j DNAT --to-destination 172.18.0.2:80",
      "-A PREROUTING -d 172.18.0.2/32 ! -i BRIDGE -j DROP",
    ]);
    expect(rules).toContain(":FORWARD DROP [0:0]");
  });

  it("turns hairpins on the host without the userland proxy", () => {
    const lab = new EngineLab("current", { userlandProxy: false });
    lab.start("p1", "serve http 80", { ports: WEB });
    expect(savedRules(lab.node.namespace, ["nat"]).filter((line) => line.startsWith("-A"))).toEqual([
      "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
      "-A OUTPUT -m addrtype --dst-type LOCAL -j DOCKER",
      "-A POSTROUTING -o docker0 -m addrtype --src-type LOCAL -j MASQUERADE",
      "-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE",
      "-A POSTROUTING -s 172.17.0.2/32 -d 172.17.0.2/32 -p tcp -m tcp --dport 80 -j MASQUERADE",
      "-A DOCKER -p tcp -m tcp --dport 8081 -j DNAT --to-destination 172.17.0.2:80",
    ]);
    expect(lab.node.namespace.sysctl.number("net.ipv4.conf.docker0.route_localnet")).toBe(1);
  });

  it("is as it was when containers and networks are gone", () => {
    const lab = new EngineLab("current");
    const tables = ["filter", "nat", "raw"] as const;
    const chains = (lines: string[]) => lines.filter((line) => line.startsWith("-A"));
    const before = chains(savedRules(lab.node.namespace, tables));
    lab.bridge("mybr");
    const container = lab.start("p1", "sleep 100", { networks: [{ network: "mybr", aliases: [] }], ports: WEB });
    container.remove(true);
    lab.engine.removeNetwork("mybr");
    expect(chains(savedRules(lab.node.namespace, tables))).toEqual(before);
  });
});
