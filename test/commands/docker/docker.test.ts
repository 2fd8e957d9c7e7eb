import { describe, expect, it } from "vitest";
import { EngineLab } from "./engine-lab.ts";

const cells = (text: string) =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => line.split(/ {3,}/));

/** `web` serves on back, `c1` is its neighbour there. */
function lab(release?: "current" | "20.10"): EngineLab {
  const made = new EngineLab(release);
  made.run("docker network create --label tier=back back");
  made.run("docker run -d --name web --network back -p 8080:80 nginx serve http");
  made.run("docker run -d --name c1 --network back --network-alias cc -e COLOUR=blue alpine");
  return made;
}

describe("docker run and ps", () => {
  it("start containers and list them, the newest first", () => {
    const { stdout } = lab().run("sleep 120; docker ps", 200);
    expect(cells(stdout)).toEqual([
      ["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"],
      [expect.stringMatching(/^[0-9a-f]{12}$/), "alpine", '"alpine"', "2 minutes ago", "Up 2 minutes", "c1"],
      [
        expect.stringMatching(/^[0-9a-f]{12}$/),
        "nginx",
        '"serve http"',
        "2 minutes ago",
        "Up 2 minutes",
        "0.0.0.0:8080->80/tcp",
        "web",
      ],
    ]);
  });

  it("show what a container in the foreground says, and end with its status", () => {
    const made = new EngineLab();
    expect(made.run("docker run --rm alpine echo hello")).toEqual({ status: 0, stdout: "hello\n", stderr: "" });
    expect(made.run("docker run --rm alpine sh -c 'exit 7'").status).toBe(7);
    expect(made.run("docker ps -aq").stdout).toBe("");
  });

  it("pass refusals of the engine on, with 125", () => {
    const made = lab();
    const taken = made.run("docker run -d --name web alpine");
    expect(taken.status).toBe(125);
    expect(taken.stderr).toMatch(
      /^docker: Error response from daemon: Conflict\. The container name "\/web" is already in use by container "[0-9a-f]{64}"\. .*\n\nRun 'docker run --help' for more information\n$/,
    );
    const port = made.run("docker run -d --name other -p 8080:80 alpine");
    expect(port.stdout).toMatch(/^[0-9a-f]{64}\n$/);
    expect(port.stderr).toContain("Bind for 0.0.0.0:8080 failed: port is already allocated");
    expect(made.run("docker run -d --network nope alpine").stderr).toContain("network nope not found");
    expect(made.run("docker run -d --ip 1.2.3.4 alpine").stderr).toContain(
      "user specified IP address is supported on user defined networks only",
    );
  });

  it("give addresses and MAC addresses as asked for", () => {
    const made = new EngineLab();
    made.run("docker network create --subnet 10.9.0.0/24 --gateway 10.9.0.254 --ip-range 10.9.0.128/25 app");
    made.run("docker run -d --name fixed --network name=app,ip=10.9.0.7,alias=seven alpine");
    made.run("docker run -d --name mac --network app --mac-address 02:42:0a:09:00:99 alpine");
    const format = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{.MacAddress}} {{.Gateway}}{{end}}";
    expect(made.run(`docker inspect -f '${format}' fixed mac`).stdout).toMatch(
      /^10\.9\.0\.7 \S+ 10\.9\.0\.254\n10\.9\.0\.128 02:42:0a:09:00:99 10\.9\.0\.254\n$/,
    );
    expect(made.run("docker exec mac getent hosts seven").stdout).toBe("10.9.0.7        seven\n");
  });

  it("filter and format", () => {
    const made = lab();
    expect(made.run("docker ps --format '{{.Names}} {{.Ports}}' -f name=web").stdout).toBe(
      "web 0.0.0.0:8080->80/tcp\n",
    );
    expect(made.run("docker ps -q --no-trunc -f status=exited").stdout).toBe("");
    expect(made.run("docker ps --format 'table {{.Names}}\\t{{.Image}}'").stdout).toBe(
      "NAMES     IMAGE\nc1        alpine\nweb       nginx\n",
    );
    expect(made.run("docker ps --format '{{.Foo}}'")).toMatchObject({
      status: 1,
      stderr:
        'template parsing error: template: :1:2: executing "" at <.Foo>: can\'t evaluate field Foo in type *formatter.ContainerContext\n',
    });
    expect(made.run("docker ps -f foo=bar").stderr).toBe("Error response from daemon: invalid filter 'foo'\n");
    expect(JSON.parse(made.run("docker ps -lq --format json").stdout.replace(/^[0-9a-f]{12}\n$/, "{}"))).toEqual({});
  });
});

describe("names between containers", () => {
  it("are answered by the embedded resolver: container, alias, identifier, and back", () => {
    const made = lab();
    const id = made.run("docker ps -q -f name=web").stdout.trim();
    for (const name of ["web", "web.back", id, "WEB"])
      expect(made.run(`docker exec c1 dig +short ${name}`).stdout).toBe("172.18.0.2\n");
    expect(made.run("docker exec web dig +short cc").stdout).toBe("172.18.0.3\n");
    expect(made.run("docker exec c1 dig +short -x 172.18.0.2").stdout).toBe("web.back.\n");
    expect(made.run("docker exec c1 cat /etc/resolv.conf").stdout).toBe("nameserver 127.0.0.11\noptions ndots:0\n");
    expect(made.run("docker exec c1 dig nosuch").stdout).toContain("status: SERVFAIL");
  });

  it("come and go with networks", () => {
    const made = lab();
    made.run("docker network create front; docker run -d --name alone alpine");
    expect(made.run("docker exec alone getent hosts web").status).toBe(2);
    expect(made.run("docker exec alone cat /etc/resolv.conf").stdout).not.toContain("127.0.0.11");
    expect(made.run("docker network connect --alias solo back alone").status).toBe(0);
    expect(made.run("docker exec alone getent hosts web").stdout).toBe("172.18.0.2      web\n");
    expect(made.run("docker exec web getent hosts solo").stdout).toBe("172.18.0.4      solo\n");
    expect(made.run("docker network disconnect back alone").status).toBe(0);
    expect(made.run("docker exec web getent hosts solo").status).toBe(2);
    expect(made.run("docker network disconnect back alone").stderr).toMatch(
      /^Error response from daemon: container [0-9a-f]{64} is not connected to network back\n$/,
    );
  });
});

describe("the life of a container", () => {
  it("is told by stop, start, restart, kill and rm", () => {
    const made = lab();
    expect(made.run("docker stop -t 1 c1")).toEqual({ status: 0, stdout: "c1\n", stderr: "" });
    expect(cells(made.run("docker ps -a -f name=c1 --format '{{.Status}}'").stdout)[0]![0]).toMatch(/^Exited \(\d+\) /);
    expect(made.run("docker start c1").stdout).toBe("c1\n");
    expect(made.run("docker restart -t 0 c1").stdout).toBe("c1\n");
    expect(made.run("docker rm c1")).toMatchObject({
      status: 1,
      stderr:
        'Error response from daemon: cannot remove container "c1": container is running: stop the container before removing or force remove\n',
    });
    expect(made.run("docker kill c1").stdout).toBe("c1\n");
    expect(made.run("docker wait c1").stdout).toBe("137\n");
    expect(made.run("docker rm c1 nosuch")).toEqual({
      status: 1,
      stdout: "c1\n",
      stderr: "Error response from daemon: No such container: nosuch\n",
    });
    expect(made.run("docker rm -f nosuch")).toMatchObject({ status: 0, stdout: "" });
    expect(made.run("docker exec nosuch true").stderr).toBe("Error response from daemon: No such container: nosuch\n");
  });

  it("leaves its text in the log", () => {
    const made = new EngineLab();
    made.run("docker run -d --name talk alpine sh -c 'echo one; echo two >&2; sleep 5; echo three'");
    expect(made.run("docker logs talk")).toEqual({ status: 0, stdout: "one\n", stderr: "two\n" });
    expect(made.run("docker logs -f -n 1 talk")).toEqual({ status: 0, stdout: "three\n", stderr: "two\n" });
    expect(made.run("docker logs -t --tail 1 talk").stdout).toMatch(/^2026-01-01T00:00:\d\d\.\d{9}Z three\n$/);
    expect(made.run("docker logs --since 1m talk 2>&1").stdout.split("\n").length).toBe(4);
  });

  it("runs commands with variables of their own, and health checks", () => {
    const made = lab();
    expect(made.run("docker exec -e A=\"it's\" c1 sh -c 'echo $A $COLOUR'").stdout).toBe("it's blue\n");
    expect(made.run("docker exec c1 sh -c 'exit 3'").status).toBe(3);
    made.run("docker run -d --name checked --health-cmd true --health-interval 1s alpine");
    expect(made.run("sleep 3; docker ps -f name=checked --format '{{.Status}}'").stdout).toContain("(healthy)");
  });
});

describe("docker port, network and volume", () => {
  it("show where ports lead", () => {
    const made = lab();
    expect(made.run("docker port web").stdout).toBe("80/tcp -> 0.0.0.0:8080\n");
    expect(made.run("docker port web 80").stdout).toBe("0.0.0.0:8080\n");
    expect(made.run("docker port web 81/udp")).toMatchObject({
      status: 1,
      stderr: "Error: No public port '81/udp' published for web\n",
    });
    expect(made.run("curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:8080/").stdout).toBe("200");
  });

  it("list, show and remove networks", () => {
    const made = lab();
    expect(cells(made.run("docker network ls").stdout).map((row) => row.slice(1))).toEqual([
      ["NAME", "DRIVER", "SCOPE"],
      ["back", "bridge", "local"],
      ["bridge", "bridge", "local"],
      ["host", "host", "local"],
      ["none", "null", "local"],
    ]);
    const [back] = JSON.parse(made.run("docker network inspect back").stdout);
    expect(back).toMatchObject({
      Name: "back",
      Driver: "bridge",
      Scope: "local",
      IPAM: { Driver: "default", Config: [{ Subnet: "172.18.0.0/16", Gateway: "172.18.0.1" }] },
      Labels: { tier: "back" },
    });
    expect(
      Object.values(back.Containers)
        .map((each) => (each as { Name: string }).Name)
        .sort(),
    ).toEqual(["c1", "web"]);
    expect(made.run("docker network rm back").stderr).toContain("has active endpoints");
    expect(made.run("docker network rm bridge").stderr).toBe(
      "Error response from daemon: bridge is a pre-defined network and cannot be removed\n",
    );
    expect(made.run("docker network create back").stderr).toBe(
      "Error response from daemon: network with name back already exists\n",
    );
    expect(made.run("docker network create idle; docker network prune -f").stdout).toMatch(
      /^[0-9a-f]{64}\nDeleted Networks:\nidle\n\n$/,
    );
    expect(made.run("docker network inspect nosuch")).toEqual({
      status: 1,
      stdout: "[]\n",
      stderr: "Error response from daemon: network nosuch not found\n",
    });
  });

  it("keep volumes while somebody has them", () => {
    const made = new EngineLab();
    expect(made.run("docker volume create data").stdout).toBe("data\n");
    made.run("docker run -d --name user -v data:/data alpine");
    expect(made.run("docker volume ls").stdout).toBe("DRIVER    VOLUME NAME\nlocal     data\n");
    expect(made.run("docker volume rm data").stderr).toMatch(
      /^Error response from daemon: remove data: volume is in use - \[[0-9a-f]{64}\]\n$/,
    );
    made.run("docker rm -f user");
    expect(made.run("docker volume rm data").stdout).toBe("data\n");
    expect(made.run("docker volume inspect data").stderr).toBe(
      "Error response from daemon: get data: no such volume\n",
    );
  });
});

describe("docker without an engine", () => {
  it("says that it cannot reach one", () => {
    const made = lab();
    made.engine.shutdown();
    expect(made.run("docker ps")).toEqual({
      status: 1,
      stdout: "",
      stderr: "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?\n",
    });
    made.host.engine = undefined;
    expect(made.run("docker run alpine").status).toBe(125);
  });
});
