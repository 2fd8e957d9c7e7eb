/** What an engine needs from whoever knows programs: PID 1 of a container, and commands run in one that is there (`docker exec`, health checks). */
import type { Process, TextSink } from "../linux/process.ts";
import type { Container } from "./container/container.ts";

export interface ProgramStarter {
  /** PID 1, in the container's namespace; its text goes to the container's log. It has run until its first wait. */
  start(container: Container, streams: { readonly stdout: TextSink; readonly stderr: TextSink }): Process;
  /** One more command in a running container. */
  run(
    container: Container,
    command: readonly string[],
    streams: { readonly stdout: TextSink; readonly stderr: TextSink },
  ): Process;
}
