// Whether the process of this container lives, for Docker: without loading Busbar itself every few seconds.
// A gateway or worker answers at one port, an API at the other.
const ports = [process.env.BUSBAR_HEALTH_PORT ?? 8081, process.env.BUSBAR_API_PORT ?? 8080]
const answers = await Promise.allSettled(ports.map((port) => fetch(`http://127.0.0.1:${port}/healthz`)))
process.exit(answers.some(({ value }) => value?.ok) ? 0 : 1)
