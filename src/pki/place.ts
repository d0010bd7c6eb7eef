// Where Determined's command line keeps what it trusts (origin: harness determined/common/util.py, get_config_path).
import { homedir } from 'node:os'
import { join } from 'node:path'

export interface PlaceVariables {
  DET_DEBUG_CONFIG_PATH?: string
  XDG_CONFIG_HOME?: string
  LOCALAPPDATA?: string
  HOME?: string
}

export function trustStoreFile(env: PlaceVariables, platform: NodeJS.Platform = process.platform): string {
  return join(folderOf(env, platform), 'certs.json')
}

function folderOf(env: PlaceVariables, platform: NodeJS.Platform): string {
  if (env.DET_DEBUG_CONFIG_PATH) return env.DET_DEBUG_CONFIG_PATH
  return join(baseOf(env, platform), 'determined')
}

function baseOf({ XDG_CONFIG_HOME, LOCALAPPDATA, HOME }: PlaceVariables, platform: NodeJS.Platform): string {
  const home = HOME || homedir()
  // Set but empty, Python takes it for the current folder; nobody means that.
  if (platform === 'linux' && XDG_CONFIG_HOME) return XDG_CONFIG_HOME
  if (platform === 'darwin') return join(home, 'Library', 'Application Support')
  if (platform === 'win32' && LOCALAPPDATA) return LOCALAPPDATA
  return join(home, '.config')
}
