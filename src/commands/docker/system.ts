/** `docker version` and `docker info`: what they say of an engine, as far as there is something to say. */
import type { Engine } from "../../docker/engine.ts";
import type { DockerCommand } from "./command.ts";
import { engineOf } from "./daemon.ts";
import { INSPECT_FORMAT_FLAG } from "./format-flag.ts";
import type { Shown } from "./go-text.ts";
import { writeObjects } from "./output-format.ts";
import { swarmInfo, swarmInfoObject, swarmInfoText } from "./swarm/swarm-info.ts";

export const CLIENT_VERSION = "28.2.2";
const API_VERSION = "1.50";
const ENGINES = {
  current: { version: CLIENT_VERSION, api: API_VERSION, minimum: "1.24", kernel: "6.18.0", system: "Linux" },
  "20.10": { version: "20.10.24", api: "1.41", minimum: "1.12", kernel: "6.1.0", system: "Linux" },
} as const;

/** The engine's version, as `docker node ls` shows it too. */
export function engineVersion({ release }: Pick<Engine, "release">): string {
  return ENGINES[release].version;
}

const VERSION: DockerCommand = {
  path: "version",
  takes: "[OPTIONS]",
  summary: "Show the Docker version information",
  flags: [INSPECT_FORMAT_FLAG],
  least: 0,
  most: 0,
  run(process, context, flags) {
    const engine = engineOf(context);
    const { version, api, minimum } = ENGINES[engine.release];
    const format = flags.string("format");
    if (format !== undefined && format !== "") {
      const object = {
        Client: { Version: CLIENT_VERSION, ApiVersion: API_VERSION, Os: "linux", Arch: "amd64" },
        Server: { Version: version, ApiVersion: api, MinAPIVersion: minimum, Os: "linux", Arch: "amd64" },
      };
      writeObjects(process.stdout, format, [object]);
      return 0;
    }
    process.stdout.write(
      `Client:\n Version:           ${CLIENT_VERSION}\n API version:       ${API_VERSION}\n OS/Arch:           linux/amd64\n Context:           default\n\n` +
        `Server:\n Engine:\n  Version:          ${version}\n  API version:      ${api} (minimum version ${minimum})\n  OS/Arch:          linux/amd64\n  Experimental:     false\n`,
    );
    return 0;
  },
};

const INFO: DockerCommand = {
  path: "system info",
  aliases: ["info"],
  takes: "[OPTIONS]",
  summary: "Display system-wide information",
  flags: [INSPECT_FORMAT_FLAG],
  least: 0,
  most: 0,
  *run(process, context, flags) {
    const engine = engineOf(context);
    const swarm = yield* swarmInfo(context);
    const object = { ...infoObject(engine), Swarm: swarmInfoObject(swarm) };
    const format = flags.string("format");
    if (format === undefined || format === "") process.stdout.write(infoText(engine, swarmInfoText(swarm)));
    else writeObjects(process.stdout, format, [object]);
    return 0;
  },
};

function infoObject(engine: Engine): { readonly [field: string]: Shown } {
  const { version, kernel } = ENGINES[engine.release];
  const states = [...engine.containers.values()].map(({ state }) => state);
  const running = states.filter((state) => state === "running").length;
  return {
    Containers: states.length,
    ContainersRunning: running,
    ContainersPaused: 0,
    ContainersStopped: states.length - running,
    Images: new Set([...engine.containers.values()].map(({ spec }) => spec.image)).size,
    Driver: "overlay2",
    Plugins: { Volume: ["local"], Network: ["bridge", "host", "null", "overlay"] },
    KernelVersion: kernel,
    OperatingSystem: "Linux",
    OSType: "linux",
    Architecture: "x86_64",
    Name: engine.hostname,
    ServerVersion: version,
  };
}

function infoText(engine: Engine, swarm: string): string {
  const info = infoObject(engine);
  return `Client:
 Version:    ${CLIENT_VERSION}
 Context:    default
 Debug Mode: false

Server:
 Containers: ${info.Containers}
  Running: ${info.ContainersRunning}
  Paused: 0
  Stopped: ${info.ContainersStopped}
 Images: ${info.Images}
 Server Version: ${info.ServerVersion}
 Storage Driver: overlay2
 Logging Driver: json-file
 Plugins:
  Volume: local
  Network: bridge host null overlay
${swarm} Kernel Version: ${info.KernelVersion}
 Operating System: Linux
 OSType: linux
 Architecture: x86_64
 Name: ${engine.hostname}
`;
}

export const SYSTEM_COMMANDS: readonly DockerCommand[] = [VERSION, INFO];
