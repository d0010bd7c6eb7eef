// Loaded into the measured daemon by NODE_OPTIONS=--require, because only the process itself knows how long its event loop
// was held. Appends a line of JSON to the file in BENCH_HOLDS each second, between the first SIGUSR2 and the next: its own
// timers need 30 ms of processor time in a second.
const { appendFileSync } = require('node:fs')

const every = 5
let timers = []
let last = 0
let lastCpu = 0
/** Milliseconds; `long` counts those over the budget. */
let worst = { wall: 0, cpu: 0, long: 0 }
const budget = 20

/** Milliseconds of the main thread alone: those of the garbage collector's helpers hold nothing. */
function cpu() {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

function restart() {
  last = performance.now()
  lastCpu = cpu()
  worst = { wall: 0, cpu: 0, long: 0 }
}

// Wall time tells how late everything else is, processor time how much of that is this process and not a busy machine.
function look() {
  const now = performance.now()
  const nowCpu = cpu()
  worst.wall = Math.max(worst.wall, now - last - every)
  const used = Math.min(nowCpu - lastCpu, now - last)
  worst.cpu = Math.max(worst.cpu, used)
  if (used > budget) worst.long++
  last = now
  lastCpu = nowCpu
}

function write() {
  look()
  appendFileSync(process.env.BENCH_HOLDS, `${JSON.stringify({ at: Date.now(), ...worst })}\n`)
  restart()
}

process.on('SIGUSR2', () => {
  if (timers.length > 0) {
    for (const timer of timers) clearInterval(timer)
    timers = []
    return write()
  }
  restart()
  timers = [setInterval(look, every).unref(), setInterval(write, 1000).unref()]
})
