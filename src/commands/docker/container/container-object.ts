/** A container as `docker inspect` shows it: what of moby's API object means something here. */
import type { Container } from "../../../docker/container/container.ts";
import type { Endpoint } from "../../../docker/endpoint.ts";
import type { Engine } from "../../../docker/engine.ts";
import { formatIpv4, formatMac } from "../../../wire/address.ts";
import { goTime, type Shown } from "../go-text.ts";
import { publishedPorts } from "./port-text.ts";
import { commandOf, networkNames } from "./ps.ts";

type Fields = { readonly [field: string]: Shown };

export function containerObject(engine: Engine, container: Container): Fields {
  const { spec } = container;
  const command = commandOf(container);
  return {
    Id: container.id,
    Created: goTime(container.createdNs),
    Path: command[0] ?? "",
    Args: command.slice(1),
    State: stateObject(container),
    Image: spec.image,
    Name: `/${container.name}`,
    RestartCount: container.restarts,
    Driver: "overlay2",
    Platform: "linux",
    HostConfig: hostConfig(engine, container),
    Mounts: (spec.mounts ?? []).map(({ type, source, target, readOnly }) => ({
      Type: type,
      ...(type === "volume" && { Name: source ?? "" }),
      Source: type === "volume" ? `/var/lib/docker/volumes/${source ?? ""}/_data` : (source ?? ""),
      Destination: target,
      Mode: readOnly ? "ro" : "",
      RW: !readOnly,
    })),
    Config: config(container),
    NetworkSettings: networkSettings(engine, container),
  };
}

function stateObject(container: Container): Fields {
  const { state, running, startedNs, finishedNs, health, healthMonitor } = container;
  const hasRun = startedNs > 0 || running;
  return {
    Status: state,
    Running: running,
    Paused: false,
    Restarting: state === "restarting",
    OOMKilled: false,
    Dead: state === "dead",
    Pid: container.process?.pid ?? 0,
    ExitCode: running ? 0 : container.exitStatus,
    Error: "",
    StartedAt: goTime(hasRun ? startedNs : undefined),
    FinishedAt: goTime(finishedNs > 0 ? finishedNs : undefined),
    ...(healthMonitor !== undefined && { Health: { Status: health } }),
  };
}

function hostConfig(engine: Engine, { spec, attachments }: Container): Fields {
  const first = attachments[0]?.network;
  const restart = spec.restart;
  return {
    Binds: (spec.mounts ?? [])
      .filter(({ type, source }) => type !== "tmpfs" && source !== undefined)
      .map(({ source, target, readOnly }) => `${source}:${target}${readOnly ? ":ro" : ""}`),
    NetworkMode: first === undefined ? (engine.release === "current" ? "bridge" : "default") : first,
    PortBindings: new Map(
      (spec.ports ?? []).map(({ containerPort, protocol, hostAddress, hostPort, hostPortEnd }) => {
        const last = hostPortEnd === undefined ? "" : `-${hostPortEnd}`;
        return [
          `${containerPort}/${protocol}`,
          [
            {
              HostIp: hostAddress === undefined ? "" : formatIpv4(hostAddress),
              HostPort: hostPort === undefined ? "" : `${hostPort}${last}`,
            },
          ],
        ];
      }),
    ),
    RestartPolicy: { Name: restart?.condition ?? "no", MaximumRetryCount: restart?.maximumRetries ?? 0 },
    AutoRemove: spec.removeAtExit ?? false,
    Dns: (spec.dns?.servers ?? []).map(formatIpv4),
    DnsOptions: spec.dns?.options ?? [],
    DnsSearch: spec.dns?.search ?? [],
    ExtraHosts: spec.extraHosts?.map(([name, address]) => `${name}:${formatIpv4(address)}`) ?? null,
  };
}

function config(container: Container): Fields {
  const { spec, hostname } = container;
  const exposed = [...(spec.exposedPorts ?? [])].map(({ port, protocol }) => `${port}/${protocol}`);
  for (const { containerPort, protocol } of spec.ports ?? []) exposed.push(`${containerPort}/${protocol}`);
  return {
    Hostname: hostname,
    Domainname: "",
    User: "",
    ...(exposed.length > 0 && { ExposedPorts: new Map(exposed.map((port) => [port, {}])) }),
    Tty: false,
    Env: [...(spec.environment ?? [])].map(([name, value]) => `${name}=${value}`),
    Cmd: spec.command.length > 0 ? spec.command : null,
    ...(spec.healthCheck !== undefined && { Healthcheck: { Test: ["CMD-SHELL", spec.healthCheck.command[2] ?? ""] } }),
    Image: spec.image,
    Labels: spec.labels ?? new Map(),
    ...(spec.stopSignal !== undefined && { StopSignal: spec.stopSignal }),
    ...(spec.stopGraceNs !== undefined && { StopTimeout: spec.stopGraceNs / 1e9 }),
  };
}

function networkSettings(engine: Engine, container: Container): Fields {
  const { endpoints, sandbox } = container;
  const ports = new Map<string, Shown[] | null>();
  for (const { port, protocol } of container.spec.exposedPorts ?? []) ports.set(`${port}/${protocol}`, null);
  for (const { containerPort, protocol, hostAddress, hostPort } of publishedPorts(container)) {
    const key = `${containerPort}/${protocol}`;
    const binding = { HostIp: formatIpv4(hostAddress), HostPort: String(hostPort) };
    ports.set(key, [...(ports.get(key) ?? []), binding]);
  }
  const networks = new Map<string, Shown>();
  for (const [index, name] of networkNames(engine, container).entries()) {
    const endpoint = endpoints.find(({ network }) => network.name === name);
    const attachment = container.attachments[index];
    networks.set(
      name,
      endpointObject(engine, container, endpoint, attachment?.aliases ?? [], attachment?.address !== undefined),
    );
  }
  const docker0 = endpoints.find(({ network }) => network.name === "bridge");
  return {
    Bridge: "",
    SandboxID: sandbox?.id ?? "",
    SandboxKey: sandbox === undefined ? "" : `/var/run/docker/netns/${sandbox.id.slice(0, 12)}`,
    Ports: container.running ? ports : {},
    EndpointID: docker0?.id ?? "",
    Gateway: docker0?.gateway === undefined ? "" : formatIpv4(docker0.gateway),
    IPAddress: docker0 === undefined ? "" : formatIpv4(docker0.address.address),
    IPPrefixLen: docker0?.address.length ?? 0,
    MacAddress: docker0 === undefined ? "" : formatMac(docker0.mac),
    Networks: networks,
  };
}

function endpointObject(
  engine: Engine,
  container: Container,
  endpoint: Endpoint | undefined,
  aliases: readonly string[],
  chosen: boolean,
): Fields {
  const address = endpoint === undefined || endpoint.address.length === 0 ? undefined : endpoint.address;
  const names = endpoint === undefined ? null : [endpoint.name, ...endpoint.aliases];
  return {
    IPAMConfig: chosen && address !== undefined ? { IPv4Address: formatIpv4(address.address) } : null,
    Links: null,
    Aliases: aliases.length > 0 ? aliases : null,
    MacAddress: endpoint === undefined || endpoint.mac === 0 ? "" : formatMac(endpoint.mac),
    DriverOpts: null,
    ...(engine.release === "current" && { GwPriority: 0 }),
    NetworkID: endpoint?.network.id ?? "",
    EndpointID: endpoint?.id ?? "",
    Gateway: endpoint?.gateway === undefined ? "" : formatIpv4(endpoint.gateway),
    IPAddress: address === undefined ? "" : formatIpv4(address.address),
    IPPrefixLen: address?.length ?? 0,
    IPv6Gateway: "",
    GlobalIPv6Address: "",
    GlobalIPv6PrefixLen: 0,
    ...(engine.release === "current" && {
      DNSNames: endpoint?.network.resolvesNames === true && container.running ? names : null,
    }),
  };
}
