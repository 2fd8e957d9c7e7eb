import { describe, expect, it } from "vitest";
import { twoMachines } from "./machines.ts";

describe("The word nc", () => {
  it("carries text to a listener, and the listener's back", () => {
    const machines = twoMachines();
    const listener = machines.start("b", "echo answer | nc -lv 8080");
    const client = machines.run("a", "echo hello | nc -vN 10.0.0.2 8080", 5);
    expect(client.stdout).toBe("answer\n");
    expect(client.stderr).toBe("Connection to 10.0.0.2 8080 port [tcp/http-alt] succeeded!\n");
    expect(client.status).toBe(0);
    expect(listener.stdout).toBe("hello\n");
    expect(listener.stderr).toMatch(/^Listening on 0\.0\.0\.0 8080\nConnection received on 10\.0\.0\.1 \d+\n$/);
    expect(listener.status).toBe(0);
  });

  it("listens again with -k", () => {
    const machines = twoMachines();
    const listener = machines.start("b", "nc -lk 8080");
    machines.run("a", "nc -N 10.0.0.2 8080 <<< one; nc -N 10.0.0.2 8080 <<< two; nc -z 10.0.0.2 8080");
    expect(listener.stdout).toBe("one\ntwo\n");
    expect(listener.status).toBeUndefined();
    listener.process.kill("SIGINT");
    machines.pass(1);
    expect(listener.status).toBe(130);
    expect(machines.run("a", "nc -z 10.0.0.2 8080").status).toBe(1); // the port is closed with it
  });

  it("keeps the connection open without -N, until nothing has come for -w", () => {
    const machines = twoMachines();
    machines.start("b", "nc -l 8080");
    const client = machines.start("a", "echo x | nc 10.0.0.2 8080");
    machines.pass(30);
    expect(client.status).toBeUndefined();
    machines.start("b", "nc -l 8081");
    expect(machines.run("a", "echo x | nc -w 1 10.0.0.2 8081", 3).status).toBe(0);
    machines.start("b", "nc -l 8082");
    expect(machines.run("a", "echo x | nc -q 2 10.0.0.2 8082", 4).status).toBe(0);
  });

  it("sleeps for -i before each look at its input and the network", () => {
    const machines = twoMachines();
    machines.start("b", "serve echo 7");
    const client = machines.start("a", "echo x | nc -N -i 60 10.0.0.2 7");
    machines.pass(59);
    expect(client.stdout).toBe("");
    machines.pass(60); // sent after 60 s, and the answer is read with the next look
    expect(client.stdout).toBe("");
    machines.pass(62);
    expect(client).toMatchObject({ stdout: "x\n", status: 0 });
    expect(machines.run("a", "nc -i x 10.0.0.2 7").stderr).toBe("nc: interval invalid: x\n");
  });

  it("speaks UDP, and tests the port with X when it talks", () => {
    const machines = twoMachines();
    const listener = machines.start("b", "nc -luv 8080");
    const client = machines.run("a", "echo hello | nc -uv -w1 10.0.0.2 8080");
    expect(client.stderr).toBe("Connection to 10.0.0.2 8080 port [udp/*] succeeded!\n");
    expect(listener.stdout).toBe("XXXhello\n");
    expect(listener.stderr).toMatch(/^Listening on 0\.0\.0\.0 8080\nConnection received on 10\.0\.0\.1 \d+\n$/);
    expect(machines.run("a", "nc -zvu 10.0.0.2 9")).toMatchObject({ status: 1, stderr: "" });
  });

  it("carries more than any buffer holds", () => {
    const machines = twoMachines();
    const listener = machines.start("b", "nc -l 8080");
    const text = "0123456789".repeat(50_000);
    expect(machines.run("a", `nc -N 10.0.0.2 8080 <<< ${text}`).status).toBe(0);
    expect(listener.stdout).toBe(`${text}\n`);
  });

  it.each([
    // Recorded from netcat-openbsd 1.219-1.
    ["10.0.0.2 9", ""],
    ["-v 10.0.0.2 9", "nc: connect to 10.0.0.2 port 9 (tcp) failed: Connection refused\n"],
    ["-zv -w 1 10.0.0.77 9", "nc: connect to 10.0.0.77 port 9 (tcp) timed out: Operation now in progress\n"],
    ["-v 1.1.1.1 80", "nc: connect to 1.1.1.1 port 80 (tcp) failed: Network is unreachable\n"],
    [
      "-vz -w1 10.0.0.2 7-8",
      "nc: connect to 10.0.0.2 port 7 (tcp) failed: Connection refused\n" +
        "nc: connect to 10.0.0.2 port 8 (tcp) failed: Connection refused\n",
    ],
    ["-l", "nc: missing port number\n"],
    ["10.0.0.2", "nc: missing port number\n"],
    ["-z 10.0.0.2 99999", "nc: port number too large: 99999\n"],
    ["10.0.0.2 foo", "nc: port number invalid: foo\n"],
    ["-w x 1 2", "nc: timeout invalid: x\n"],
    ["-s 1.2.3.4 10.0.0.2 80", "nc: bind failed: Cannot assign requested address\n"],
    ["-l -z 80", "nc: cannot use -z and -l\n"],
    ["-lv 1.2.3.4 80", "nc: Cannot assign requested address\n"],
    ["-k 10.0.0.2 80", "nc: must use -l with -k\n"],
    ["nosuch 80", 'nc: getaddrinfo for host "nosuch" port 80: Name or service not known\n'],
  ])("fails with status 1: nc %s", (line, stderr) => {
    expect(twoMachines().run("a", `nc ${line}`)).toMatchObject({ status: 1, stderr, stdout: "" });
  });

  it("explains itself, and says which port is taken", () => {
    const machines = twoMachines();
    expect(machines.run("a", "nc").stderr).toMatch(/^usage: nc \[-46CDdFhklNnrStUuvZz\]/);
    expect(machines.run("a", "nc -Q 1 2").stderr).toMatch(/^nc: invalid option -- 'Q'\nusage: nc/);
    machines.start("a", "nc -l 8080");
    expect(machines.run("a", "nc -l 8080")).toMatchObject({ status: 1, stderr: "nc: Address already in use\n" });
  });
});
