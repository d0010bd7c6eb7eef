// Times as the REST API writes them.

/** RFC 3339; null for what has not happened. */
export function timestamp(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString()
}
