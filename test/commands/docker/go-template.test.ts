import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Template, TemplateError } from "../../../src/commands/docker/go-template.ts";
import { goJson, type Shown } from "../../../src/commands/docker/go-text.ts";
import { humanDuration } from "../../../src/commands/docker/human-time.ts";
import { naturalOrder } from "../../../src/commands/docker/natural-order.ts";
import { ellipsis, table } from "../../../src/commands/docker/table.ts";
import { SECOND } from "../../../src/sim/time.ts";

/** What `docker context inspect` gave the client that said what stands below. */
const CONTEXT: Shown = {
  Name: "default",
  Metadata: {},
  Endpoints: new Map([["docker", { Host: "unix:///var/run/docker.sock", SkipTLSVerify: false }]]),
};

function run(template: string): string {
  try {
    return new Template(template, (field) => `can't evaluate field ${field} in type context`).run(CONTEXT);
  } catch (error) {
    if (error instanceof TemplateError) return `${error.stage}: ${error.message}`;
    throw error;
  }
}

describe("a Go template", () => {
  it.each([
    ["{{.Name}}", "default"],
    ["{{.Endpoints.docker.Host}}", "unix:///var/run/docker.sock"],
    ["{{.Endpoints.nope}}", "<no value>"],
    ["{{range $k,$v := .Endpoints}}{{$k}}={{$v.Host}}{{end}}", "docker=unix:///var/run/docker.sock"],
    ["{{if .Name}}yes{{else}}no{{end}}", "yes"],
    ["{{if false}}a{{else if .Name}}b{{else}}c{{end}}", "b"],
    ["{{upper .Name}} {{title .Name}} {{len .Name}}", "DEFAULT Default 7"],
    ['{{printf "%s|%10s|%-10s|%q" .Name .Name .Name .Name}}', 'default|   default|default   |"default"'],
    ["{{with .Metadata}}x{{else}}y{{end}}", "x"],
    ["{{.Endpoints}}", "map[docker:{unix:///var/run/docker.sock false}]"],
    ["{{.Name | upper | json}}", '"DEFAULT"'],
    ['{{index .Endpoints "docker"}}', "{unix:///var/run/docker.sock false}"],
    ['{{join (split .Name "a") "-"}}', "def-ult"],
    ['{{eq .Name "default"}} {{and .Name ""}} {{not .Name}}', "true  false"],
    ["{{- .Name -}} x", "defaultx"],
    ["{{truncate .Name 3}}{{pad .Name 1 2}}|", "def default  |"],
    ["{{$x := .Name}}{{$x}}", "default"],
    ["{{/* c */}}a", "a"],
    ["{{slice .Name 1 3}}", "ef"],
    ["{{.Name", "parsing: template parsing error: template: :1: unclosed action"],
    ["{{foo .Name}}", 'parsing: template parsing error: template: :1: function "foo" not defined'],
    ["{{end}}", "parsing: template parsing error: template: :1: unexpected {{end}}"],
    ["{{if}}", "parsing: template parsing error: template: :1: missing value for if"],
    [
      "{{.Name.Foo}}",
      'executing: template parsing error: template: :1:7: executing "" at <.Name.Foo>: can\'t evaluate field Foo in type string',
    ],
    [
      "{{.Foo}}",
      'executing: template parsing error: template: :1:2: executing "" at <.Foo>: can\'t evaluate field Foo in type context',
    ],
    [
      "{{range .Name}}a{{end}}",
      'executing: template parsing error: template: :1:8: executing "" at <.Name>: range can\'t iterate over default',
    ],
  ])("gives what the docker client gave for %s", (template, expected) => {
    expect(run(template)).toBe(expected);
  });

  it("is refused or followed, whatever it is", () => {
    const part = fc.constantFrom(
      "{{",
      "}}",
      ".Name",
      "range ",
      "if ",
      "end",
      "$x",
      ":=",
      "|",
      "(",
      ")",
      '"',
      "json ",
      "a",
      " ",
      "-",
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 20 }), (parts) => {
        expect(typeof run(parts.join(""))).toBe("string");
      }),
    );
  });
});

describe("what the client prints", () => {
  it("is JSON with the fields in their order, and maps sorted", () => {
    const value = {
      b: [1, "<x>"],
      a: new Map<string, Shown>([
        ["z", null],
        ["y", {}],
      ]),
      c: [],
    };
    expect(goJson(value)).toBe('{"b":[1,"<x>"],"a":{"y":{},"z":null},"c":[]}');
    expect(goJson({ a: [1] }, 4)).toBe('{\n    "a": [\n        1\n    ]\n}');
  });

  it("is a table with columns of at least ten, three spaces between, and no padding at the end", () => {
    expect(
      table([
        ["ID", "NAME"],
        ["0123456789ab", "web"],
      ]),
    ).toBe("ID             NAME\n0123456789ab   web\n");
    expect(
      table([
        ["A", "B", "C"],
        ["1", "2", ""],
      ]),
    ).toBe("A         B         C\n1         2         \n");
    expect(ellipsis("sleep 100000 and more", 20)).toBe("sleep 100000 and mo…");
    expect(ellipsis("short", 20)).toBe("short");
  });

  it("is a duration in words", () => {
    expect(
      [0.5, 1, 59, 60, 119, 120, 3_599, 3_600, 7_200, 86_400, 172_800, 1_209_600, 5_184_000, 63_072_000].map(
        (seconds) => humanDuration(seconds * SECOND),
      ),
    ).toEqual([
      "Less than a second",
      "1 second",
      "59 seconds",
      "About a minute",
      "About a minute",
      "2 minutes",
      "59 minutes",
      "About an hour",
      "2 hours",
      "24 hours",
      "2 days",
      "2 weeks",
      "2 months",
      "2 years",
    ]);
  });

  it("is in natural order", () => {
    expect(["web.10", "web.2", "a", "web.02", "web"].sort(naturalOrder)).toEqual([
      "a",
      "web",
      "web.2",
      "web.02",
      "web.10",
    ]);
  });
});
