/**
 * The flags of `docker run` and `docker create`, as the client's help lists them (release 28). Resources, security and storage do nothing to a network:
 * those flags are taken, checked, and have no effect.
 */
import type { FlagDefinition, FlagKind } from "../flags.ts";
import { checkAddHost, checkAddress, checkEnvironment } from "./flag-checks.ts";
import { checkMount } from "./mount-flags.ts";
import { checkNetwork } from "./network-flag.ts";

function flag(name: string, kind: FlagKind, usage: string, more: Partial<FlagDefinition> = {}): FlagDefinition {
  return { name, kind, usage, ...more };
}

const WITH_EFFECT: readonly FlagDefinition[] = [
  flag("add-host", "list", "Add a custom host-to-IP mapping (host:ip)", { check: checkAddHost }),
  flag("attach", "list", "Attach to STDIN, STDOUT or STDERR", { letter: "a" }),
  flag("detach", "bool", "Run container in background and print container ID", { letter: "d" }),
  flag("dns", "list", "Set custom DNS servers", { check: checkAddress }),
  flag("dns-option", "list", "Set DNS options"),
  flag("dns-search", "list", "Set custom DNS search domains"),
  flag("entrypoint", "string", "Overwrite the default ENTRYPOINT of the image"),
  flag("env", "list", "Set environment variables", { letter: "e", check: checkEnvironment }),
  flag("expose", "list", "Expose a port or a range of ports"),
  flag("health-cmd", "string", "Command to run to check health"),
  flag("health-interval", "duration", "Time between running the check (ms|s|m|h)", { byDefault: "0s" }),
  flag("health-retries", "int", "Consecutive failures needed to report unhealthy"),
  flag("health-start-interval", "duration", "Time between running the check during the start period (ms|s|m|h)", {
    byDefault: "0s",
  }),
  flag(
    "health-start-period",
    "duration",
    "Start period for the container to initialize before starting health-retries countdown (ms|s|m|h)",
    { byDefault: "0s" },
  ),
  flag("health-timeout", "duration", "Maximum time to allow one check to run (ms|s|m|h)", { byDefault: "0s" }),
  flag("help", "bool", "Print usage"),
  flag("hostname", "string", "Container host name", { letter: "h" }),
  flag("interactive", "bool", "Keep STDIN open even if not attached", { letter: "i" }),
  flag("ip", "string", "IPv4 address (e.g., 172.30.100.104)"),
  flag("label", "list", "Set meta data on a container", { letter: "l" }),
  flag("mac-address", "string", "Container MAC address (e.g., 92:d0:c6:0a:29:33)"),
  flag("mount", "mount", "Attach a filesystem mount to the container", { check: checkMount }),
  flag("name", "string", "Assign a name to the container"),
  flag("network", "network", "Connect a container to a network", { check: checkNetwork }),
  flag("network-alias", "list", "Add network-scoped alias for the container"),
  flag("no-healthcheck", "bool", "Disable any container-specified HEALTHCHECK"),
  flag("publish", "list", "Publish a container's port(s) to the host", { letter: "p" }),
  flag("publish-all", "bool", "Publish all exposed ports to random ports", { letter: "P" }),
  flag("pull", "string", 'Pull image before running ("always", "missing", "never")', { byDefault: '"missing"' }),
  flag("quiet", "bool", "Suppress the pull output", { letter: "q" }),
  flag("restart", "string", "Restart policy to apply when a container exits", { byDefault: '"no"' }),
  flag("rm", "bool", "Automatically remove the container and its associated anonymous volumes when it exits"),
  flag("sig-proxy", "bool", "Proxy received signals to the process", { byDefault: "true" }),
  flag("stop-signal", "string", "Signal to stop the container"),
  flag("stop-timeout", "int", "Timeout (in seconds) to stop a container"),
  flag("sysctl", "map", "Sysctl options", { byDefault: "map[]" }),
  flag("tmpfs", "list", "Mount a tmpfs directory"),
  flag("tty", "bool", "Allocate a pseudo-TTY", { letter: "t" }),
  flag("volume", "list", "Bind mount a volume", { letter: "v" }),
];

const WITHOUT_EFFECT: readonly FlagDefinition[] = [
  flag("annotation", "map", "Add an annotation to the container (passed through to the OCI runtime)", {
    byDefault: "map[]",
  }),
  flag("blkio-weight", "uint16", "Block IO (relative weight), between 10 and 1000, or 0 to disable", {
    byDefault: "0",
  }),
  flag("blkio-weight-device", "list", "Block IO weight (relative device weight)", { byDefault: "[]" }),
  flag("cap-add", "list", "Add Linux capabilities"),
  flag("cap-drop", "list", "Drop Linux capabilities"),
  flag("cgroup-parent", "string", "Optional parent cgroup for the container"),
  flag(
    "cgroupns",
    "string",
    "Cgroup namespace to use (host|private)\n'host':    Run the container in the Docker host's cgroup namespace\n'private': Run the container in its own private cgroup namespace\n'':        Use the cgroup namespace as configured by the\n           default-cgroupns-mode option on the daemon (default)",
  ),
  flag("cidfile", "string", "Write the container ID to the file"),
  flag("cpu-count", "int", "CPU count (Windows only)"),
  flag("cpu-percent", "int", "CPU percent (Windows only)"),
  flag("cpu-period", "int", "Limit CPU CFS (Completely Fair Scheduler) period"),
  flag("cpu-quota", "int", "Limit CPU CFS (Completely Fair Scheduler) quota"),
  flag("cpu-rt-period", "int", "Limit CPU real-time period in microseconds"),
  flag("cpu-rt-runtime", "int", "Limit CPU real-time runtime in microseconds"),
  flag("cpu-shares", "int", "CPU shares (relative weight)", { letter: "c" }),
  flag("cpus", "decimal", "Number of CPUs"),
  flag("cpuset-cpus", "string", "CPUs in which to allow execution (0-3, 0,1)"),
  flag("cpuset-mems", "string", "MEMs in which to allow execution (0-3, 0,1)"),
  flag("detach-keys", "string", "Override the key sequence for detaching a container"),
  flag("device", "list", "Add a host device to the container"),
  flag("device-cgroup-rule", "list", "Add a rule to the cgroup allowed devices list"),
  flag("device-read-bps", "list", "Limit read rate (bytes per second) from a device", { byDefault: "[]" }),
  flag("device-read-iops", "list", "Limit read rate (IO per second) from a device", { byDefault: "[]" }),
  flag("device-write-bps", "list", "Limit write rate (bytes per second) to a device", { byDefault: "[]" }),
  flag("device-write-iops", "list", "Limit write rate (IO per second) to a device", { byDefault: "[]" }),
  flag("disable-content-trust", "bool", "Skip image verification", { byDefault: "true" }),
  flag("domainname", "string", "Container NIS domain name"),
  flag("env-file", "list", "Read in a file of environment variables"),
  flag("gpus", "gpu-request", "GPU devices to add to the container ('all' to pass all GPUs)"),
  flag("group-add", "list", "Add additional groups to join"),
  flag("init", "bool", "Run an init inside the container that forwards signals and reaps processes"),
  flag("io-maxbandwidth", "bytes", "Maximum IO bandwidth limit for the system drive (Windows only)"),
  flag("io-maxiops", "uint", "Maximum IOps limit for the system drive (Windows only)"),
  flag("ipc", "string", "IPC mode to use"),
  flag("isolation", "string", "Container isolation technology"),
  flag("kernel-memory", "bytes", "Kernel memory limit"),
  flag("label-file", "list", "Read in a line delimited file of labels"),
  flag("log-driver", "string", "Logging driver for the container"),
  flag("log-opt", "list", "Log driver options"),
  flag("memory", "bytes", "Memory limit", { letter: "m" }),
  flag("memory-reservation", "bytes", "Memory soft limit"),
  flag("memory-swap", "bytes", "Swap limit equal to memory plus swap: '-1' to enable unlimited swap"),
  flag("memory-swappiness", "int", "Tune container memory swappiness (0 to 100)", { byDefault: "-1" }),
  flag("oom-kill-disable", "bool", "Disable OOM Killer"),
  flag("oom-score-adj", "int", "Tune host's OOM preferences (-1000 to 1000)"),
  flag("pid", "string", "PID namespace to use"),
  flag("pids-limit", "int", "Tune container pids limit (set -1 for unlimited)"),
  flag("platform", "string", "Set platform if server is multi-platform capable"),
  flag("privileged", "bool", "Give extended privileges to this container"),
  flag("read-only", "bool", "Mount the container's root filesystem as read only"),
  flag("runtime", "string", "Runtime to use for this container"),
  flag("security-opt", "list", "Security Options"),
  flag("shm-size", "bytes", "Size of /dev/shm"),
  flag("storage-opt", "list", "Storage driver options for the container"),
  flag("ulimit", "ulimit", "Ulimit options", { byDefault: "[]" }),
  flag("use-api-socket", "bool", "Bind mount Docker API socket and required auth"),
  flag("user", "string", "Username or UID (format: <name|uid>[:<group|gid>])", { letter: "u" }),
  flag("userns", "string", "User namespace to use"),
  flag("uts", "string", "UTS namespace to use"),
  flag("volume-driver", "string", "Optional volume driver for the container"),
  flag("workdir", "string", "Working directory inside the container", { letter: "w" }),
];

/** Would change the network, and are not emulated: to use one is an error. */
export const REFUSED_FLAGS: readonly FlagDefinition[] = [
  flag("ip6", "string", "IPv6 address (e.g., 2001:db8::33)"),
  flag("link", "list", "Add link to another container"),
  flag("link-local-ip", "list", "Container IPv4/IPv6 link-local addresses"),
  flag("volumes-from", "list", "Mount volumes from the specified container(s)"),
];

/** `net` and `net-alias` are the old names, which still work. */
const OLD_NAMES: readonly FlagDefinition[] = [
  flag("net", "network", "", { hidden: true, check: checkNetwork }),
  flag("net-alias", "list", "", { hidden: true }),
];

export const CREATE_FLAGS: readonly FlagDefinition[] = [
  ...WITH_EFFECT.filter(({ name }) => name !== "detach" && name !== "sig-proxy"),
  ...WITHOUT_EFFECT.filter(({ name }) => name !== "detach-keys"),
  ...REFUSED_FLAGS,
  ...OLD_NAMES,
];
export const RUN_FLAGS: readonly FlagDefinition[] = [...WITH_EFFECT, ...WITHOUT_EFFECT, ...REFUSED_FLAGS, ...OLD_NAMES];
