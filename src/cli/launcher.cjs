#!/usr/bin/env node
// Starts the program: dist/cli.cjs. It checks Node's version and keeps V8's code of what a command has run, so that the
// next run of the same command compiles nothing. Nothing newer than ES2020: an old Node must be able to say that it is old.
'use strict'

const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 12)) {
  console.error(`provision needs Node.js 22.12 or newer; this is ${process.versions.node}`)
  process.exit(2)
}

const fs = require('node:fs')
const { dirname, join } = require('node:path')
const main = join(__dirname, 'main.cjs')
/** Of main.cjs; the build writes it here. */
const build = 'BUILD'
const checksumBytes = 32

const command = commandOf(process.argv.slice(2))
const folder = cacheFolder(process.env)
if (command === undefined) {
  // V8 lets the space for new objects grow to 32 MiB and more, and hardly gives it back; answers of a cloud fill it: 10,000
  // instances need twice the memory. Of V8's options for it the maximum is read at the start only, the factor each time.
  require('node:v8').setFlagsFromString('--semi-space-growth-factor=1')
  require('node:module').enableCompileCache()
  require(main)
} else if (folder === undefined) require(main)
else runWith(join(folder, [command, build, process.version, process.arch].join('_')))

/** Undefined for the daemon, which is what starts without a command. */
function commandOf([first = '-', ...others]) {
  if (first === '--dry-run' || others.includes('--dry-run')) return 'dry-run'
  if (/^(--version|-V|--help|-h)$/.test(first)) return 'help'
  return first.startsWith('-') ? undefined : first.replace(/[^a-z-]/g, '')
}

/** By the XDG Base Directory Specification; Node's own variable for its cache switches this one off, too. */
function cacheFolder({ XDG_CACHE_HOME, HOME, NODE_DISABLE_COMPILE_CACHE }) {
  const base = XDG_CACHE_HOME || (HOME && join(HOME, '.cache'))
  return base && !NODE_DISABLE_COMPILE_CACHE ? join(base, 'provision') : undefined
}

/** Node's own compile cache has only what was compiled before the first line ran: here half of what a command needs. */
function runWith(file) {
  const { Module, createRequire } = require('node:module')
  const { Script } = require('node:vm')
  const cachedData = readOwn(file)
  const script = new Script(Module.wrap(fs.readFileSync(main, 'latin1')), {
    filename: main,
    cachedData,
  })
  if (cachedData === undefined || script.cachedDataRejected) {
    process.on('exit', (status) => {
      // A usage error may be a command that does not exist.
      if (status !== 2) write(file, script.createCachedData())
    })
  }
  const program = new Module(main, module)
  program.filename = main
  script
    .runInThisContext()
    .call(program.exports, program.exports, createRequire(main), program, main, __dirname)
}

/**
 * V8 runs what is in it, and looks at its head only: nobody else may have written it, and it ends with a checksum.
 */
function readOwn(file) {
  let opened
  try {
    opened = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW)
    const { uid, mode } = fs.fstatSync(opened)
    if (uid !== process.getuid() || (mode & 0o022) !== 0) return undefined
    const bytes = fs.readFileSync(opened)
    const code = bytes.subarray(0, -checksumBytes)
    return bytes.subarray(-checksumBytes).equals(checksum(code)) ? code : undefined
  } catch {
    return undefined
  } finally {
    if (opened !== undefined) fs.closeSync(opened)
  }
}

/** If it fails, the next start is slower; that is all. */
function write(file, code) {
  const temporary = `${file}.${process.pid}`
  try {
    // A home that does not exist is not made.
    for (const each of [dirname(folder), folder])
      if (!fs.existsSync(each)) fs.mkdirSync(each, { mode: 0o700 })
    for (const name of fs.readdirSync(folder)) {
      const [, itsBuild] = name.split('_')
      if (itsBuild !== undefined && itsBuild !== build) fs.rmSync(join(folder, name), { force: true })
    }
    fs.writeFileSync(temporary, Buffer.concat([code, checksum(code)]), { mode: 0o600, flag: 'wx' })
    fs.renameSync(temporary, file)
  } catch {
    fs.rmSync(temporary, { force: true })
  }
}

function checksum(code) {
  return require('node:crypto').hash('sha256', code, 'buffer')
}
