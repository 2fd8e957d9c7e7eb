import { describe, expect, it } from "vitest";
import { type Machines, twoMachines } from "./machines.ts";

function withServer(): Machines {
  const machines = twoMachines();
  machines.start("b", "serve http");
  return machines;
}

/** A server that answers the first request with `text` and closes. */
function answering(text: string, options = "-N"): Machines {
  const machines = twoMachines();
  machines.start("b", `nc -l ${options} 80 <<< '${text}'`);
  return machines;
}

describe("The words curl and serve http", () => {
  it("tell who answered whom, and what was asked", () => {
    const { stdout, stderr, status } = withServer().run("a", "curl 10.0.0.2");
    expect(stdout).toMatch(
      /^Hostname: b\nIP: 127\.0\.0\.1\nIP: 10\.0\.0\.2\nRemoteAddr: 10\.0\.0\.1:\d+\nGET \/ HTTP\/1\.1\nHost: 10\.0\.0\.2\nUser-Agent: curl\/7\.88\.1\nAccept: \*\/\*\n\n$/,
    );
    expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
  });

  it("talk about it with -v", () => {
    const machines = withServer();
    machines.pass(3);
    const { stderr } = machines.run("a", "curl -v -o /dev/null 10.0.0.2/x?y");
    expect(stderr).toMatch(
      new RegExp(
        [
          "^\\*   Trying 10.0.0.2:80\\.\\.\\.",
          "\\* Connected to 10.0.0.2 \\(10.0.0.2\\) port 80 \\(#0\\)",
          "> GET /x\\?y HTTP/1.1",
          "> Host: 10.0.0.2",
          "> User-Agent: curl/7.88.1",
          "> Accept: \\*/\\*",
          "> ",
          "< HTTP/1.1 200 OK",
          "< Date: Thu, 01 Jan 2026 00:00:0\\d GMT",
          "< Content-Length: 1\\d\\d",
          "< Content-Type: text/plain; charset=utf-8",
          "< ",
          "\\* Connection #0 to host 10.0.0.2 left intact\n$",
        ].join("\n"),
      ),
    );
  });

  it.each([
    ["-s -o /dev/null -w '%{http_code} %{remote_ip} %{exitcode}\\n' 10.0.0.2", "200 10.0.0.2 0\n"],
    ["-s -o /dev/null -w '%{http_code}\\n' 10.0.0.2/status/503", "503\n"],
    ["-s -o /dev/null -w '%{size_download}' '10.0.0.2/data?size=100000'", "100000"],
    ["-s -w '%{http_code}\\n' 10.0.0.2:82", "000\n"],
  ])("write out: curl %s", (line, stdout) => {
    expect(withServer().run("a", `curl ${line}`).stdout).toBe(stdout);
  });

  it("take methods, data and headers", () => {
    const machines = withServer();
    const { stdout } = machines.run(
      "a",
      "curl -s -X PUT -d a=1 -d b=2 -H 'Foo: bar' -H 'Accept:' -H 'Host: example.org' -A me 10.0.0.2",
    );
    expect(stdout.split("\n").slice(4)).toEqual([
      "PUT / HTTP/1.1",
      "Host: example.org",
      "User-Agent: me",
      "Foo: bar",
      "Content-Length: 7",
      "Content-Type: application/x-www-form-urlencoded",
      "",
      "",
    ]);
    expect(machines.run("a", "curl -s -G -d q=1 10.0.0.2/find").stdout).toContain("GET /find?q=1 HTTP/1.1\n");
    expect(machines.run("a", "curl -sI 10.0.0.2").stdout).toMatch(/^HTTP\/1\.1 200 OK\r\nDate: [^\n]+\r\n.*\r\n\r\n$/s);
    expect(machines.run("a", "curl -si 10.0.0.2").stdout).toMatch(/^HTTP\/1\.1 200 OK\r\n.*\r\n\r\nHostname: b\n/s);
  });

  it.each([
    // Recorded from curl 7.88.1.
    [
      "10.0.0.2:82",
      7,
      /^curl: \(7\) Failed to connect to 10\.0\.0\.2 port 82 after \d+ ms: Couldn't connect to server\n$/,
    ],
    ["1.1.1.1", 7, /^curl: \(7\) Failed to connect to 1\.1\.1\.1 port 80 after 0 ms: Couldn't connect to server\n$/],
    ["-m 1 10.0.0.77", 28, /^curl: \(28\) Connection timed out after 1000 milliseconds\n$/],
    [
      "--connect-timeout 1 10.0.0.77",
      28,
      /^curl: \(28\) Failed to connect to 10\.0\.0\.77 port 80 after 1000 ms: Timeout was reached\n$/,
    ],
    ["http://nosuch/", 6, /^curl: \(6\) Could not resolve host: nosuch\n$/],
    ["foo://x", 1, /^curl: \(1\) Protocol "foo" not supported or disabled in libcurl\n$/],
    ["http://", 3, /^curl: \(3\) URL using bad\/illegal format or missing URL\n$/],
    ["10.0.0.2:99999", 3, /^curl: \(3\) URL using bad\/illegal format or missing URL\n$/],
    ["-f 10.0.0.2/status/404", 22, /^curl: \(22\) The requested URL returned error: 404\n$/],
    ["-sf 10.0.0.2/status/404", 22, /^$/],
    ["-sS 10.0.0.2:82", 7, /^curl: \(7\)/],
    ["", 2, /^curl: try 'curl --help' or 'curl --manual' for more information\n$/],
    ["--nope", 2, /^curl: option --nope: is unknown\ncurl: try 'curl --help'/],
    ["-X", 2, /^curl: option -X: requires parameter\ncurl: try/],
    ["-m x 10.0.0.2", 2, /^curl: option -m: expected a proper numerical parameter\ncurl: try/],
  ])("fail: curl %s", (line, status, stderr) => {
    const result = withServer().run("a", `curl ${line}`);
    expect(result.status).toBe(status);
    expect(result.stderr).toMatch(stderr);
    expect(result.stdout).toBe("");
  });

  it("tell what is wrong with an answer", () => {
    expect(answering("garbage").run("a", "curl 10.0.0.2")).toMatchObject({
      status: 1,
      stderr: "curl: (1) Received HTTP/0.9 when not allowed\n",
    });
    expect(answering("HTTP/1.1 200 OK\nContent-Length: 100\n\nabc").run("a", "curl 10.0.0.2")).toMatchObject({
      status: 18,
      stdout: "abc\n",
      stderr: "curl: (18) transfer closed with 96 bytes remaining to read\n",
    });
    expect(answering("HTTP/1.1 200 OK\n\nuntil the end").run("a", "curl 10.0.0.2").stdout).toBe("until the end\n");
    const chunked = "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n3\nabc\n2;x=y\nde\n0\n";
    expect(answering(chunked).run("a", "curl 10.0.0.2")).toMatchObject({ status: 0, stdout: "abcde" });
    expect(answering("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\nxyz\n").run("a", "curl 10.0.0.2").status).toBe(56);
    const silent = twoMachines();
    silent.start("b", "nc -lk 80");
    expect(silent.run("a", "curl -m 2 10.0.0.2")).toMatchObject({
      status: 28,
      stderr: "curl: (28) Operation timed out after 2000 milliseconds with 0 bytes received\n",
    });
    const empty = twoMachines();
    empty.start("b", "nc -l -q 0 80");
    expect(empty.run("a", "curl 10.0.0.2")).toMatchObject({ stderr: expect.stringMatching(/^curl: \((52|56)\)/) });
  });

  it("end at a signal", () => {
    const machines = withServer();
    const running = machines.start("a", "curl 10.0.0.77");
    machines.pass(1);
    running.process.kill("SIGINT");
    machines.pass(1);
    expect(running.status).toBe(130);
  });
});

describe("The word serve", () => {
  it("keeps a connection for several requests, and ends it when asked to", () => {
    const machines = withServer();
    const requests = "GET /status/201 HTTP/1.1\nHost: b\n\nGET /status/404 HTTP/1.1\nHost: b\nConnection: close\n";
    const { stdout } = machines.run("a", `nc 10.0.0.2 80 <<< '${requests}'`, 5);
    expect(stdout.match(/^HTTP\/1\.1 .*$/gm)!.map((line) => line.trim())).toEqual([
      "HTTP/1.1 201 Created",
      "HTTP/1.1 404 Not Found",
    ]);
  });

  it.each([
    ["nonsense\n", "HTTP/1.1 400 Bad Request"],
    ["POST / HTTP/1.1\nTransfer-Encoding: chunked\n", "HTTP/1.1 411 Length Required"],
  ])("refuses what it cannot read", (request, answer) => {
    const { stdout } = withServer().run("a", `nc 10.0.0.2 80 <<< '${request}'`, 5);
    expect(stdout.split("\r\n")[0]).toBe(answer);
  });

  it("sends back what comes, over TCP and UDP", () => {
    const machines = twoMachines();
    machines.start("b", "serve echo");
    expect(machines.run("a", "echo hi | nc -N 10.0.0.2 7").stdout).toBe("hi\n");
    expect(machines.run("a", "echo hi | nc -u -w 1 10.0.0.2 7").stdout).toBe("hi\n");
  });

  it("gives its port back when it ends", () => {
    const machines = twoMachines();
    const server = machines.start("b", "serve echo 9000");
    machines.pass(1);
    expect(machines.run("b", "serve echo 9000")).toMatchObject({
      status: 1,
      stderr: "serve: cannot listen on port 9000: Address already in use\n",
    });
    server.process.kill("SIGTERM");
    machines.pass(1);
    expect(machines.run("a", "nc -z 10.0.0.2 9000").status).toBe(1);
    expect(machines.start("b", "serve echo 9000").stderr).toBe("");
  });

  it.each([
    ["", "usage: serve http [PORT]\n       serve echo [PORT]\n       serve dns [PORT] RECORD...\n"],
    ["ftp", "usage: serve http [PORT]\n       serve echo [PORT]\n       serve dns [PORT] RECORD...\n"],
    ["http 70000", "serve: 70000 is no port: 1 to 65535 was expected\n"],
  ])("refuses: serve %s", (line, stderr) => {
    expect(twoMachines().run("a", `serve ${line}`)).toMatchObject({ status: 2, stderr });
  });
});
