// The agents' CA and the bindings in a folder. Each value is a file named after its revision, in a folder of its own: the
// link that creates the next revision succeeds once, so that a command may change a value beside a running provisioner.
import { createHash, randomUUID } from 'node:crypto'
import { link, mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileNameOf, type Limiter, limit } from '../../platform/index.ts'
import { ProvisionError, problem } from '../../problems/index.ts'
import { bindingIn, bindingText, caIn, caText, type JoinStore, nonceMemory } from '../join.ts'

/** The folder inside of `state_dir`. */
export const joinFolder = 'join'

const temporarySuffix = '.tmp'
/** Used nonces after which expired ones are removed. */
const pruneEvery = 500
/** Files that are read at once: enough to be fast, and few descriptors. */
const readers = 16

/** @param now the time of day in milliseconds, as in the dates of files */
export function folderJoin(stateDir: string, now: () => number): JoinStore {
  const root = join(stateDir, joinFolder)
  const caFolder = join(root, 'ca')
  const bindings = join(root, 'bindings')
  const nonces = join(root, 'nonces')
  const folderOf = (instance: string) => join(bindings, fileNameOf(instance))
  const reading: Limiter = limit(readers)
  let sincePrune = pruneEvery

  async function readBinding(folder: string) {
    const found = await readNewest(folder)
    return found && parsed(folder, () => bindingIn(found.text, found.revision))
  }

  /** Also files that a crash has left behind: one may hold a key of the CA. */
  async function prune(): Promise<void> {
    sincePrune = 0
    const nonceFiles = (await namesIn(nonces)).map((name) => join(nonces, name))
    const left = (await namesIn(root)).filter((name) => name.endsWith(temporarySuffix))
    for (const file of [...nonceFiles, ...left.map((name) => join(root, name))]) {
      const writtenAt = await stat(file).then(({ mtimeMs }) => mtimeMs, ignoreMissing)
      if (writtenAt !== undefined && writtenAt < now() - nonceMemory) await rm(file, { force: true })
    }
  }

  const store: JoinStore = {
    async readCa() {
      const found = await readNewest(caFolder)
      return found && parsed(caFolder, () => caIn(found.text, found.revision))
    },
    replaceCa: (contents, expected = 0) => writeNext(caFolder, caText(contents), expected),
    async takeNonce(nonce) {
      await makeFolder(nonces)
      if (++sincePrune > pruneEvery) await prune()
      return createMark(join(nonces, createHash('sha256').update(nonce).digest('hex')))
    },
    binding: (instance) => readBinding(folderOf(instance)),
    async bind(binding) {
      const folder = folderOf(binding.instance)
      for (;;) {
        const found = await readBinding(folder)
        if (found) return found
        if (await writeNext(folder, bindingText(binding), 0)) return { ...binding, revision: 1 }
      }
    },
    replaceBinding: (next, { instance, revision }) =>
      writeNext(folderOf(instance), bindingText(next), revision),
    async bindings() {
      const names = await namesIn(bindings)
      const found = await Promise.all(names.map((name) => reading(() => readBinding(join(bindings, name)))))
      return found.filter((one) => one !== undefined)
    },
    async removeBindings(instances) {
      for (const instance of instances) await rm(folderOf(instance), { recursive: true, force: true })
    },
  }
  return withProblems(root, store)

  // The owner of state_dir is the provisioner, also when root runs the command.

  async function makeFolder(folder: string): Promise<void> {
    const made = await mkdir(folder, { recursive: true, mode: 0o700 })
    if (made === undefined) return
    for (let each = folder; ; each = dirname(each)) {
      await withOwner(each)
      await syncFolder(dirname(each))
      if (each === made) return
    }
  }

  async function withOwner(path: string): Promise<void> {
    if (process.geteuid?.() !== 0) return
    const handle = await open(path, 'r')
    try {
      const { uid, gid } = await stat(stateDir)
      await handle.chown(uid, gid)
    } finally {
      await handle.close()
    }
  }

  /** False if the file exists. Complete and on the disk, or not there. */
  async function createFile(file: string, text: string): Promise<boolean> {
    const temporary = join(root, `.${randomUUID()}${temporarySuffix}`)
    try {
      const handle = await open(temporary, 'wx', 0o600)
      try {
        await handle.writeFile(text)
        await handle.sync()
      } finally {
        await handle.close()
      }
      await withOwner(temporary)
      await link(temporary, file)
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false
      throw error
    } finally {
      await rm(temporary, { force: true })
    }
    await syncFolder(dirname(file))
    return true
  }

  /** An empty file; false if it exists. */
  async function createMark(file: string): Promise<boolean> {
    try {
      await (await open(file, 'wx', 0o600)).close()
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false
      throw error
    }
    await withOwner(file)
    await syncFolder(dirname(file))
    return true
  }

  /** Writes the revision after `expected`, 0 being none; false if another one is the newest. */
  async function writeNext(folder: string, text: string, expected: number): Promise<boolean> {
    if (expected === 0) await makeFolder(folder)
    if (newestOf(await namesIn(folder)) !== expected) return false
    const file = join(folder, String(expected + 1))
    try {
      if (!(await createFile(file, text))) return false
    } catch (error) {
      // The binding was removed meanwhile.
      if (codeOf(error) === 'ENOENT') return false
      throw error
    }
    const names = await namesIn(folder)
    if (newestOf(names) > expected + 1) {
      // Later revisions were written, and this one removed, before it was created again here.
      await rm(file, { force: true })
      return false
    }
    for (const name of names) if (Number(name) <= expected) await rm(join(folder, name), { force: true })
    return true
  }
}

interface Found {
  text: string
  revision: number
}

/** undefined without a revision. */
async function readNewest(folder: string): Promise<Found | undefined> {
  for (;;) {
    const revision = newestOf(await namesIn(folder))
    if (revision === 0) return undefined
    const text = await readFile(join(folder, String(revision)), 'utf8').catch(ignoreMissing)
    // Otherwise the next revision has replaced it.
    if (text !== undefined) return { text, revision }
  }
}

function newestOf(names: readonly string[]): number {
  return Math.max(0, ...names.filter((name) => /^[1-9]\d*$/.test(name)).map(Number))
}

async function namesIn(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(ignoreMissing)) ?? []
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function ignoreMissing(error: unknown): undefined {
  if (codeOf(error) !== 'ENOENT') throw error
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code
}

function parsed<T>(folder: string, parse: () => T): T {
  try {
    return parse()
  } catch (cause) {
    const message = `${folder}: its contents are not valid`
    throw new ProvisionError(problem('AGENTS_CA_UNUSABLE', message, { cause }))
  }
}

/** Every failed call says where. */
function withProblems(root: string, store: JoinStore): JoinStore {
  const wrapped = Object.entries(store).map(([name, call]) => [
    name,
    async (...args: unknown[]) => {
      try {
        return await (call as (...args: unknown[]) => unknown)(...args)
      } catch (error) {
        throw error instanceof ProvisionError ? error : unusable(root, error as Error)
      }
    },
  ])
  return Object.fromEntries(wrapped) as JoinStore
}

function unusable(path: string, cause: Error): ProvisionError {
  return new ProvisionError(
    problem('STATE_DIR_UNUSABLE', `${path} cannot be used: ${cause.message}`, { cause }),
  )
}
