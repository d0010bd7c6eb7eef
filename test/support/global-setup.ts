// Templates are compiled before any test, so that an edited template is never tested in its old form.
import { execFileSync } from 'node:child_process'

export function setup(): void {
  execFileSync(process.execPath, ['scripts/compile-templates.ts'], { stdio: 'inherit' })
}
