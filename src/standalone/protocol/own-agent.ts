// How our own master and agents know each other: only they run commands; for any other agent work is bookkeeping.

const mark = '+provision'

/** The version our agent announces: semantic versioning's build metadata, which no comparison looks at. */
export function ownAgentVersion(version: string): string {
  return version + mark
}

export function runsCommands(announcedVersion: string): boolean {
  return announcedVersion.endsWith(mark)
}
