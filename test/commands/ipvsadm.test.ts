import { describe, expect, it } from "vitest";
import { ipvsadm } from "../../src/commands/ipvsadm/ipvsadm.ts";
import type { NetworkNamespace } from "../../src/linux/namespace.ts";
import { World } from "../../src/linux/world.ts";

function makeNamespace(): NetworkNamespace {
  return new World({ seed: 1 }).createNamespace("lb");
}

function run(namespace: NetworkNamespace, line: string, stdin = ""): string {
  const words = line.split(/\s+/).filter((word) => word !== "");
  const { status, stdout, stderr } = ipvsadm(words, { namespace, stdin, hostName: () => undefined });
  return status === 0 && stderr === "" ? stdout : `${status}: ${stdout}${stderr}`;
}

/** The service of a swarm's ingress sandbox. */
function ingress(): NetworkNamespace {
  const namespace = makeNamespace();
  run(namespace, "-A -f 258 -s rr");
  run(namespace, "-a -f 258 -r 10.0.0.7:0 -m -w 1");
  run(namespace, "-a -f 258 -r 10.0.0.6 -m");
  return namespace;
}

describe("ipvsadm", () => {
  it("lists services as on a real swarm's node", () => {
    const namespace = ingress();
    expect(run(namespace, "-Ln")).toBe(
      "IP Virtual Server version 1.2.1 (size=4096)\n" +
        "Prot LocalAddress:Port Scheduler Flags\n" +
        "  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n" +
        "FWM  258 rr\n" +
        "  -> 10.0.0.6:0                   Masq    1      0          0         \n" +
        "  -> 10.0.0.7:0                   Masq    1      0          0         \n",
    );
    expect(run(namespace, "-L -n --stats")).toBe(
      "IP Virtual Server version 1.2.1 (size=4096)\n" +
        "Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes\n" +
        "  -> RemoteAddress:Port\n" +
        "FWM  258                                 0        0        0        0        0\n" +
        "  -> 10.0.0.6:0                          0        0        0        0        0\n" +
        "  -> 10.0.0.7:0                          0        0        0        0        0\n",
    );
    expect(run(namespace, "-Lcn")).toBe(
      "IPVS connection entries\npro expire state       source             virtual            destination\n",
    );
    expect(run(namespace, "")).toBe(run(namespace, "-L"));
    expect(run(namespace, "-ln --nosort").split("\n")[4]).toContain("10.0.0.6"); // the last one added is in front
  });

  it("has a column for every wish", () => {
    const namespace = makeNamespace();
    run(namespace, "-A -t 10.0.0.1:80 -p 60 -M 255.255.255.0");
    run(namespace, "-a -t 10.0.0.1:80 -r 10.0.0.2:8080 -g -w 5 -x 100 -y 50");
    run(namespace, "-A -u 10.0.0.1:53 -s wrr -o");
    expect(run(namespace, "-Ln")).toContain(
      "TCP  10.0.0.1:80 wlc persistent 60 mask 255.255.255.0\n" +
        "  -> 10.0.0.2:80                  Route   5      0          0         \n" +
        "UDP  10.0.0.1:53 wrr ops\n",
    );
    expect(run(namespace, "-L")).toContain("TCP  10.0.0.1:http wlc");
    expect(run(namespace, "-Ln --thresholds")).toBe(
      "IP Virtual Server version 1.2.1 (size=4096)\n" +
        "Prot LocalAddress:Port            Uthreshold Lthreshold ActiveConn InActConn \n" +
        "  -> RemoteAddress:Port\n" +
        "TCP  10.0.0.1:80 wlc persistent 60 mask 255.255.255.0\n" +
        "  -> 10.0.0.2:80                  100        50         0          0         \n" +
        "UDP  10.0.0.1:53 wrr ops\n",
    );
    expect(run(namespace, "-Ln --persistent-conn")).toContain(
      "Prot LocalAddress:Port            Weight    PersistConn ActiveConn InActConn \n  -> RemoteAddress:Port\n",
    );
    expect(run(namespace, "-Ln --rate")).toContain(
      "Prot LocalAddress:Port                 CPS    InPPS   OutPPS    InBPS   OutBPS\n",
    );
    expect(run(namespace, "-Ln -t 10.0.0.1:80")).not.toContain("version");
  });

  it("saves what restores the same", () => {
    const namespace = ingress();
    run(namespace, "-A -t 10.0.0.1:80 -s wrr -p");
    run(namespace, "-a -t 10.0.0.1:80 -r 10.0.0.2 -i -w 7");
    const saved = run(namespace, "-Sn");
    expect(saved).toBe(
      "-A -t 10.0.0.1:80 -s wrr -p 360\n" +
        "-a -t 10.0.0.1:80 -r 10.0.0.2:80 -i -w 7\n" +
        "-A -f 258 -s rr\n" +
        "-a -f 258 -r 10.0.0.6:0 -m -w 1\n" +
        "-a -f 258 -r 10.0.0.7:0 -m -w 1\n",
    );
    const other = makeNamespace();
    expect(run(other, "-R", saved)).toBe("");
    expect(run(other, "-Sn")).toBe(saved);
    expect(run(other, "-R", "-D -f 258\n-D -f 9\n-A -f 10\n")).toBe("");
    expect(run(other, "-R", "-D -f 10\n-D -f 9\n")).toBe("255: No such service\n");
    expect(run(other, "-R", "-A -f 11\n-R\n-A -f 12\n")).toBe(
      "255: Try `ipvsadm -h' or 'ipvsadm --help' for more information.\n",
    );
    expect(run(other, "-Sn")).toContain("-A -f 11 -s wlc\n");
    expect(run(other, "-C")).toBe("");
    expect(run(other, "-S")).toBe("");
  });

  it("changes, empties and deletes what there is", () => {
    const namespace = ingress();
    expect(run(namespace, "-e -f 258 -r 10.0.0.6 -m -w 0")).toBe("");
    expect(run(namespace, "-E -f 258 -s wrr")).toBe("");
    expect(run(namespace, "-Ln")).toContain("FWM  258 wrr\n  -> 10.0.0.6:0                   Masq    0 ");
    expect(run(namespace, "-d -f 258 -r 10.0.0.6")).toBe("");
    expect(run(namespace, "-Z")).toBe("");
    expect(run(namespace, "-Z -f 258")).toBe("");
    expect(run(namespace, "-D -f 258")).toBe("");
    expect(run(namespace, "-L --timeout")).toBe("Timeout (tcp tcpfin udp): 900 120 300\n");
    expect(run(namespace, "--set 10 0 30")).toBe("");
    expect(run(namespace, "-L --timeout")).toBe("Timeout (tcp tcpfin udp): 10 120 30\n");
    expect(run(namespace, "-v")).toBe("ipvsadm v1.31 2019/12/24 (compiled with popt and IPVS v1.2.1)\n");
  });

  // Each as ipvsadm 1.31 answers; the tables stay as they were.
  const TRY = "Try `ipvsadm -h' or 'ipvsadm --help' for more information.\n";
  it.each([
    ["-A", "2: You need to supply the 'service-address' option for the 'add-service' command\n"],
    ["-A -t", "255: -t: missing argument\n"],
    ["-A -t bla", "2: illegal virtual server address[:port] specified\n"],
    ["-A -t 1.2.3.4", "2: Zero port specified for non-persistent service\n"],
    ["-A -t 1.2.3.4:80 -r 1.1.1.1", "2: Illegal 'real-server' option with the 'add-service' command\n"],
    ["-A -f 0", "2: invalid fwmark value `0' specified\n"],
    ["-A -f x", "2: invalid fwmark value `x' specified\n"],
    ["-A -f 5 -f 6", "2: multiple 'service-address' options specified\n"],
    ["-A -A", "2: invalid option `-A'\n"],
    ["-t 1.2.3.4:80", `255: ${TRY}`],
    ["--foo", `255: ${TRY}`],
    ["-A --foo", "255: --foo: unknown option\n"],
    ["-A -f 5 -x 3", "2: Illegal 'u-threshold' option with the 'add-service' command\n"],
    ["-a -f 5", "2: You need to supply the 'real-server' option for the 'add-server' command\n"],
    ["-a -f 258 -r 1.2.3.4 -w -1", "2: illegal weight specified\n"],
    ["-a -f 258 -r 1.2.3.4 -w 3000000000", "2: illegal weight specified\n"],
    ["-a -f 258 -r bla", "2: illegal real server address[:port] specified\n"],
    ["-a -f 258 -r 1.2.3.4 -m -g", "2: multiple 'forwarding-method' options specified\n"],
    ["-L -c --stats", "2: options conflicts in the list command\n"],
    [
      "-L -c -t 1.2.3.4:80",
      "2: The option 'service-address' conflicts with the 'connection' option in the 'list' command\n",
    ],
    [
      "-L -n -f 4 --timeout",
      "2: The option 'timeout' conflicts with the 'service-address' option in the 'list' command\n",
    ],
    ["--set 1 2", "2: --set option requires 3 timeout values\n"],
    ["--set 1 2 x", "2: invalid timeout value `x' specified\n"],
    ["-C foo", "2: unexpected argument foo\n"],
    ["-C -n", "2: Illegal 'numeric' option with the 'flush' command\n"],
    ["-A -f 5 -p 0", "2: invalid timeout value `0' specified\n"],
    ["-A -f 5 -M x", "2: illegal virtual server persistent mask specified\n"],
    ["-A -t 1.2.3.4:80 -o", "2: One-Packet Scheduling is only for UDP virtual services\n"],
    ["-S -c", "2: Illegal 'connection' option with the 'save' command\n"],
    ["-A -t 1.2.3.4:bla", "2: illegal virtual server address[:port] specified\n"],
    ["-A -t 1.2.3.4:99999", "2: illegal virtual server address[:port] specified\n"],
    ["-L foo", "2: unexpected argument foo\n"],
    ["-R --numeric", "2: Illegal 'numeric' option with the 'restore' command\n"],
    ["-A -f 258", "255: Service already exists\n"],
    ["-A -f 5 -s bogus", "255: Scheduler or persistence engine not found\n"],
    ["-A -t 224.0.0.1:80", "255: Invalid operation.  Possibly wrong module version, address not unicast, ...\n"],
    ["-E -f 5", "255: No such service\n"],
    ["-D -f 5", "255: No such service\n"],
    ["-Z -f 5", "255: No such service\n"],
    ["-L -f 5", "1: No such service\n"],
    ["-a -f 5 -r 1.2.3.4", "255: Service not defined\n"],
    ["-d -f 5 -r 1.2.3.4", "255: Service not defined\n"],
    ["-a -f 258 -r 10.0.0.6", "255: Destination already exists\n"],
    ["-e -f 258 -r 1.2.3.4", "255: No such destination\n"],
    ["-d -f 258 -r 1.2.3.4", "255: No such destination\n"],
  ])("refuses `%s`", (line, answer) => {
    const namespace = ingress();
    const before = run(namespace, "-Ln");
    expect(run(namespace, line)).toBe(answer);
    expect(run(namespace, "-Ln")).toBe(before);
  });
});
